// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_client.hpp"
#include "support/window_bytes.hpp"
#include "unit/loopback/parking_file_system.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <atomic>
#include <future>
#include <thread>

using namespace vfsproto;
using backends::Loopback;
using backends::LoopbackOptions;
using backends::LoopbackService;
using backends::make_loopback;
using test::Bytes;
using test::init_request;
using test::Message;
using test::ParkingFileSystem;
using test::RingClient;
using wire::Opcode;

namespace {

const FeatureSet kAll = FeatureSet::of(Feature::event_idx, Feature::indirect_desc);
constexpr std::uint16_t kHiprio = 0;
constexpr std::uint16_t kRequests = 1;

Bytes getattr(std::uint64_t nodeid) { return Message(Opcode::getattr, nodeid).fixed(wire::GetattrIn{}).bytes(); }
Bytes lock(Opcode op) { return Message(op, 1).fixed(wire::LkIn{}).bytes(); }
Bytes interrupt() { return Message(Opcode::interrupt, 0).fixed(wire::InterruptIn{}).bytes(); }
std::uint64_t inode_of(const RingClient::Reply& reply) {
    wire::AttrOut out{};
    REQUIRE(reply.bytes.size() == sizeof(wire::OutHeader) + sizeof out);
    std::memcpy(&out, reply.bytes.data() + sizeof(wire::OutHeader), sizeof out);
    return out.attr.ino;
}

// Keeps the sink that it is to tell.
class AnsweringFileSystem : public ParkingFileSystem {
public:
    void tell_answers_to(server::AnswerSink* to) noexcept { sink = to; }
    std::atomic<server::AnswerSink*> sink{nullptr};
};
static_assert(server::AnswersUnasked<AnsweringFileSystem>);

} // namespace

TEST_CASE("the doorbell serves inline, on the caller's thread, and rings back only if asked", "[loopback]") {
    const FeatureSet wanted =
        GENERATE(FeatureSet{}, FeatureSet::of(Feature::event_idx), kAll, FeatureSet::of(Feature::ring_packed),
                 kAll | FeatureSet::of(Feature::in_order), kAll | FeatureSet::of(Feature::ring_packed),
                 kAll | FeatureSet::of(Feature::ring_packed, Feature::in_order));
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.offered = options.offered | FeatureSet::of(Feature::ring_packed, Feature::in_order);
    const auto device = make_loopback(fs, options);
    REQUIRE(device);
    RingClient client(*device, wanted);
    CHECK(client.features() == (wanted | FeatureSet::of(Feature::version_1)));
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    CHECK(fs.begun == 1);

    client.driver(kRequests).disarm();
    client.interrupts(kRequests);
    const auto before = device->counters(QueueIndex{kRequests});
    for (std::uint64_t i = 1; i <= 100; ++i) {
        const std::uint16_t slot = client.submit(kRequests, getattr(i));
        client.kick(kRequests);
        REQUIRE(client.poll(kRequests)); // already there when kick() returned
        CHECK(inode_of(client.wait(kRequests, slot)) == i);
        client.driver(kRequests).disarm();
    }
    CHECK(fs.last_server == std::this_thread::get_id());
    const auto after = device->counters(QueueIndex{kRequests});
    CHECK(after.doorbells - before.doorbells == 100);
    CHECK(after.interrupts == before.interrupts);
    CHECK(client.interrupts(kRequests) == 0);
}

TEST_CASE("one doorbell serves a whole burst, and one interrupt tells of it", "[loopback]") {
    const auto kind = GENERATE(FeatureSet{}, FeatureSet::of(Feature::ring_packed));
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.offered = options.offered | kind;
    const auto device = make_loopback(fs, options);
    RingClient client(*device, FeatureSet::of(Feature::event_idx) | kind, 2, 64);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    client.interrupts(kRequests);
    for (std::uint64_t i = 1; i <= 20; ++i) client.submit(kRequests, getattr(i));
    REQUIRE_FALSE(client.driver(kRequests).arm(1));
    const auto before = device->counters(QueueIndex{kRequests});
    client.kick(kRequests);
    const auto after = device->counters(QueueIndex{kRequests});
    CHECK(after.doorbells - before.doorbells == 1);
    CHECK(after.interrupts - before.interrupts == 1);
    CHECK(client.interrupts(kRequests) == 1);
    for (std::uint16_t slot = 0; slot < 20; ++slot) CHECK(inode_of(client.wait(kRequests, slot)) == slot + 1u);
}

TEST_CASE("threads serve where they are asked for", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.service = LoopbackService::threads;
    const auto device = make_loopback(fs, options);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    for (std::uint64_t i = 1; i <= 200; ++i) CHECK(inode_of(client.exchange(kRequests, getattr(i))) == i);
    CHECK(fs.last_server != std::this_thread::get_id());
    client.exchange(kHiprio, Message(Opcode::forget, 5).fixed(wire::ForgetIn{3}).bytes(), 0);
    CHECK(fs.forgotten == 3);
}

TEST_CASE("a serving thread leaves signals to the program's own threads, but for its own faults", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.service = LoopbackService::threads;
    const auto device = make_loopback(fs, options);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    client.exchange(kRequests, getattr(1));
    for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1}) {
        INFO(signal);
        CHECK(sigismember(&fs.blocked_signals, signal) == 1);
    }
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF}) {
        INFO(signal);
        CHECK(sigismember(&fs.blocked_signals, signal) == 0);
    }
}

TEST_CASE("a parked request blocks nobody and is answered by what releases it", "[loopback]") {
    const LoopbackService service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.service = service;
    const auto device = make_loopback(fs, options);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    const std::uint16_t waiting = client.submit(kRequests, lock(Opcode::setlkw));
    client.kick(kRequests);
    for (std::uint64_t i = 1; i <= 40; ++i) CHECK(inode_of(client.exchange(kRequests, getattr(i))) == i);
    CHECK_FALSE(client.has(kRequests, waiting));
    SECTION("a request on the same queue") {
        CHECK(client.exchange(kRequests, lock(Opcode::setlk)).header().error == 0);
    }
    SECTION("a request on another queue") { client.exchange(kHiprio, interrupt()); }
    SECTION("the file system itself") {
        while (fs.waiting() == 0) std::this_thread::yield();
        std::thread([&] {
            fs.release();
            device->complete();
        }).join();
    }
    CHECK(client.wait(kRequests, waiting).header().error == 0);
}

TEST_CASE("a file system that can answer what it parked tells the device so, unless the queue is in order",
          "[loopback]") {
    AnsweringFileSystem fs;
    LoopbackOptions options;
    options.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.offered = options.offered | FeatureSet::of(Feature::in_order);
    const auto device = make_loopback(fs, options);
    CHECK(fs.sink == nullptr);
    {
        RingClient client(*device, kAll);
        REQUIRE(fs.sink != nullptr);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
        const std::uint16_t waiting = client.submit(kRequests, lock(Opcode::setlkw));
        client.kick(kRequests);
        while (fs.waiting() == 0) std::this_thread::yield();
        fs.release();
        std::thread([&] { fs.sink.load()->can_answer(kRequests); }).join();
        CHECK(client.wait(kRequests, waiting).header().error == 0);
        REQUIRE(client.steps().tear_down() == Errc::ok);
        CHECK(fs.sink == nullptr);
    }
    RingClient in_order(*device, kAll | FeatureSet::of(Feature::in_order));
    CHECK(fs.sink == nullptr);
}

TEST_CASE("two threads on two queues do not wait for each other's answers", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.num_request_queues = 2;
    const auto device = make_loopback(fs, options);
    RingClient client(*device, kAll, 3);
    REQUIRE(client.exchange(1, init_request()).header().error == 0);
    // One side takes locks that only the other side's requests release.
    std::atomic<bool> done{false};
    std::thread other([&] {
        while (!done) client.exchange(2, lock(Opcode::setlk));
    });
    for (int i = 0; i < 2000; ++i) CHECK(client.exchange(1, lock(Opcode::setlkw)).header().error == 0);
    done = true;
    other.join();
    CHECK(fs.waiting() == 0);
}

TEST_CASE("a device serves each of as many request queues as it offers", "[loopback]") {
    const auto queues = GENERATE(as<std::uint16_t>{}, 1, 2, 63);
    const auto service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.num_request_queues = queues;
    options.queue_size = 8;
    options.service = service;
    const auto device = make_loopback(fs, options);
    REQUIRE(device);
    RingClient client(*device, kAll, static_cast<std::uint16_t>(queues + 1), options.queue_size);
    REQUIRE(client.exchange(1, init_request()).header().error == 0);
    for (std::uint16_t queue = 1; queue <= queues; ++queue) {
        CHECK(inode_of(client.exchange(queue, getattr(queue))) == queue);
    }
}

TEST_CASE("reset ends the session and the parked requests, and the device comes up again", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    {
        RingClient client(*device, kAll);
        REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
        client.submit(kRequests, lock(Opcode::setlkw));
        client.kick(kRequests);
        CHECK(fs.waiting() == 1);
        REQUIRE(client.steps().tear_down() == Errc::ok);
        CHECK(fs.ended == 1);
        CHECK(fs.waiting() == 0);
        client.submit(kRequests, getattr(1)); // a doorbell after reset is nobody's
        client.kick(kRequests);
        CHECK_FALSE(client.poll(kRequests));
    }
    RingClient again(*device, kAll);
    REQUIRE(again.exchange(kRequests, init_request()).header().error == 0);
    CHECK(fs.begun == 2);
    CHECK(inode_of(again.exchange(kRequests, getattr(9))) == 9);
}

TEST_CASE("nothing is taken from a ring before DRIVER_OK", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    Transport& transport = device->transport();
    BringUp steps(transport);
    REQUIRE(steps.negotiate(FeatureSet{}));
    const auto memory = device->allocate(8192);
    REQUIRE(memory);
    const auto ring = SplitRing::in(*memory, 4);
    REQUIRE(ring);
    SplitDriver driver;
    std::vector<SplitDriverState> shadow(4);
    REQUIRE(driver.init(*ring, shadow, {}) == Errc::ok);
    const QueueAddresses addresses{4, ring->descriptor_area(), ring->driver_area(), ring->device_area()};
    REQUIRE(steps.enable_queue(QueueIndex{0}, addresses) == Errc::ok);
    driver.set_doorbell(transport.doorbell(QueueIndex{0}));
    const Segment readable = memory->segment(memory->host() + 4096, 40);
    REQUIRE(driver.submit({&readable, 1}, {}, Token{0}) == Errc::ok);
    driver.kick();
    Completion done[1];
    CHECK(driver.poll(done) == 0);
    REQUIRE(steps.go_live() == Errc::ok);
    const Doorbell bell = transport.doorbell(QueueIndex{0});
    bell.ring(bell.context, 0);
    CHECK(driver.poll(done) == 1);
}

TEST_CASE("features, sizes and tag are what the options say", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.tag = std::string(36, 't');
    options.num_request_queues = 3;
    options.queue_size = 100;
    options.offered = FeatureSet::of(Feature::version_1);
    const auto device = make_loopback(std::make_unique<ParkingFileSystem>(), options);
    REQUIRE(device);
    Transport& transport = device->transport();
    BringUp steps(transport);
    const auto features = steps.negotiate(kAll);
    REQUIRE(features);
    CHECK(*features == FeatureSet::of(Feature::version_1));
    const auto config = read_fs_config(transport, *features);
    REQUIRE(config);
    CHECK(std::string(config->tag) == options.tag);
    CHECK(config->num_request_queues == 3);
    CHECK(*transport.queue_count() == 4);
    CHECK(*transport.max_queue_size(QueueIndex{3}) == 100);
    CHECK(transport.max_queue_size(QueueIndex{4}).error() == Errc::queue_absent);
    CHECK(transport.accept_features(FeatureSet::of(Feature::event_idx)) == Errc::bad_argument);
    std::byte beyond[4];
    CHECK(transport.read_config(40, beyond) == Errc::config_invalid);

    CHECK_FALSE(make_loopback(fs, LoopbackOptions{.tag = ""}));
    CHECK_FALSE(make_loopback(fs, LoopbackOptions{.num_request_queues = 0}));
    CHECK_FALSE(make_loopback(fs, LoopbackOptions{.queue_size = 0}));
}

TEST_CASE("a driver without VERSION_1 does not get FEATURES_OK", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.offered = FeatureSet::of(Feature::event_idx);
    const auto device = make_loopback(fs, options);
    BringUp steps(device->transport());
    CHECK(steps.negotiate(kAll).error() == Errc::no_version_1);
    Transport& transport = device->transport();
    REQUIRE(transport.accept_features(FeatureSet::of(Feature::event_idx)) == Errc::ok);
    REQUIRE(transport.set_status(status::kAcknowledge | status::kDriver | status::kFeaturesOk) == Errc::ok);
    CHECK((*transport.status() & status::kFeaturesOk) == 0);
}

TEST_CASE("rings outside the memory given are refused", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    Transport& transport = device->transport();
    const auto memory = device->allocate(4096);
    REQUIRE(memory);
    const auto ring = SplitRing::in(*memory, 4);
    QueueAddresses addresses{4, ring->descriptor_area(), ring->driver_area(), ring->device_area()};
    addresses.device.addr = DeviceAddr{0x1000};
    CHECK(transport.enable_queue(QueueIndex{0}, addresses) == Errc::bad_argument);
    addresses = {3, ring->descriptor_area(), ring->driver_area(), ring->device_area()};
    CHECK(transport.enable_queue(QueueIndex{0}, addresses) == Errc::bad_argument);
    CHECK(transport.enable_queue(QueueIndex{2}, addresses) == Errc::queue_absent);
}

TEST_CASE("a driver that breaks a rule of the ring loses the device, and hears of it once", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    RingClient client(*device, kAll);
    std::promise<std::thread::id> told;
    device->on_gone([&] { told.set_value(std::this_thread::get_id()); });
    // A head outside the table.
    const QueueAddresses ring = client.addresses(kRequests);
    const auto far = device->allocate(4096); // only to learn how device and host addresses relate
    REQUIRE(far);
    // The ring and this page lie in one arena, in any order.
    std::byte* const avail =
        far->host() + static_cast<std::ptrdiff_t>(to_number(ring.driver.addr) - to_number(far->device()));
    const std::uint16_t bad[3] = {0, 1, 0xffff};
    std::memcpy(avail, bad, sizeof bad);
    const Doorbell bell = device->transport().doorbell(QueueIndex{kRequests});
    bell.ring(bell.context, 0);
    CHECK(told.get_future().get() != std::this_thread::get_id());
    CHECK(device->gone_reason() == std::string("queue 1: ") + to_string(Errc::avail_head_invalid));
    CHECK(device->transport().status().error() == Errc::device_gone);
    CHECK(device->allocate(4096).error() == Errc::device_gone);
}

TEST_CASE("a device that fails tells the handler, also one that comes late", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    RingClient client(*device, kAll);
    std::promise<void> told;
    SECTION("before") {
        device->on_gone([&] { told.set_value(); });
        device->fail("pulled the plug");
    }
    SECTION("late") {
        device->fail("pulled the plug");
        device->on_gone([&] { told.set_value(); });
    }
    device->fail("again");
    told.get_future().get();
    CHECK(device->gone_reason() == "pulled the plug");
    CHECK(device->server_has_ended());
    client.submit(kRequests, init_request());
    client.kick(kRequests);
    CHECK_FALSE(client.poll(kRequests));
    CHECK(client.steps().tear_down() == Errc::device_gone);
}

TEST_CASE("memory comes and goes while queues run", "[loopback]") {
    ParkingFileSystem fs;
    const auto device = make_loopback(fs);
    RingClient client(*device, kAll);
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    for (int i = 0; i < 3; ++i) {
        std::vector<Region> regions;
        // This is more than fits one arena, and more arenas than a device side can hold.
        for (std::size_t n = 0; n < config::kMaxRegions - 1; ++n) {
            const auto region = device->allocate(std::size_t{65} << 20);
            REQUIRE(region);
            regions.push_back(*region);
        }
        CHECK(device->allocate(std::size_t{65} << 20).error() == Errc::no_memory);
        CHECK(inode_of(client.exchange(kRequests, getattr(7))) == 7);
        for (const Region& region : regions) device->release(region);
    }
    CHECK(device->describe().front().second == "loopback");
    CHECK(device->quirks().interrupts == client::InterruptUse::allowed);
    CHECK(device->quirks().lock_waits == client::LockWaits::by_server);
}

TEST_CASE("a loopback with a window shows it as shared memory region 0, and one without shows none", "[loopback]") {
    ParkingFileSystem fs;
    LoopbackOptions options;
    options.window = backends::SharedWindow::create(std::size_t{4} << 20);
    REQUIRE(options.window != nullptr);
    const auto device = make_loopback(fs, options);
    REQUIRE(device);
    CHECK(device->window(0).host() == options.window->bytes().data());
    CHECK(device->window(0).size() == options.window->bytes().size());
    CHECK(device->window(1).size() == 0);
    CHECK(device->transport().shared_memory(0)->length == options.window->bytes().size());
    CHECK(device->transport().shared_memory(1)->length == 0);
    ParkingFileSystem other;
    const auto without = make_loopback(other);
    REQUIRE(without);
    CHECK(without->window(0).size() == 0);
    CHECK(without->transport().shared_memory(0)->length == 0);
}

TEST_CASE("a loopback over memfs has files of it in its window until the driver resets the device", "[loopback]") {
    constexpr std::size_t kPage = 4096;
    const auto window = backends::SharedWindow::create(4 * kPage, 12);
    REQUIRE(window != nullptr);
    backends::MemfsOptions served;
    served.window = window;
    backends::Memfs fs(served);
    LoopbackOptions options;
    options.window = window;
    const auto device = make_loopback(fs, options);
    REQUIRE(device);
    RingClient client(*device, kAll);
    const auto sent = [&client](const Message& message) {
        const RingClient::Reply reply = client.exchange(kRequests, message.bytes());
        REQUIRE(reply.header().error == 0);
        return reply;
    };
    REQUIRE(client.exchange(kRequests, init_request()).header().error == 0);
    const auto made = sent(Message(Opcode::create, 1).fixed(wire::CreateIn{abi::kORdwr, 0644, 0, 0}).name("file"));
    wire::CreateOut file{};
    REQUIRE(made.bytes.size() == sizeof(wire::OutHeader) + sizeof file);
    std::memcpy(&file, made.bytes.data() + sizeof(wire::OutHeader), sizeof file);
    wire::WriteIn write{};
    write.fh = file.open.fh, write.size = 4;
    sent(Message(Opcode::write, file.entry.nodeid).fixed(write).data("abcd"));
    sent(Message(Opcode::setupmapping, file.entry.nodeid)
             .fixed(wire::SetupmappingIn{~wire::u64{0}, 0, kPage, wire::kSetupmappingRead, 2 * kPage}));
    const Region seen = device->window(0);
    CHECK(seen.host()[2 * kPage + 3] == std::byte{'d'});
    CHECK_FALSE(test::is_there(*window, 0));
    REQUIRE(device->transport().reset() == Errc::ok);
    CHECK_FALSE(test::is_there(*window, 2 * kPage));
    CHECK(fs.memory_files() == 1); // its content stays
}
