// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "unit/virtqueue/ring_checks.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint16_t avail_index(const RingPair& pair) { return pair.ring.avail()[SplitRing::kIndex].value(); }
std::uint16_t avail_flags(const RingPair& pair) { return pair.ring.avail()[SplitRing::kFlags].value(); }

} // namespace

// virtio 1.2 §2.7.4.2, §2.7.5.3.1
TEST_CASE("submit writes descriptors and the available entry, kick the index", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 4});
    const Segment readable[] = {{DeviceAddr{0x1000}, 0x28}, {DeviceAddr{0x2000}, 0x18}};
    const Segment writable[] = {{DeviceAddr{0x123456789a}, 0x10}, {DeviceAddr{0x5000}, 0x20000}};
    REQUIRE(pair.driver.submit({}, {writable, 1}, Token{7}) == Errc::ok);
    REQUIRE(pair.driver.submit(readable, writable, Token{9}) == Errc::ok);

    // the first chain owns descriptors 0 to 3, the second 4 to 7
    const Bytes table = bytes_at(pair.ring.descriptors(), 128);
    const Bytes alone(table.begin(), table.begin() + 14); // what follows is `next`, without meaning here
    CHECK(alone == Bytes{0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x10, 0, 0, 0, 2, 0});
    const Bytes chain(table.begin() + 64, table.begin() + 126);
    CHECK(chain == Bytes{0x00, 0x10, 0,    0,    0,    0, 0, 0, 0x28, 0, 0, 0, 1, 0, 5, 0, // readable, next 5
                         0x00, 0x20, 0,    0,    0,    0, 0, 0, 0x18, 0, 0, 0, 1, 0, 6, 0, // readable, next 6
                         0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x10, 0, 0, 0, 3, 0, 7, 0, // writable, next 7
                         0x00, 0x50, 0,    0,    0,    0, 0, 0, 0,    0, 2, 0, 2, 0});     // writable, the last

    CHECK(bytes_at(pair.ring.avail(), 8) == Bytes{0, 0, 0, 0, 0, 0, 4, 0}); // entries are there, the index is not
    CHECK(pair.doorbells == 0);
    pair.driver.kick();
    CHECK(bytes_at(pair.ring.avail(), 8) == Bytes{0, 0, 2, 0, 0, 0, 4, 0});
    CHECK(pair.doorbells == 1);
    CHECK(pair.driver.counters().chains == 2);
    CHECK(pair.driver.counters().descriptors == 5);
    CHECK(bytes_at(pair.ring.used(), 6 + 8 * 8) == Bytes(6 + 8 * 8, 0)); // never written by a driver
}

TEST_CASE("a chain of readable segments only has no WRITE flag", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 2});
    const Segment readable[] = {{DeviceAddr{0x1000}, 8}, {DeviceAddr{0x2000}, 8}};
    REQUIRE(pair.driver.submit(readable, {}, Token{0}) == Errc::ok);
    const SplitDesc first = load_descriptor(pair.ring.descriptors()[0]);
    const SplitDesc second = load_descriptor(pair.ring.descriptors()[1]);
    CHECK(first.has(split::kNext));
    CHECK(first.next() == 1);
    CHECK_FALSE(first.has(split::kWrite));
    CHECK_FALSE(second.has(split::kNext | split::kWrite | split::kIndirect));
}

// virtio 1.2 §2.7.5.3.1
TEST_CASE("an indirect chain takes one descriptor and a table of its own", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 4, .indirect = IndirectTables::accepted});
    const Segment readable[] = {{DeviceAddr{0x1000}, 0x28}};
    const Segment writable[] = {{DeviceAddr{0x2000}, 0x10}, {DeviceAddr{0x3000}, 0x1000}};
    REQUIRE(pair.driver.submit({}, {writable, 1}, Token{0}) ==
            Errc::ok); // one segment: direct, there is nothing to win
    REQUIRE(pair.driver.submit(readable, writable, Token{1}) == Errc::ok);

    CHECK_FALSE(load_descriptor(pair.ring.descriptors()[0]).has(split::kIndirect));
    const SplitDesc head = load_descriptor(pair.ring.descriptors()[1]);
    CHECK(head.addr.value() == to_number(pair.tables().device()) + 4 * 16);
    CHECK(head.len.value() == 48);
    CHECK(head.link.value() == split::kIndirect); // no NEXT, no WRITE
    const Bytes table = bytes_at(pair.tables().host() + 4 * 16, 46);
    CHECK(table == Bytes{0, 0x10, 0, 0, 0, 0, 0, 0, 0x28, 0,    0, 0, 1, 0, 1, 0, //
                         0, 0x20, 0, 0, 0, 0, 0, 0, 0x10, 0,    0, 0, 3, 0, 2, 0, //
                         0, 0x30, 0, 0, 0, 0, 0, 0, 0,    0x10, 0, 0, 2, 0});
    CHECK(pair.driver.counters().descriptors == 2);
}

TEST_CASE("chains of up to direct_segments stay direct beside indirect ones", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .direct_segments = 2});
    CHECK(pair.driver.limits().max_inflight == 4);
    const Segment three[] = {pair.segment(0, 8), pair.segment(8, 8), pair.segment(16, 8)};
    for (std::uint16_t i = 0; i < 4; ++i) {
        REQUIRE(pair.driver.submit({three, 1}, {three + 1, i % 2u + 1u}, Token{i}) == Errc::ok);
    }
    CHECK(pair.driver.submit({three, 1}, {}, Token{4}) == Errc::queue_full);
    for (std::uint16_t head = 0; head < 8; head = static_cast<std::uint16_t>(head + 2)) {
        CHECK(load_descriptor(pair.ring.descriptors()[head]).has(split::kIndirect) == (head % 4 != 0));
    }
}

// virtio 1.2 §2.7.4.2, §2.7.5.3.1
TEST_CASE("limits say what a ring of each size can take, and it does", "[virtqueue]") {
    struct Row {
        std::uint16_t size, asked;
        IndirectTables indirect;
        std::uint16_t direct, inflight, segments;
    };
    const Row row = GENERATE(values<Row>({
        {1, 4, IndirectTables::refused, 1, 1, 1},
        {2, 4, IndirectTables::refused, 1, 1, 2},
        {2, 4, IndirectTables::accepted, 1, 2, 2}, // a chain may not be longer than the ring, not even indirect
        {64, 3, IndirectTables::refused, 1, 21, 3},
        {128, 4, IndirectTables::refused, 1, 32, 4},
        {128, 20, IndirectTables::accepted, 1, 128, 20},
        {128, 20, IndirectTables::accepted, 3, 42, 20},
        {1024, 1000, IndirectTables::refused, 1, 1, 1000},
    }));
    RingPair pair(
        {.size = row.size, .max_segments = row.asked, .indirect = row.indirect, .direct_segments = row.direct});
    const QueueLimits limits = pair.driver.limits();
    CHECK(limits.max_inflight == row.inflight);
    CHECK(limits.max_segments == row.segments);
    CHECK(limits.written == WrittenLength::exact);
    const std::vector<Segment> segments(row.segments, pair.segment(0, 1));
    for (std::uint16_t i = 0; i < limits.max_inflight; ++i) {
        REQUIRE(pair.driver.submit(segments, {}, Token{i}) == Errc::ok);
    }
    CHECK(pair.driver.submit(segments, {}, Token{0}) == Errc::queue_full);
    CHECK(pair.driver.in_flight() == limits.max_inflight);
}

TEST_CASE("init refuses what cannot work", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 2, .indirect = IndirectTables::accepted});
    SplitDriver driver;
    SplitDriverOptions options = pair.driver_options();
    CHECK(driver.submit({}, {}, Token{}) == Errc::wrong_state); // before init
    CHECK(driver.restart() == Errc::wrong_state);
    CHECK(driver.evacuate(pair.done) == 0);
    CHECK(driver.init(SplitRing(), pair.shadow, options) == Errc::bad_argument);
    CHECK(driver.init(pair.ring, std::span(pair.shadow).first(7), options) == Errc::no_memory);
    options.max_segments = 0;
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::bad_argument);
    options = pair.driver_options();
    options.direct_segments = 0;
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::bad_argument);
    options = pair.driver_options();
    options.indirect = pair.tables().part(0, pair.tables().size() - 1);
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::no_memory);
    options.indirect = Region(pair.data.host() + 8, pair.data.device(), 4096);
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::bad_argument);
}

// virtio 1.2 §2.7.5.2
TEST_CASE("submit refuses empty, oversized and over-long chains and takes nothing", "[virtqueue]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    RingPair pair({.size = 8, .max_segments = 4, .indirect = indirect});
    check_refused_submits(pair);
    CHECK(pair.driver.in_flight() == 0);
    CHECK(pair.driver.error() == Errc::ok);
    pair.driver.kick();
    CHECK(avail_index(pair) == 0);
    const QueueLimits limits = pair.driver.limits();
    for (std::uint16_t i = 0; i < limits.max_inflight; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    CHECK(pair.submit(0) == Errc::queue_full);
}

TEST_CASE("a full ring says queue_full until a completion is polled", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 2});
    pair.submit_and_kick(0);
    pair.submit_and_kick(1);
    CHECK(pair.submit(2) == Errc::queue_full);
    REQUIRE(pair.serve(5));
    CHECK(pair.submit(2) == Errc::queue_full);
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].token == Token{0});
    CHECK(pair.done[0].written == 5);
    CHECK(pair.submit(2) == Errc::ok);
    CHECK(pair.submit(3) == Errc::queue_full);
}

TEST_CASE("a kick publishes a burst at once and rings at most one doorbell", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 64, .event_index = mode});
    for (std::uint16_t i = 0; i < 32; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    CHECK(avail_index(pair) == 0);
    pair.driver.kick();
    CHECK(avail_index(pair) == 32);
    CHECK(pair.doorbells == 1);
    pair.driver.kick(); // nothing new
    CHECK(pair.doorbells == 1);
    CHECK(pair.driver.counters().publications == 1);
}

// virtio 1.2 §2.7.10.1, §2.7.10.2
TEST_CASE("without event index the doorbell is silent while the device says so", "[virtqueue]") {
    RingPair pair({.size = 64});
    pair.device.disarm();
    CHECK(pair.ring.used()[SplitRing::kFlags].value() == split::kNoNotify);
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 0);
    CHECK(avail_index(pair) == 1);
    CHECK(pair.device.arm()); // there is one already
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.arm());
    pair.submit_and_kick(1);
    CHECK(pair.doorbells == 1);
    CHECK(pair.driver.counters().doorbells == 1);
}

TEST_CASE("without event index only the lowest flag bits count", "[virtqueue]") {
    RingPair pair({.size = 64});
    pair.ring.used()[SplitRing::kFlags] = 0xfffe;
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 1);
    pair.ring.avail()[SplitRing::kFlags] = 0xfffe;
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
}

// virtio 1.2 §2.7.10.1
TEST_CASE("with event index the doorbell rings when the index passes the event, across the wrap", "[virtqueue]") {
    RingPair pair({.size = 4, .event_index = EventIndex::on});
    std::uint16_t expected = 0;
    for (std::uint32_t i = 0; i < 0x10000 + 200; ++i) {
        // the device asks for a kick at every 100th chain only
        if (i % 100 == 0) {
            *pair.ring.avail_event() = static_cast<std::uint16_t>(i + 99);
        }
        const int before = pair.doorbells;
        pair.submit_and_kick(0);
        if ((pair.doorbells - before == 1) != (i % 100 == 99)) FAIL("chain " << i);
        REQUIRE(pair.serve(1));
        REQUIRE(pair.poll() == 1);
        ++expected;
    }
    CHECK(avail_index(pair) == expected);
    CHECK(pair.ring.used()[SplitRing::kFlags].value() == 0);
}

// virtio 1.2 §2.9
TEST_CASE("a split ring's doorbell is told the available index", "[virtqueue]") {
    RingPair pair({.size = 4});
    for (std::uint32_t i = 1; i <= 0x10002; ++i) {
        pair.submit_and_kick(0);
        if (pair.rung_with != static_cast<std::uint16_t>(i)) FAIL("chain " << i << ": " << pair.rung_with);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(notification_data(3, pair.rung_with) == 0x00020003);
}

// virtio 1.2 §2.7.7.1, §2.7.7.2, §2.7.10.1, §2.7.10.2
TEST_CASE("the flags are ignored with event index, and stay zero", "[virtqueue]") {
    RingPair pair({.size = 8, .event_index = EventIndex::on});
    pair.ring.used()[SplitRing::kFlags] = split::kNoNotify; // "the low bit is ignored"
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 1);
    pair.driver.disarm();
    static_cast<void>(pair.driver.arm(1));
    CHECK(avail_flags(pair) == 0);
    pair.ring.used()[SplitRing::kFlags] = 0;
    pair.device.disarm();
    static_cast<void>(pair.device.arm());
    CHECK(pair.ring.used()[SplitRing::kFlags].value() == 0);
    pair.ring.avail()[SplitRing::kFlags] = split::kNoInterrupt;
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
}

// virtio 1.2 §2.7.10.1
TEST_CASE("the kick decision counts from the last decision, not from the last chain", "[virtqueue]") {
    RingPair pair({.size = 64, .event_index = EventIndex::on});
    pair.submit_and_kick(0); // decision at 1
    REQUIRE(pair.doorbells == 1);
    *pair.ring.avail_event() = 1;
    for (std::uint16_t i = 1; i < 6; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick(); // 1 … 5 were written: 1 is among them, though the last chain was 5
    CHECK(pair.doorbells == 2);
    pair.submit_and_kick(6); // from 6 to 7: not passed again
    CHECK(pair.doorbells == 2);
}

TEST_CASE("arm asks for the nth further completion, at most for what is in flight", "[virtqueue]") {
    RingPair pair({.size = 64, .event_index = EventIndex::on});
    const auto used_event = [&] { return pair.ring.used_event()->value(); };
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    CHECK_FALSE(pair.driver.arm(1));
    CHECK(used_event() == 0);
    CHECK_FALSE(pair.driver.arm(5));
    CHECK(used_event() == 4);
    CHECK_FALSE(pair.driver.arm(100)); // 8 in flight
    CHECK(used_event() == 7);
    CHECK_FALSE(pair.driver.arm(0)); // taken as 1
    CHECK(used_event() == 0);
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1);
    CHECK_FALSE(pair.driver.arm(3));
    CHECK(used_event() == 3);
    REQUIRE(pair.submit(9) == Errc::ok); // staged only: cannot complete
    CHECK_FALSE(pair.driver.arm(100));
    CHECK(used_event() == 7);
}

TEST_CASE("arm with nothing in flight waits for the next completion", "[virtqueue]") {
    RingPair pair({.size = 64, .event_index = EventIndex::on});
    CHECK_FALSE(pair.driver.arm(5));
    CHECK(pair.ring.used_event()->value() == 0);
}

// virtio 1.2 §2.7.14
TEST_CASE("arm says true when that many completed already", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 64, .event_index = mode});
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    REQUIRE(pair.serve());
    CHECK(pair.driver.arm(1));
    // Two more would come with an interrupt; a queue without event index takes every n as 1.
    CHECK(pair.driver.arm(3) == (mode == EventIndex::off));
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    CHECK(pair.driver.arm(3));
    REQUIRE(pair.poll() == 3);
    CHECK_FALSE(pair.driver.arm(3));
}

// virtio 1.2 §2.7.7.2
TEST_CASE("the device interrupts when the completion asked for is there", "[virtqueue]") {
    RingPair pair({.size = 64, .event_index = EventIndex::on});
    for (std::uint16_t i = 0; i < 10; ++i) pair.submit_and_kick(i);
    REQUIRE_FALSE(pair.driver.arm(4));
    for (int i = 1; i <= 10; ++i) {
        REQUIRE(pair.serve());
        CHECK(pair.device.wants_notification() == (i == 4));
    }
    CHECK_FALSE(pair.device.wants_notification()); // nothing new
    CHECK(pair.device.counters().notifications == 1);
}

// virtio 1.2 §2.7.7.1, §2.7.7.2
TEST_CASE("without event index an interrupt comes once for each arm", "[virtqueue]") {
    RingPair pair({.size = 64});
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    REQUIRE_FALSE(pair.driver.arm(1));
    CHECK(avail_flags(pair) == 0);
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
    CHECK(pair.poll() == 1);
    CHECK(avail_flags(pair) == split::kNoInterrupt); // the owner is awake
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.driver.arm(1)); // the second one is there
    CHECK(avail_flags(pair) == 0);
    CHECK(pair.poll() == 1);
    CHECK(avail_flags(pair) == split::kNoInterrupt);
    CHECK(pair.poll() == 0);
    CHECK_FALSE(pair.driver.arm(1));
    CHECK(pair.poll() == 0); // a spurious wake-up: what arm() asked for still stands
    CHECK(avail_flags(pair) == 0);
}
