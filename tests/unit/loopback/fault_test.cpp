// SPDX-License-Identifier: BSD-2-Clause
// The planned faults: each does what it says, when it says, and nothing else.
#include "support/catch.hpp"
#include "support/ring_client.hpp"
#include "unit/loopback/parking_file_system.hpp"

#include "vfsproto/backends/loopback.hpp"

#include <algorithm>
#include <future>
#include <numeric>

using namespace vfsproto;
using backends::make_faulty_loopback;
using backends::loopback::Fault;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using backends::loopback::FaultTrigger;
using backends::loopback::Release;
using test::Bytes;
using test::init_request;
using test::Message;
using test::ParkingFileSystem;
using test::RingClient;
using wire::Opcode;

namespace {

const FeatureSet kAll = FeatureSet::of(Feature::event_idx, Feature::indirect_desc, Feature::ring_packed);

// A device of either kind of ring.
backends::LoopbackOptions any_ring() {
    backends::LoopbackOptions options;
    if (GENERATE(false, true)) options.offered.add(Feature::ring_packed);
    return options;
}
constexpr std::uint16_t kRequests = 1;

Bytes getattr(std::uint64_t unique) {
    return Message(Opcode::getattr, 1).unique(unique).fixed(wire::GetattrIn{}).bytes();
}
FaultPlan plan_of(FaultKind kind, std::uint64_t at) {
    FaultPlan plan;
    plan.faults = {Fault{kind, at}};
    return plan;
}

} // namespace

TEST_CASE("a planned fault in a reply hits that reply and no other", "[loopback]") {
    const FaultKind kind = GENERATE(FaultKind::reply_length, FaultKind::reply_error, FaultKind::reply_unique,
                                    FaultKind::written_short, FaultKind::written_zero);
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(kind, 3), any_ring()); // INIT is the first
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    constexpr std::uint32_t kWhole = sizeof(wire::OutHeader) + sizeof(wire::AttrOut);
    for (std::uint64_t number = 2; number <= 4; ++number) {
        const RingClient::Reply reply = client.exchange(kRequests, getattr(number * 2));
        INFO("reply " << number);
        if (number == 3 && kind == FaultKind::written_zero) {
            CHECK(reply.written == 0);
            continue;
        }
        const bool hit = number == 3;
        const wire::OutHeader header = reply.header();
        CHECK((header.len == kWhole) == !(hit && kind == FaultKind::reply_length));
        CHECK((header.error == 0) == !(hit && kind == FaultKind::reply_error));
        CHECK((header.unique == number * 2) == !(hit && kind == FaultKind::reply_unique));
        CHECK((reply.written == kWhole) == !(hit && kind == FaultKind::written_short));
    }
}

TEST_CASE("a used length beyond the buffer latches the driver's queue", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::written_beyond, 2), any_ring());
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    client.submit(kRequests, getattr(2));
    client.kick(kRequests);
    CHECK_FALSE(client.poll(kRequests));
    CHECK(client.driver(kRequests).error() == Errc::ring_used_length);
}

TEST_CASE("a dropped completion never comes, the next ones do", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::drop, 2), any_ring());
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    const std::uint16_t lost = client.submit(kRequests, getattr(2));
    client.kick(kRequests);
    for (int i = 0; i < 50; ++i) CHECK(client.exchange(kRequests, getattr(4)).header().unique == 4);
    device->complete();
    client.poll(kRequests);
    CHECK_FALSE(client.has(kRequests, lost));
}

TEST_CASE("a device that dies takes the request it died at and all later ones with it", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::die, 3), any_ring());
    RingClient client(*device, kAll);
    std::promise<void> told;
    device->on_gone([&] { told.set_value(); });
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    REQUIRE(client.exchange(kRequests, getattr(2)).header().unique == 2);
    client.submit(kRequests, getattr(4));
    client.submit(kRequests, getattr(6));
    client.kick(kRequests);
    told.get_future().get();
    CHECK_FALSE(client.poll(kRequests));
    CHECK(device->gone_reason() == std::string("queue 1: ") + to_string(Errc::device_gone));
    CHECK(client.steps().tear_down() == Errc::device_gone);
    Completion back[8];
    CHECK(client.driver(kRequests).evacuate(back) == 2);
}

TEST_CASE("completions held back come all, out of order, the same way for the same seed", "[loopback]") {
    const auto run = [](std::uint64_t seed) {
        ParkingFileSystem fs;
        FaultPlan plan;
        plan.seed = seed;
        plan.hold_back = 5;
        const auto device = make_faulty_loopback(fs, plan);
        RingClient client(*device, kAll);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0); // idle: nothing waits for ever
        for (std::uint64_t i = 0; i < 12; ++i) client.submit(kRequests, getattr(2 + 2 * i));
        client.kick(kRequests);
        while (client.poll(kRequests)) {}
        std::vector<std::uint16_t> order(client.order(kRequests).begin() + 1, client.order(kRequests).end());
        std::vector<std::uint16_t> sorted = order;
        std::sort(sorted.begin(), sorted.end());
        std::vector<std::uint16_t> all(12);
        std::iota(all.begin(), all.end(), std::uint16_t{0});
        CHECK(sorted == all);
        CHECK(order != all);
        return order;
    };
    CHECK(run(7) == run(7));
    CHECK(run(7) != run(8));
}

TEST_CASE("completions held until asked for wait for complete()", "[loopback]") {
    ParkingFileSystem fs;
    FaultPlan plan;
    plan.hold_back = 4;
    plan.release = Release::when_asked;
    const auto device = make_faulty_loopback(fs, plan, any_ring());
    RingClient client(*device, kAll);
    const std::uint16_t slot = client.submit(kRequests, init_request());
    client.kick(kRequests);
    CHECK_FALSE(client.poll(kRequests));
    CHECK(fs.begun == 1);
    REQUIRE_FALSE(client.driver(kRequests).arm(1));
    device->complete();
    CHECK(client.interrupts(kRequests) == 1);
    CHECK(client.wait(kRequests, slot).header().error == 0);
}

TEST_CASE("faults stay on the queue they are planned for", "[loopback]") {
    ParkingFileSystem fs;
    FaultPlan plan = plan_of(FaultKind::drop, 1);
    plan.queue = QueueIndex{0};
    const auto device = make_faulty_loopback(fs, plan, any_ring());
    RingClient client(*device, kAll);
    CHECK(client.exchange(kRequests, init_request()).header().error == 0);
    client.submit(0, Message(Opcode::forget, 5).fixed(wire::ForgetIn{3}).bytes(), 0);
    client.kick(0);
    CHECK_FALSE(client.poll(0));
    CHECK(fs.forgotten == 3);
}

TEST_CASE("a corrupt reply has another body under the same header, the same way for the same seed", "[loopback]") {
    const auto run = [](std::uint64_t seed) {
        ParkingFileSystem fs;
        FaultPlan plan = plan_of(FaultKind::corrupt, 3);
        plan.seed = seed;
        const auto device = make_faulty_loopback(fs, plan);
        RingClient client(*device, kAll);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
        const Bytes sound = client.exchange(kRequests, getattr(2)).bytes;
        const Bytes corrupt = client.exchange(kRequests, getattr(2)).bytes;
        CHECK(client.exchange(kRequests, getattr(2)).bytes == sound);
        REQUIRE(corrupt.size() == sound.size());
        CHECK(corrupt != sound);
        CHECK(std::equal(corrupt.begin(), corrupt.begin() + sizeof(wire::OutHeader), sound.begin()));
        return corrupt;
    };
    CHECK(run(7) == run(7));
    CHECK(run(7) != run(8));
}

TEST_CASE("a delayed completion comes when it is asked for, and holds up no other", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::delay, 2), any_ring());
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    const std::uint16_t late = client.submit(kRequests, getattr(2));
    client.kick(kRequests);
    CHECK(client.exchange(kRequests, getattr(4)).header().unique == 4);
    CHECK_FALSE(client.has(kRequests, late));
    device->complete();
    CHECK(client.wait(kRequests, late).header().unique == 2);
}

TEST_CASE("a completion that comes twice latches the driver's queue", "[loopback]") {
    ParkingFileSystem fs;
    backends::LoopbackOptions options;
    if (GENERATE(false, true)) options.offered.remove(Feature::event_idx);
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::duplicate, 2), options);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    client.submit(kRequests, getattr(2));
    client.kick(kRequests);
    CHECK_FALSE(client.poll(kRequests));
    CHECK(client.driver(kRequests).error() == Errc::ring_index_jump);
}

TEST_CASE("a device that resets itself answers nothing any more, and is not gone", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_faulty_loopback(fs, plan_of(FaultKind::reset, 3), any_ring());
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    REQUIRE(client.exchange(kRequests, getattr(2)).header().unique == 2);
    for (int i = 0; i < 3; ++i) client.submit(kRequests, getattr(4));
    client.kick(kRequests);
    device->complete();
    CHECK_FALSE(client.poll(kRequests));
    CHECK(device->gone_reason().empty());
    CHECK(client.steps().tear_down() == Errc::ok);
}

TEST_CASE("a trigger has one fault happen, counted from when it is armed", "[loopback]") {
    ParkingFileSystem fs;
    FaultTrigger trigger;
    FaultPlan plan;
    plan.trigger = &trigger;
    const auto device = make_faulty_loopback(fs, plan, any_ring());
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    int strikes = 0;
    for (int round = 0; round < 2; ++round) {
        trigger.arm(FaultKind::reply_unique, 1, [&] { ++strikes; });
        CHECK_FALSE(trigger.has_struck());
        CHECK(client.exchange(kRequests, getattr(2)).header().unique == 2);
        CHECK_FALSE(trigger.has_struck());
        CHECK(client.exchange(kRequests, getattr(2)).header().unique != 2);
        CHECK(trigger.has_struck());
        CHECK(client.exchange(kRequests, getattr(2)).header().unique == 2);
        CHECK(strikes == round + 1);
    }
    trigger.arm(FaultKind::reply_unique, 0);
    trigger.disarm();
    CHECK(client.exchange(kRequests, getattr(2)).header().unique == 2);
    trigger.arm(FaultKind::die, 1); // counts requests
    CHECK(client.exchange(kRequests, getattr(2)).header().unique == 2);
    client.submit(kRequests, getattr(2));
    client.kick(kRequests);
    CHECK_FALSE(client.poll(kRequests));
    CHECK(trigger.has_struck());
}
