// SPDX-License-Identifier: BSD-2-Clause
// The front end's messages are compared with the protocol, in order and byte for byte.
#include "support/catch.hpp"
#include "unit/vhost_user/front_end.hpp"

#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <sys/mman.h>

using namespace vfsproto;
using backends::VhostUser;
using backends::VhostUserOptions;
using test::Bytes;
using test::lay_out;
using test::Message;
using test::options_for;
using test::ScriptedBackEnd;
using test::vring_state;
using test::words32;
using test::words64;
using enum test::VhostUserRequest;
using test::kNeedsReply;
using test::kVersion1;

namespace {

const FeatureSet kWanted = FeatureSet::of(Feature::event_idx, Feature::ring_packed);
constexpr std::uint64_t kManyQueues = 1u << 0;
constexpr std::uint64_t kReplyAck = 1u << 3;
constexpr std::uint64_t kConfig = 1u << 9;
constexpr std::uint64_t kMemSlots = 1u << 15;

// Rings of the device, their size here, and the entry at which a split one starts.
constexpr std::uint32_t kHiprioRing = 0;
constexpr std::uint32_t kRequestRing = 1;
constexpr std::uint16_t kRingSize = 4;
constexpr std::uint32_t kFirstEntry = 0;

// Places of messages in the sequence of the first test, and of a ring's messages (kStartRing) in their part of it.
constexpr std::size_t kGetFeaturesAt = 0;
constexpr std::size_t kSetProtocolFeaturesAt = 2;
constexpr std::size_t kSetOwnerAt = 5;
constexpr std::size_t kSetFeaturesAt = 6;
constexpr std::size_t kSetMemTableAt = 7;
constexpr std::size_t kRequestRingAt = 14;
constexpr std::size_t kEnableAt = 20; // one for each ring
constexpr std::size_t kMessages = 22;
enum RingMessage : std::size_t { kNumAt, kBaseAt, kAddrAt, kErrAt, kCallAt, kKickAt };

using Requests = std::vector<std::uint32_t>;
const Requests kStartRing = {kSetVringNum, kSetVringBase, kSetVringAddr, kSetVringErr, kSetVringCall, kSetVringKick};

Requests joined(const std::vector<Requests>& parts) {
    Requests all;
    for (const Requests& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

// Everything up to DRIVER_OK, with both queues in one allocation.
Region bring_up(VhostUser& device, BringUp& steps) {
    REQUIRE(steps.negotiate(kWanted));
    const auto memory = device.allocate(8192);
    REQUIRE(memory);
    REQUIRE(steps.enable_queue(QueueIndex{0}, lay_out(*memory, kRingSize)) == Errc::ok);
    REQUIRE(steps.enable_queue(QueueIndex{1}, lay_out(memory->part(4096, 4096), kRingSize)) == Errc::ok);
    REQUIRE(steps.go_live() == Errc::ok);
    return *memory;
}

} // namespace

TEST_CASE("the front end follows the sequence both known daemons take, in order", "[vhost_user]") {
    const bool acks = GENERATE(true, false);
    ScriptedBackEnd back_end;
    if (!acks) back_end.protocol &= ~kReplyAck;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    bring_up(*opened.device, steps);
    Requests expected = joined({{kGetFeatures, kGetProtocolFeatures, kSetProtocolFeatures, kGetQueueNum},
                                {kGetMaxMemSlots, kSetOwner, kSetFeatures, kSetMemTable},
                                kStartRing, // hiprio
                                kStartRing, // requests
                                {kSetVringEnable, kSetVringEnable}});
    // A back end without acknowledgements is asked something: its answer says that the rings are enabled.
    if (!acks) expected.push_back(kGetFeatures);
    back_end.await(expected.size());
    CHECK(back_end.requests() == expected);
    for (const Message& message : back_end.log()) {
        INFO("request " << message.request);
        const bool has_reply = message.request == kGetFeatures || message.request == kGetProtocolFeatures ||
                               message.request == kGetQueueNum || message.request == kGetMaxMemSlots;
        // The acknowledgement is in force only after it was negotiated, hence not for SET_PROTOCOL_FEATURES itself.
        const bool asks = acks && !has_reply && message.request != kSetProtocolFeatures;
        CHECK(message.flags == (asks ? kVersion1 | kNeedsReply : kVersion1));
    }
}

TEST_CASE("the messages have the bytes of the protocol page", "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const Region memory = bring_up(*opened.device, steps);
    const auto user = reinterpret_cast<std::uint64_t>(memory.host());
    back_end.await(kMessages);
    const std::vector<Message> log = back_end.log();

    CHECK(log[kGetFeaturesAt].payload.empty());
    CHECK(log[kSetProtocolFeaturesAt].payload == words64(kManyQueues | kReplyAck | kMemSlots));
    CHECK(log[kSetOwnerAt].payload.empty());
    // The back end offers bits 24 and 26 as well, which are no business of a driver.
    CHECK(log[kSetFeaturesAt].payload == words64(test::kVersion1Feature | test::kProtocolFeatures | test::kEventIdx));
    Bytes table = words32(1, 0);
    const Bytes region = words64(to_number(memory.device()), test::kSmallArena, user, 0);
    table.insert(table.end(), region.begin(), region.end());
    CHECK(log[kSetMemTableAt].payload == table);
    REQUIRE(log[kSetMemTableAt].fds.size() == 1);
    CHECK(to_number(memory.device()) != 0);

    CHECK(log[kRequestRingAt + kNumAt].payload == vring_state(kRequestRing, kRingSize));
    CHECK(log[kRequestRingAt + kBaseAt].payload == vring_state(kRequestRing, kFirstEntry));
    constexpr std::uint32_t kNoFlags = 0;
    Bytes addresses = words32(kRequestRing, kNoFlags); // and descriptors, used, available, log
    const Bytes areas = words64(user + 4096, user + 4096 + 128, user + 4096 + 64, 0);
    addresses.insert(addresses.end(), areas.begin(), areas.end());
    CHECK(log[kRequestRingAt + kAddrAt].payload == addresses);
    for (const std::size_t at : {kErrAt, kCallAt, kKickAt}) {
        CHECK(log[kRequestRingAt + at].payload == words64(kRequestRing));
        CHECK(log[kRequestRingAt + at].fds.size() == 1);
    }
    CHECK(log[kEnableAt + kHiprioRing].payload == vring_state(kHiprioRing, test::kEnabled));
    CHECK(log[kEnableAt + kRequestRing].payload == vring_state(kRequestRing, test::kEnabled));
}

TEST_CASE("the memory the back end maps is the memory we hand out, zeroed", "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const Region memory = bring_up(*opened.device, steps);
    CHECK(memory.host()[5000] == std::byte{0});
    memory.host()[5000] = std::byte{42};
    back_end.await(kSetMemTableAt + 1);
    const Message table = back_end.log()[kSetMemTableAt];
    void* const theirs = ::mmap(nullptr, test::kSmallArena, PROT_READ, MAP_SHARED, table.fds.at(0), 0);
    REQUIRE(theirs != MAP_FAILED);
    const std::size_t offset = to_number(memory.device()) - table.word64(1) + 5000;
    CHECK(static_cast<unsigned char*>(theirs)[offset] == 42);
    ::munmap(theirs, test::kSmallArena);
    // A back end that cuts the file off would have us die of SIGBUS.
    CHECK(::ftruncate(table.fds.at(0), 0) != 0);
}

TEST_CASE("doorbell and wait handle are the eventfds the back end holds", "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    bring_up(*opened.device, steps);
    back_end.await(kMessages);
    const std::vector<Message> log = back_end.log();
    Transport& transport = opened.device->transport();
    const Doorbell bell = transport.doorbell(QueueIndex{1});
    bell.ring(bell.context, 0);
    bell.ring(bell.context, 0);
    std::uint64_t count = 0;
    REQUIRE(::read(log[kRequestRingAt + kKickAt].fds.at(0), &count, sizeof count) == sizeof count);
    CHECK(count == 2);
    CHECK(opened.device->doorbells(QueueIndex{1}) == 2);
    CHECK(opened.device->doorbells(QueueIndex{0}) == 0);
    count = 1;
    REQUIRE(::write(log[kRequestRingAt + kCallAt].fds.at(0), &count, sizeof count) == sizeof count);
    count = 0;
    REQUIRE(::read(transport.wait_handle(QueueIndex{1}).fd, &count, sizeof count) == sizeof count);
    CHECK(count == 1);
    CHECK(transport.doorbell(QueueIndex{2}).ring == nullptr);
    CHECK(transport.wait_handle(QueueIndex{2}).fd == -1);
}

TEST_CASE("a driver sees neither the transport's own feature bits nor legacy ones", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.features = 0x175000000; // what the C virtiofsd offers
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    CHECK(opened.device->transport().device_features()->bits() == 0x130000000);
    CHECK(opened.device->transport().accept_features(FeatureSet(std::uint64_t{1} << 26)) == Errc::bad_argument);
}

TEST_CASE("without protocol features nothing of them is sent", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.features = 0x130000000;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    bring_up(*opened.device, steps);
    const Requests expected =
        joined({{kGetFeatures, kSetOwner, kSetFeatures, kSetMemTable}, kStartRing, kStartRing, {kGetFeatures}});
    back_end.await(expected.size());
    CHECK(back_end.requests() == expected);
    CHECK(back_end.log()[2].payload == words64(test::kVersion1Feature | test::kEventIdx));
}

TEST_CASE("a withheld protocol feature is not negotiated", "[vhost_user]") {
    ScriptedBackEnd back_end;
    VhostUserOptions options = options_for(back_end);
    options.withheld_protocol_features = kReplyAck;
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE(opened);
    CHECK(back_end.log()[2].payload == words64(kManyQueues | kMemSlots));
}

TEST_CASE("configuration comes from the back end if it has one and from the options if not", "[vhost_user]") {
    const std::vector<std::byte> theirs = backends::fs_config_space("theirs", 1);
    ScriptedBackEnd back_end;
    std::string expected = "ours";
    SECTION("no CONFIG feature: not asked") {}
    SECTION("CONFIG, answered") {
        back_end.protocol |= kConfig;
        for (const std::byte b : theirs) back_end.config.push_back(static_cast<unsigned char>(b));
        expected = "theirs";
    }
    SECTION("CONFIG, but the empty answer") { back_end.protocol |= kConfig; }
    VhostUserOptions options = options_for(back_end);
    options.config = backends::fs_config_space("ours", 1);
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE(opened);
    const auto config = read_fs_config(opened.device->transport(), FeatureSet::of(Feature::version_1));
    REQUIRE(config);
    CHECK(std::string(config->tag) == expected);
    CHECK(config->num_request_queues == 1);
    if ((back_end.protocol & kConfig) != 0) {
        const Message question = back_end.log().back();
        CHECK(question.request == kGetConfig);
        CHECK(question.payload.size() == 12 + 40);
        CHECK(question.word32(1) == 40);
    }
    std::byte beyond[1];
    CHECK(opened.device->transport().read_config(40, beyond) == Errc::config_invalid);
}

TEST_CASE("later memory is added region by region where the back end has slots", "[vhost_user]") {
    const bool acks = GENERATE(true, false);
    ScriptedBackEnd back_end;
    if (!acks) back_end.protocol &= ~kReplyAck;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const Region first = bring_up(*opened.device, steps);
    const std::size_t up = acks ? 22 : 23;
    back_end.await(up);

    const auto second = opened.device->allocate(200 << 10);
    REQUIRE(second);
    // The answer to a later question says that the region is mapped, where there are no acknowledgements.
    CHECK(back_end.requests(up) == (acks ? Requests{kAddMemReg} : Requests{kAddMemReg, kGetFeatures}));
    const Message added = back_end.log()[up];
    CHECK(added.payload ==
          words64(0, to_number(second->device()), 200 << 10, reinterpret_cast<std::uint64_t>(second->host()), 0));
    CHECK(added.fds.size() == 1);
    CHECK(second->device() != first.device());

    const std::size_t before = back_end.requests().size();
    opened.device->release(*second);
    back_end.await(before + 1);
    CHECK(back_end.requests(before) == Requests{kRemMemReg});
    CHECK(back_end.log()[before].payload == added.payload);
}

TEST_CASE("later memory is sent as a whole new table where the back end has no slots", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.protocol &= ~kMemSlots;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    bring_up(*opened.device, steps);
    const std::size_t before = back_end.requests().size();
    REQUIRE(opened.device->allocate(100 << 10));
    CHECK(back_end.requests(before) == Requests{kSetMemTable});
    CHECK(back_end.log()[before].word32(0) == 2);
    CHECK(back_end.log()[before].fds.size() == 2);
    for (int i = 0; i < 6; ++i) REQUIRE(opened.device->allocate(100 << 10));
    CHECK(back_end.log().back().word32(0) == 8);
    CHECK(opened.device->allocate(100 << 10).error() == Errc::no_memory); // a message carries eight descriptors
}

TEST_CASE("memory collected before the first queue goes over in one table, the ninth region on its own",
          "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.slots = 9;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    std::vector<Region> regions;
    for (int i = 0; i < 9; ++i) {
        const auto region = opened.device->allocate(100 << 10);
        REQUIRE(region);
        regions.push_back(*region);
    }
    CHECK(opened.device->allocate(100 << 10).error() == Errc::no_memory); // no slot left
    BringUp steps(opened.device->transport());
    REQUIRE(steps.negotiate(kWanted));
    const std::size_t before = back_end.requests().size();
    REQUIRE(steps.enable_queue(QueueIndex{0}, lay_out(regions[8])) == Errc::ok);
    const auto requests = back_end.requests(before);
    REQUIRE(requests.size() >= 2);
    CHECK(requests[0] == kSetMemTable);
    CHECK(requests[1] == kAddMemReg);
    CHECK(back_end.log()[before].fds.size() == 8);
}

TEST_CASE("released memory is reused and reads as zero again", "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    const auto a = opened.device->allocate(4096);
    const auto b = opened.device->allocate(4096);
    REQUIRE((a && b));
    a->host()[7] = std::byte{1};
    opened.device->release(*a);
    const auto again = opened.device->allocate(4096);
    REQUIRE(again);
    CHECK(again->host() == a->host());
    CHECK(again->host()[7] == std::byte{0});
    CHECK(opened.device->allocate(0).error() == Errc::bad_argument);
}

TEST_CASE("a stopped queue starts again where the back end left it, after a reset from zero", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.next_avail = 3;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const Region memory = bring_up(*opened.device, steps);
    Transport& transport = opened.device->transport();
    std::size_t before = back_end.requests().size();

    const auto base = opened.device->stop_queue(QueueIndex{1});
    REQUIRE(base);
    CHECK(*base == 3);
    CHECK(opened.device->stop_queue(QueueIndex{1}).error() == Errc::wrong_state);
    CHECK(opened.device->stop_queue(QueueIndex{2}).error() == Errc::queue_absent);
    const QueueAddresses ring = lay_out(memory.part(4096, 4096));
    REQUIRE(transport.enable_queue(QueueIndex{1}, ring) == Errc::ok);
    back_end.await(before + 8);
    CHECK(back_end.requests(before) == joined({{kGetVringBase}, kStartRing, {kSetVringEnable}}));
    const std::size_t ring_at = before + 1; // behind GET_VRING_BASE
    CHECK(back_end.log()[ring_at + kBaseAt].payload == vring_state(kRequestRing, back_end.next_avail));
    CHECK(back_end.log()[ring_at + kKickAt].fds.size() == 1);

    before += 8;
    REQUIRE(transport.reset() == Errc::ok);
    CHECK(back_end.requests(before) == Requests{kGetVringBase, kGetVringBase});
    CHECK(*transport.status() == 0);
    REQUIRE(transport.enable_queue(QueueIndex{1}, ring) == Errc::ok);
    back_end.await(before + 8);
    // The queue is not live yet, so it is not enabled; and its base is zero again.
    CHECK(back_end.requests(before + 2) == kStartRing);
    CHECK(back_end.log()[before + 2 + kBaseAt].payload == vring_state(kRequestRing, kFirstEntry));
}

TEST_CASE("a packed ring starts with both wrap counters at 1, and again where it was stopped", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.features |= FeatureSet::of(Feature::ring_packed).bits();
    back_end.next_avail = 0x80030001;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const Region memory = bring_up(*opened.device, steps);
    CHECK(steps.features().has(Feature::ring_packed));
    back_end.await(kMessages);
    CHECK(back_end.log()[kRequestRingAt + kBaseAt].payload == vring_state(kRequestRing, 0x80008000));
    const std::size_t before = back_end.requests().size();
    const auto base = opened.device->stop_queue(QueueIndex{1});
    REQUIRE(base);
    CHECK(*base == 0x80030001);
    REQUIRE(opened.device->transport().enable_queue(QueueIndex{1}, lay_out(memory.part(4096, 4096))) == Errc::ok);
    back_end.await(before + 8);
    CHECK(back_end.log()[before + 1 + kBaseAt].payload == vring_state(kRequestRing, back_end.next_avail));
}

TEST_CASE("a queue outside the memory given, or of no legal size, is refused before the back end hears of it",
          "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    Transport& transport = opened.device->transport();
    const auto memory = opened.device->allocate(4096);
    REQUIRE(memory);
    const std::size_t before = back_end.requests().size();
    QueueAddresses ring = lay_out(*memory);
    ring.device.addr = DeviceAddr{0x1000};
    CHECK(transport.enable_queue(QueueIndex{0}, ring) == Errc::bad_argument);
    CHECK(transport.enable_queue(QueueIndex{0}, lay_out(*memory, 0)) == Errc::bad_argument);
    CHECK(transport.enable_queue(QueueIndex{2}, lay_out(*memory)) == Errc::queue_absent);
    CHECK(back_end.requests().size() == before);
}

TEST_CASE("the number of queues is bounded by what is known of the back end", "[vhost_user]") {
    ScriptedBackEnd back_end;
    std::uint16_t expected = 2;
    SECTION("a known daemon dies of a third ring, whatever it says") { back_end.queues = 64; }
    SECTION("an unknown one is believed, up to what a message can name") {
        back_end.features = 0x160000000;
        back_end.queues = ~std::uint64_t{0};
        expected = 256;
    }
    SECTION("without MQ the options say it") {
        back_end.protocol &= ~std::uint64_t{1};
        back_end.queues = 77;
    }
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    CHECK(*opened.device->transport().queue_count() == expected);
    CHECK(*opened.device->transport().max_queue_size(QueueIndex{1}) == 256);
    CHECK(opened.device->transport().max_queue_size(QueueIndex{expected}).error() == Errc::queue_absent);
}

TEST_CASE("a configuration of ours names as many request queues as the back end counts", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.features = 0x160000000; // no daemon that is known
    back_end.queues = 5;
    VhostUserOptions options = options_for(back_end);
    options.request_queues_at = backends::kFsRequestQueuesAt;
    std::uint32_t expected = 4; // without hiprio
    SECTION("which it counts") {}
    SECTION("which it says are too many") {
        back_end.queues = ~std::uint64_t{0};
        expected = 255;
    }
    SECTION("unless it counts hiprio alone") {
        back_end.queues = 1;
        expected = 1;
    }
    SECTION("unless it does not count") {
        back_end.protocol &= ~std::uint64_t{1}; // MQ
        expected = 1;
    }
    SECTION("unless that is not wanted") {
        options.request_queues_at.reset();
        expected = 1;
    }
    SECTION("unless there is no room for the number") {
        options.request_queues_at = options.config.size() - 3;
        expected = 1;
    }
    SECTION("unless it has a configuration of its own") {
        back_end.protocol |= kConfig;
        for (const std::byte byte : backends::fs_config_space("theirs", 2)) {
            back_end.config.push_back(static_cast<unsigned char>(byte));
        }
        expected = 2;
    }
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE(opened);
    const auto config = read_fs_config(opened.device->transport(), FeatureSet::of(Feature::version_1));
    REQUIRE(config);
    CHECK(config->num_request_queues == expected);
}

TEST_CASE("the daemons are recognised by what they offer", "[vhost_user]") {
    ScriptedBackEnd back_end;
    std::string name = "unknown server";
    auto destroy = client::DestroyReply::may_be_missing;
    SECTION("C") {
        back_end.features = 0x175000000;
        back_end.protocol = 0x8c2b;
        name = "C virtiofsd (QEMU)";
        destroy = client::DestroyReply::always;
    }
    SECTION("Rust") { name = "virtiofsd (Rust)"; }
    SECTION("Rust with a tag") {
        back_end.protocol = 0x8a62b;
        name = "virtiofsd (Rust)";
    }
    SECTION("another") { back_end.protocol = 0x9; }
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    CHECK(std::string(opened.device->quirks().peer) == name);
    CHECK(opened.device->quirks().destroy_reply == destroy);
    CHECK(opened.device->quirks().interrupts == client::InterruptUse::never);
    CHECK(opened.device->quirks().lock_waits == client::LockWaits::by_client);
    CHECK(opened.device->describe().at(2).second == name);
}
