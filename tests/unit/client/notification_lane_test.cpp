// SPDX-License-Identifier: BSD-2-Clause
// The notification queue is kept full, and nothing that comes by it is believed before it was copied and checked.
#include "support/catch.hpp"
#include "support/notification.hpp"
#include "support/scripted_queue.hpp"
#include "vfsproto/fuse/client/notification_lane.hpp"

#include <cstdint>
#include <string>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::client;
using test::NotificationBytes;
using wire::NotifyCode;

namespace {

constexpr std::uint32_t kBuffer = 512;
constexpr std::size_t kBuffers = 4;

class Fixture {
public:
    explicit Fixture(QueueLimits limits = {.max_inflight = 64, .max_segments = 4}) : queue(memory, limits) {
        REQUIRE(lane.init(make_queue_ref(queue), {buffers, copy, kBuffer}) == Errc::ok);
        REQUIRE(lane.post() == Errc::ok);
    }
    ~Fixture() { CHECK(queue.blamed().empty()); }

    // Writes the message into the oldest buffer. `written`: what the device says of its length, if not the truth.
    void send(const NotificationBytes& message) { send(message, static_cast<std::uint32_t>(message.size())); }
    void send(const NotificationBytes& message, std::uint32_t written) {
        const std::size_t number = queue.visible().at(0);
        if (!message.empty()) queue.write(number, message.data(), message.size());
        queue.complete(number, written);
    }
    [[nodiscard]] bool next() { return lane.next(told); }

    test::SharedMemory memory;
    Region buffers = memory.add(kBuffers * kBuffer);
    NotificationBytes copy = NotificationBytes(kBuffer);
    test::ScriptedQueue queue;
    NotificationLane lane;
    wire::Notification told;
};

} // namespace

// virtio 1.2 §5.11.6.4
TEST_CASE("every buffer is posted whole and writable before anything came, and published", "[notifications]") {
    Fixture f;
    REQUIRE(f.queue.visible().size() == kBuffers);
    for (std::size_t i = 0; i < kBuffers; ++i) {
        CHECK(f.queue.sent(i).readable.empty());
        CHECK(f.queue.sent(i).capacity == kBuffer);
    }
    CHECK_FALSE(f.next());
    CHECK(f.lane.error() == Errc::ok);
}

// virtio 1.2 §5.11.6.4
TEST_CASE("a buffer is back before its message is looked at", "[notifications]") {
    Fixture f;
    for (std::uint64_t i = 0; i < 10 * kBuffers; ++i) {
        f.send(test::inval_inode(i));
        REQUIRE(f.next());
        CHECK(f.told.is(NotifyCode::inval_inode));
        CHECK(f.told.inval_inode.ino == i);
        CHECK(f.queue.visible().size() == kBuffers);
    }
    CHECK(f.lane.counters().taken == 10 * kBuffers);
}

TEST_CASE("what a device writes after it gave a buffer back changes nothing", "[notifications]") {
    Fixture f;
    f.send(test::inval_entry(7, "name"));
    REQUIRE(f.next());
    std::memset(f.buffers.host(), 0xff, f.buffers.size());
    CHECK(f.told.inval_entry.parent == 7);
    CHECK(f.told.name == "name");
}

TEST_CASE("an unknown code is counted and passed over", "[notifications]") {
    Fixture f;
    f.send(test::framed(99, {}));
    f.send(test::framed(INT32_MAX, NotificationBytes(100)));
    f.send(test::inc_epoch());
    REQUIRE(f.next());
    CHECK(f.told.is(NotifyCode::inc_epoch));
    CHECK_FALSE(f.next());
    CHECK(f.lane.counters().unknown == 2);
    CHECK(f.lane.counters().taken == 1);
    CHECK(f.lane.error() == Errc::ok);
}

TEST_CASE("what cannot be understood is counted, and means that anything may have changed", "[notifications]") {
    const NotificationBytes bad =
        GENERATE(test::framed(static_cast<std::int32_t>(NotifyCode::inval_inode), {}),
                 test::framed(static_cast<std::int32_t>(NotifyCode::inval_inode), NotificationBytes(25)),
                 test::inval_entry_of_any_name(1, "a/b"), test::inval_entry_of_any_name(1, std::string_view("a\0b", 3)),
                 test::inval_entry_of_any_name(1, ""),
                 test::framed(static_cast<std::int32_t>(NotifyCode::prune), NotificationBytes(17)));
    Fixture f;
    f.send(bad);
    REQUIRE(f.next());
    CHECK(f.told.is(NotifyCode::inc_epoch));
    CHECK(f.lane.counters().malformed == 1);
    CHECK(f.lane.counters().taken == 0);
    CHECK(f.lane.error() == Errc::ok);
    f.send(test::inval_inode(2));
    CHECK(f.next());
}

TEST_CASE("a notification that is not framed as one latches the lane, and says why", "[notifications][hostile]") {
    Fixture f;
    const NotificationBytes sound = test::inval_inode(2);
    const auto size = static_cast<std::uint32_t>(sound.size());
    struct Case {
        NotificationBytes message;
        std::uint32_t written;
        Errc why;
    };
    const Case bad = GENERATE_COPY(values<Case>({
        {{}, 0, Errc::message_length},
        {sound, 15, Errc::message_length},                    // shorter than a header
        {sound, size - 1, Errc::message_length},              // than it says
        {sound, size + 1, Errc::message_length},              // longer than it says
        {sound, kBuffer + 1, Errc::message_length},           // than its buffer
        {{}, size, Errc::message_length},                     // the device wrote nothing
        {test::framed(0, {}), 16, Errc::protocol_violation},  // a good reply's code
        {test::framed(-5, {}), 16, Errc::protocol_violation}, // a bad reply's
        {test::framed(8, {}, 2), 16, Errc::unique_mismatch},  // a reply to somebody
        {test::framed(8, {}, UINT64_MAX), 16, Errc::unique_mismatch},
    }));
    f.send(bad.message, bad.written);
    CHECK_FALSE(f.next());
    CHECK(f.lane.error() == bad.why);
    if (!f.queue.visible().empty()) f.send(sound);
    CHECK_FALSE(f.next()); // it stays latched
    CHECK(f.lane.counters().taken == 0);
}

TEST_CASE("a buffer that the device does not have latches the lane", "[notifications][hostile]") {
    const std::uint16_t slot = GENERATE(std::uint16_t{0}, std::uint16_t{kBuffers}, std::uint16_t{0xffff});
    Fixture f;
    f.queue.refuse(1, Errc::queue_full);
    f.queue.complete_token(Token{slot}, 16); // the first one is refused, and so stays out
    f.queue.complete_token(Token{slot}, 16);
    while (f.next()) {}
    CHECK(f.lane.error() != Errc::ok);
    if (slot >= kBuffers) CHECK(f.lane.error() == Errc::ring_id_not_live);
}

TEST_CASE("a queue that latches, latches the lane", "[notifications][hostile]") {
    Fixture f;
    f.queue.latch(Errc::ring_double_completion);
    CHECK_FALSE(f.next());
    CHECK(f.lane.error() == Errc::ring_double_completion);
}

TEST_CASE("where a device's length is no more than a bound, the message's own length counts", "[notifications]") {
    Fixture f({.max_inflight = 64, .max_segments = 4, .written = WrittenLength::upper_bound});
    f.send(test::inval_inode(2), kBuffer);
    REQUIRE(f.next());
    CHECK(f.told.inval_inode.ino == 2);
    f.send(test::inval_inode(2), 20);
    CHECK_FALSE(f.next());
    CHECK(f.lane.error() == Errc::message_length);
}

TEST_CASE("a storm of notifications is taken one by one, with every buffer in use", "[notifications]") {
    Fixture f;
    std::uint64_t taken = 0;
    for (int round = 0; round < 1000; ++round) {
        while (!f.queue.visible().empty()) f.send(test::inval_inode(3));
        while (f.next()) ++taken;
        f.queue.drop_answered();
    }
    CHECK(taken == 1000 * kBuffers);
    CHECK(f.lane.error() == Errc::ok);
}

TEST_CASE("a lane takes no memory that is too small, and no more buffers than the queue holds", "[notifications]") {
    test::SharedMemory memory;
    test::ScriptedQueue queue(memory, {.max_inflight = 2, .max_segments = 4});
    const Region buffers = memory.add(1024);
    NotificationBytes copy(1024);
    NotificationLane lane;
    CHECK(lane.init(make_queue_ref(queue), {buffers, copy, 15}) == Errc::bad_argument);
    CHECK(lane.init(make_queue_ref(queue), {buffers, copy, 1025}) == Errc::bad_argument);
    CHECK(lane.init(make_queue_ref(queue), {buffers, std::span(copy).first(15), 16}) == Errc::bad_argument);
    CHECK(lane.init(make_queue_ref(queue), {buffers, copy, 1024}) == Errc::ok);
    CHECK(lane.buffers() == 1);
    CHECK(lane.init(make_queue_ref(queue), {buffers, copy, 16}) == Errc::ok);
    CHECK(lane.buffers() == 2);
    CHECK(lane.post() == Errc::ok);
    CHECK(queue.blamed().empty());
}
