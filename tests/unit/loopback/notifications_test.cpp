// SPDX-License-Identifier: BSD-2-Clause
// A file system that tells of changes gives its device a notification queue. What the driver does there hurts nobody.
#include "support/catch.hpp"
#include "support/notification.hpp"
#include "support/ring_client.hpp"
#include "support/watchdog.hpp"
#include "unit/loopback/parking_file_system.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/fuse/server/detail/notification_message.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <optional>

using namespace vfsproto;
using backends::Loopback;
using backends::LoopbackOptions;
using backends::LoopbackService;
using server::Change;
using test::Bytes;
using test::init_request;
using test::Message;
using test::RingClient;
using test::Watchdog;
using wire::Opcode;
using What = server::Change::What;

namespace {

const FeatureSet kNotifying = FeatureSet::of(Feature::fs_notification);
const FeatureSet kAll = FeatureSet::of(Feature::event_idx, Feature::indirect_desc, Feature::fs_notification);
const FeatureSet kPacked = kAll | FeatureSet::of(Feature::ring_packed);
constexpr std::uint16_t kNotifications = 1;
constexpr std::uint16_t kRequests = 2; // with notifications
constexpr std::uint16_t kQueues = 3;
constexpr std::uint32_t kRoom = server::NotificationMessage::kLongest;
constexpr std::uint64_t kFile = 5;

class TellingFileSystem : public test::ParkingFileSystem {
public:
    bool can_tell_changes() noexcept { return can_tell; }
    void tell_changes_to(server::ChangeSink* to) noexcept { sink = to; }
    void tell_file(std::uint64_t nodeid = kFile) { sink.load()->tell({What::file, nodeid, {}}); }

    bool can_tell = true;
    std::atomic<server::ChangeSink*> sink{nullptr};
};
static_assert(server::TellsChanges<TellingFileSystem> && server::FileSystem<TellingFileSystem>);

Bytes getattr() { return Message(Opcode::getattr, 1).fixed(wire::GetattrIn{}).bytes(); }

// The driver's end of the notification queue.
class Buffers {
public:
    Buffers(Loopback& device, RingClient& client) : queue_(client.driver(kNotifications)) {
        const auto memory = device.allocate(std::size_t{kSlots} * kRoom);
        if (!memory) throw std::runtime_error("no memory");
        memory_ = *memory;
    }

    [[nodiscard]] Segment place(std::uint16_t slot) const { return memory_.segment(at(slot), kRoom); }
    void post(std::uint16_t slot) { post(slot, place(slot)); }
    void post(std::uint16_t slot, Segment buffer) {
        REQUIRE(queue_.submit({}, {&buffer, 1}, Token{slot}) == Errc::ok);
        queue_.kick();
    }
    // Takes the next buffer that came back, as far as it was written.
    [[nodiscard]] std::optional<Bytes> take() {
        Completion done;
        if (queue_.poll({&done, 1}) == 0) return std::nullopt;
        return Bytes(at(done.token.slot), at(done.token.slot) + done.written);
    }

private:
    static constexpr std::uint16_t kSlots = 16;
    [[nodiscard]] std::byte* at(std::uint16_t slot) const { return memory_.host() + std::size_t{slot} * kRoom; }

    posix::AnyRing& queue_;
    Region memory_;
};

struct Told {
    explicit Told(FeatureSet wanted = kAll, LoopbackService service = LoopbackService::inline_in_doorbell) {
        LoopbackOptions options;
        options.service = service;
        options.offered.add(Feature::ring_packed);
        device = backends::make_loopback(fs, options);
        REQUIRE(device);
        client.emplace(*device, wanted, kQueues);
        buffers.emplace(*device, *client);
    }
    void begin() { REQUIRE(client->exchange(kRequests, init_request()).header().error == 0); }
    [[nodiscard]] bool serves() { return client->exchange(kRequests, getattr()).header().error == 0; }

    TellingFileSystem fs;
    std::unique_ptr<Loopback> device;
    std::optional<RingClient> client;
    std::optional<Buffers> buffers;
};

} // namespace

// virtio 1.2 §5.11.2
TEST_CASE("a device whose file system tells of changes has a notification queue before its request queues",
          "[loopback][notifications]") {
    TellingFileSystem fs;
    LoopbackOptions options;
    options.num_request_queues = 2;
    const auto device = backends::make_loopback(fs, options);
    REQUIRE(device);
    Transport& transport = device->transport();
    BringUp steps(transport);
    SECTION("if the driver takes it") {
        REQUIRE(steps.negotiate(kNotifying));
        CHECK(steps.features().has(Feature::fs_notification));
        CHECK(*transport.queue_count() == 4);
        CHECK(read_fs_config(transport, steps.features())->notify_buf_size == kRoom);
        CHECK(transport.max_queue_size(QueueIndex{3}));
        CHECK(transport.max_queue_size(QueueIndex{4}).error() == Errc::queue_absent);
    }
    SECTION("and none if it does not") {
        REQUIRE(steps.negotiate(FeatureSet{}));
        CHECK(steps.offered().has(Feature::fs_notification));
        CHECK(*transport.queue_count() == 3);
        CHECK(read_fs_config(transport, steps.features())->notify_buf_size == 0);
        CHECK(transport.max_queue_size(QueueIndex{3}).error() == Errc::queue_absent);
        RingClient client(*device, FeatureSet{}, 3);
        CHECK(client.exchange(1, init_request()).header().error == 0);
        CHECK(fs.sink == nullptr); // nobody would hear
    }
}

TEST_CASE("a device whose file system tells of nothing has no notification queue, whatever is offered",
          "[loopback][notifications]") {
    TellingFileSystem silent;
    silent.can_tell = false;
    test::ParkingFileSystem other;
    LoopbackOptions options;
    options.offered.add(Feature::fs_notification);
    const bool never_can = GENERATE(false, true);
    const auto device = never_can ? backends::make_loopback(other, options) : backends::make_loopback(silent, options);
    REQUIRE(device);
    BringUp steps(device->transport());
    REQUIRE(steps.negotiate(kNotifying));
    CHECK_FALSE(steps.features().has(Feature::fs_notification));
    std::array<std::byte, sizeof(FsConfigLayout)> config{};
    CHECK(device->transport().read_config(0, config) == Errc::config_invalid);
}

TEST_CASE("a change comes in the oldest buffer, with an interrupt if one was asked for", "[loopback][notifications]") {
    const Watchdog watchdog("a change that is told");
    Told f(GENERATE(as<FeatureSet>{}, kAll, kNotifying, kPacked),
           GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads));
    f.buffers->post(0);
    f.buffers->post(1);
    f.fs.tell_file(); // before INIT there is nobody to tell
    CHECK_FALSE(f.buffers->take());
    f.begin();
    f.client->interrupts(kNotifications);
    REQUIRE_FALSE(f.client->driver(kNotifications).arm(1));
    f.fs.tell_file();
    CHECK(f.client->interrupts(kNotifications) == 1);
    CHECK(f.buffers->take() == test::inval_inode(kFile));
    f.fs.sink.load()->tell({What::name, 1, std::string("name")});
    CHECK(f.buffers->take() == test::inval_entry(1, "name"));
    CHECK(f.serves());
}

TEST_CASE("changes that find no buffer are one INC_EPOCH when the driver posts one", "[loopback][notifications]") {
    const Watchdog watchdog("an INC_EPOCH that is owed");
    Told f(GENERATE(as<FeatureSet>{}, kAll, kNotifying, kPacked),
           GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads));
    f.begin();
    for (int i = 0; i < 100; ++i) f.fs.tell_file();
    CHECK(f.serves()); // nobody waits
    f.buffers->post(0);
    std::optional<Bytes> told;
    test::until([&] { return (told = f.buffers->take()).has_value(); });
    CHECK(told == test::inc_epoch());
    f.buffers->post(1);
    f.fs.tell_file();
    CHECK(f.buffers->take() == test::inval_inode(kFile));
}

TEST_CASE("buffers that are too short, posted twice, or not writable hurt nobody",
          "[loopback][notifications][hostile]") {
    Told f;
    f.begin();
    SECTION("too short for a message") {
        Segment few = f.buffers->place(0);
        few.len = sizeof(wire::OutHeader);
        f.buffers->post(0, few);
        f.fs.tell_file();
        CHECK(f.buffers->take() == test::inc_epoch());
    }
    SECTION("too short for any message") {
        Segment few = f.buffers->place(0);
        few.len = 1;
        for (std::uint16_t i = 0; i < 12; ++i) f.buffers->post(i, few);
        f.fs.tell_file();
        CHECK(f.buffers->take() == Bytes());
        while (f.buffers->take()) {}
        f.buffers->post(0);
        f.buffers->post(1);
        f.fs.tell_file();
        CHECK(f.buffers->take() == test::inc_epoch());
        CHECK(f.buffers->take() == test::inval_inode(kFile));
    }
    SECTION("posted twice") {
        f.buffers->post(0);
        f.buffers->post(1, f.buffers->place(0));
        f.fs.tell_file(1);
        f.fs.tell_file(2);
        CHECK(f.buffers->take() == test::inval_inode(2)); // both were written to the one place
    }
    CHECK(f.serves());
    CHECK(f.device->gone_reason().empty());
}

TEST_CASE("a notification queue that breaks a rule ends the device, and names the queue",
          "[loopback][notifications][hostile]") {
    Told f;
    f.begin();
    f.buffers->post(0, {DeviceAddr{0xdead'0000'0000}, kRoom}); // memory that the device was not given
    f.fs.tell_file();
    CHECK(f.device->gone_reason().starts_with("queue 1: "));
    f.fs.tell_file(); // to a device that has gone
}

TEST_CASE("a reset ends the telling, and a driver that comes next is told again", "[loopback][notifications]") {
    Told f;
    f.begin();
    f.fs.tell_file(); // is owed
    CHECK(f.fs.sink != nullptr);
    REQUIRE(f.device->transport().reset() == Errc::ok);
    CHECK(f.fs.sink == nullptr);
    RingClient next(*f.device, kAll, kQueues);
    Buffers buffers(*f.device, next);
    buffers.post(0);
    REQUIRE(next.exchange(kRequests, init_request()).header().error == 0);
    CHECK_FALSE(buffers.take()); // what was owed to another
    f.fs.tell_file();
    CHECK(buffers.take() == test::inval_inode(kFile));
}

TEST_CASE("a driver that enables no notification queue is not told", "[loopback][notifications]") {
    TellingFileSystem fs;
    const auto device = backends::make_loopback(fs);
    BringUp steps(device->transport());
    REQUIRE(steps.negotiate(kNotifying));
    REQUIRE(steps.go_live() == Errc::ok);
    CHECK(fs.sink == nullptr);
}
