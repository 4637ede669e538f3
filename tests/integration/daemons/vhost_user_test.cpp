// SPDX-License-Identifier: BSD-2-Clause
// The front end and the rings against the real daemon, without the FUSE client: what lies below it holds by itself.
#include "support/catch.hpp"
#include "support/ring_client.hpp"
#include "support/virtiofsd.hpp"

#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <future>

using namespace vfsproto;
using backends::Opened;
using backends::VhostUser;
using backends::VhostUserOptions;
using test::Bytes;
using test::Daemon;
using test::init_request;
using test::Message;
using test::RingClient;
using test::Virtiofsd;
using wire::Opcode;

namespace {

constexpr std::uint16_t kRequests = 1;
constexpr std::uint64_t kReplyAck = 1u << 3;
constexpr std::uint64_t kConfigureMemSlots = 1u << 15;
const FeatureSet kAll = FeatureSet::of(Feature::event_idx, Feature::indirect_desc);

std::unique_ptr<VhostUser> open(const Virtiofsd& daemon, std::uint64_t withheld = 0, std::uint16_t queue_size = 256) {
    VhostUserOptions options;
    options.socket_path = daemon.socket();
    options.withheld_protocol_features = withheld;
    options.queue_size = queue_size;
    options.arena_size = std::size_t{1} << 20;
    Opened<VhostUser> opened = VhostUser::open(options);
    INFO(opened.message);
    REQUIRE(opened);
    return std::move(opened.device);
}

Bytes getattr() { return Message(Opcode::getattr, 1).fixed(wire::GetattrIn{}).bytes(); }

void expect_alive(RingClient& client) {
    const RingClient::Reply reply = client.exchange(kRequests, getattr());
    CHECK(reply.header().error == 0);
    CHECK(reply.written == sizeof(wire::OutHeader) + sizeof(wire::AttrOut));
}

} // namespace

TEST_CASE("INIT goes through the real virtiofsd, with each form of ring and of protocol", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const FeatureSet wanted = GENERATE(FeatureSet{}, FeatureSet::of(Feature::event_idx), kAll);
    const std::uint64_t withheld = GENERATE(std::uint64_t{0}, kReplyAck, kReplyAck | kConfigureMemSlots);
    CAPTURE(wanted.bits(), withheld);
    Virtiofsd daemon(kind);
    const auto device = open(daemon, withheld);
    CHECK(std::string(device->quirks().peer) == (kind == Daemon::c ? "C virtiofsd (QEMU)" : "virtiofsd (Rust)"));
    RingClient client(*device, wanted);
    CHECK((client.features() & kAll) == wanted);
    CHECK(read_fs_config(device->transport(), client.features())->num_request_queues == 1);
    const RingClient::Reply reply = client.exchange(kRequests, init_request());
    CHECK(reply.header().error == 0);
    CHECK(reply.written == sizeof(wire::OutHeader) + sizeof(wire::InitOut));
    expect_alive(client);
    // One daemon may still be looking at the ring when the second request comes: then it says so, and is not rung up.
    CHECK(device->doorbells(QueueIndex{kRequests}) >= 1);
}

TEST_CASE("the real virtiofsd takes every queue size", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const std::uint16_t size = GENERATE(std::uint16_t{2}, std::uint16_t{64}, std::uint16_t{1024});
    Virtiofsd daemon(kind);
    const auto device = open(daemon, 0, size);
    RingClient client(*device, FeatureSet::of(Feature::event_idx), 2, size);
    CHECK(client.driver(kRequests).size() == size);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    for (int i = 0; i < 50; ++i) expect_alive(client);
}

TEST_CASE("memory given to the running virtiofsd can be used at once, and taken back", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const std::uint64_t withheld = GENERATE(std::uint64_t{0}, kReplyAck, kReplyAck | kConfigureMemSlots);
    Virtiofsd daemon(kind);
    const auto device = open(daemon, withheld);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    for (int i = 0; i < 5; ++i) {
        const auto region = device->allocate(std::size_t{2} << 20); // larger than an arena: a region of its own
        REQUIRE(region);
        const Bytes request = getattr();
        std::memcpy(region->host(), request.data(), request.size());
        std::byte* const answer = region->host() + region->size() - 4096;
        const Segment readable = region->segment(region->host(), static_cast<std::uint32_t>(request.size()));
        const Segment writable = region->segment(answer, 4096);
        REQUIRE(client.driver(kRequests).submit({&readable, 1}, {&writable, 1}, Token{0}) == Errc::ok);
        client.kick(kRequests);
        Completion done[1];
        while (client.driver(kRequests).poll(done) == 0 && client.driver(kRequests).error() == Errc::ok) {}
        REQUIRE(client.driver(kRequests).error() == Errc::ok);
        wire::OutHeader header{};
        std::memcpy(&header, answer, sizeof header);
        CHECK(header.error == 0);
        CHECK(header.len == done[0].written);
        device->release(*region);
        expect_alive(client);
    }
}

TEST_CASE("a queue of the real virtiofsd stops, and goes on where it was", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    const auto device = open(daemon);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    for (std::uint16_t i = 1; i <= 5; ++i) {
        const auto base = device->stop_queue(QueueIndex{kRequests});
        REQUIRE(base);
        CHECK(*base == i);
        REQUIRE(device->transport().enable_queue(QueueIndex{kRequests}, client.addresses(kRequests)) == Errc::ok);
        expect_alive(client);
    }
}

TEST_CASE("after a reset the real virtiofsd is brought up again over the same socket", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    const auto device = open(daemon);
    for (int i = 0; i < 3; ++i) {
        RingClient client(*device, kAll);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
        expect_alive(client);
        REQUIRE(client.steps().tear_down() == Errc::ok);
    }
}

TEST_CASE("the real virtiofsd ends cleanly when the front end leaves", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    {
        const auto device = open(daemon);
        RingClient client(*device, kAll);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
        REQUIRE(client.steps().tear_down() == Errc::ok);
    }
    CHECK(daemon.wait() == 0);
}

TEST_CASE("a killed virtiofsd is noticed at once, by whoever sleeps", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    Virtiofsd daemon(kind);
    const auto device = open(daemon);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    std::promise<void> told;
    device->on_gone([&] { told.set_value(); });
    daemon.kill();
    REQUIRE(told.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    CHECK(device->gone_reason() == "the back end closed the connection");
    CHECK(device->server_has_ended());
    CHECK(client.steps().tear_down() == Errc::device_gone);
    Completion back[4];
    client.submit(kRequests, getattr());
    CHECK(client.driver(kRequests).evacuate(back) == 1);
}
