// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "unit/virtqueue/ring_checks.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint16_t flags_of(const PackedPair& pair, std::size_t at) {
    return static_cast<std::uint16_t>(pair.ring.descriptors()[at].word.value() >> 48);
}

} // namespace

// virtio 1.2 §2.8.1, §2.8.6, §2.8.17, §2.8.19
TEST_CASE("submit writes packed descriptors, kick the first of them", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 4});
    const Segment readable[] = {{DeviceAddr{0x1000}, 0x28}, {DeviceAddr{0x2000}, 0x18}};
    const Segment writable[] = {{DeviceAddr{0x123456789a}, 0x10}, {DeviceAddr{0x5000}, 0x20000}};
    REQUIRE(pair.driver.submit({}, {writable, 1}, Token{7}) == Errc::ok);
    REQUIRE(pair.driver.submit(readable, writable, Token{9}) == Errc::ok);
    const Bytes second = {0x00, 0x10, 0,    0,    0,    0, 0, 0, 0x28, 0, 0, 0, 1, 0, 0x81, 0,  // readable, NEXT
                          0x00, 0x20, 0,    0,    0,    0, 0, 0, 0x18, 0, 0, 0, 1, 0, 0x81, 0,  // readable, NEXT
                          0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0x83, 0,  // writable, NEXT
                          0x00, 0x50, 0,    0,    0,    0, 0, 0, 0,    0, 2, 0, 1, 0, 0x82, 0}; // writable, the last
    CHECK(bytes_at(pair.ring.descriptors(), 16) == Bytes(16, 0)); // what a device looks at is not there
    CHECK(bytes_at(pair.ring.descriptors() + 1, 64) == second);
    CHECK(pair.doorbells == 0);
    pair.driver.kick();
    CHECK(bytes_at(pair.ring.descriptors(), 16) ==
          Bytes{0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x82, 0});
    CHECK(bytes_at(pair.ring.descriptors() + 1, 64) == second);
    CHECK(pair.doorbells == 1);
    CHECK(pair.driver.counters().chains == 2);
    CHECK(pair.driver.counters().descriptors == 5);
    CHECK(pair.driver.next_position() == 0x8005);
}

// virtio 1.2 §2.8.1
TEST_CASE("a chain may wrap, and its flags with it", "[virtqueue]") {
    PackedPair pair({.size = 5, .max_segments = 3});
    const Segment three[] = {pair.segment(0, 8), pair.segment(8, 8), pair.segment(16, 8)};
    REQUIRE(pair.driver.submit({three, 1}, {three + 1, 2}, Token{0}) == Errc::ok);
    pair.driver.kick();
    REQUIRE(pair.serve(5));
    REQUIRE(pair.poll() == 1);
    REQUIRE(pair.driver.submit({three, 1}, {three + 1, 2}, Token{1}) == Errc::ok);
    pair.driver.kick();
    CHECK(flags_of(pair, 3) == (packed::kAvail | packed::kNext));
    CHECK(flags_of(pair, 4) == (packed::kAvail | packed::kNext | packed::kWrite));
    CHECK(flags_of(pair, 0) == (packed::kUsed | packed::kWrite)); // wrap counter 0
    CHECK(pair.driver.next_position() == 0x0001);
    REQUIRE(pair.serve(6));
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].token == Token{1});
    CHECK(pair.done[0].written == 6);
    CHECK(pair.device.next_avail() == 0x0001);
    CHECK(pair.device.next_used() == 0x0001);
}

// virtio 1.2 §2.8.7, §2.8.19
TEST_CASE("a packed indirect chain takes one descriptor and a table of its own", "[virtqueue]") {
    PackedPair pair({.size = 4, .max_segments = 4, .indirect = IndirectTables::accepted});
    const Segment readable[] = {{DeviceAddr{0x1000}, 0x28}};
    const Segment writable[] = {{DeviceAddr{0x2000}, 0x10}, {DeviceAddr{0x3000}, 0x1000}};
    REQUIRE(pair.driver.submit({}, {writable, 1}, Token{0}) == Errc::ok); // one segment: direct
    REQUIRE(pair.driver.submit(readable, writable, Token{1}) == Errc::ok);
    pair.driver.kick();
    CHECK(flags_of(pair, 0) == (packed::kAvail | packed::kWrite));
    CHECK(flags_of(pair, 1) == (packed::kAvail | packed::kIndirect)); // no NEXT, no WRITE
    const PackedDesc head = pair.ring.descriptors()[1];
    CHECK(head.addr.value() == to_number(pair.tables().device()) + 4 * 16);
    CHECK(PackedDesc::len_of(head.word.value()) == 48);
    CHECK(bytes_at(pair.tables().host() + 4 * 16, 48) ==
          Bytes{0, 0x10, 0, 0, 0, 0, 0, 0, 0x28, 0,    0, 0, 0, 0, 0, 0, //
                0, 0x20, 0, 0, 0, 0, 0, 0, 0x10, 0,    0, 0, 0, 0, 2, 0, //
                0, 0x30, 0, 0, 0, 0, 0, 0, 0,    0x10, 0, 0, 0, 0, 2, 0});
    CHECK(pair.driver.counters().descriptors == 2);
}

TEST_CASE("a chain is indirect only when it would take more than its share of the ring", "[virtqueue]") {
    struct Row {
        std::uint16_t size, asked, inflight, direct;
    };
    const Row row = GENERATE(values<Row>({
        {1, 8, 1, 1},
        {31, 8, 31, 1},
        {64, 8, 32, 2},
        {100, 8, 33, 3},
        {256, 8, 32, 8},
        {1000, 8, 125, 8},
    }));
    PackedPair pair({.size = row.size,
                     .max_segments = row.asked,
                     .indirect = IndirectTables::accepted,
                     .direct_segments = 0}); // the default
    CHECK(pair.driver.limits().max_inflight == row.inflight);
    const std::vector<Segment> segments(row.asked, pair.segment(0, 1));
    for (std::uint16_t count = 1; count <= pair.driver.limits().max_segments; ++count) {
        const std::size_t before = pair.driver.counters().descriptors;
        REQUIRE(pair.driver.submit({segments.data(), count}, {}, Token{0}) == Errc::ok);
        pair.driver.kick();
        CHECK(pair.driver.counters().descriptors - before == (count <= row.direct ? count : 1));
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
}

// virtio 1.2 §2.8, §2.8.16, §2.8.17, §2.8.19
TEST_CASE("limits say what a packed ring of each size can take, and it does", "[virtqueue]") {
    struct Row {
        std::uint16_t size, asked;
        IndirectTables indirect;
        std::uint16_t direct, inflight, segments;
    };
    const Row row = GENERATE(values<Row>({
        {1, 4, IndirectTables::refused, 1, 1, 1},
        {3, 4, IndirectTables::refused, 1, 1, 3},
        {3, 4, IndirectTables::accepted, 1, 3, 3}, // a chain may not be longer than the ring, not even indirect
        {7, 3, IndirectTables::refused, 1, 2, 3},
        {1000, 4, IndirectTables::refused, 1, 250, 4},
        {1000, 20, IndirectTables::accepted, 1, 1000, 20},
        {1000, 20, IndirectTables::accepted, 3, 333, 20},
        {1024, 1000, IndirectTables::refused, 1, 1, 1000},
    }));
    PackedPair pair(
        {.size = row.size, .max_segments = row.asked, .indirect = row.indirect, .direct_segments = row.direct});
    const QueueLimits limits = pair.driver.limits();
    CHECK(limits.max_inflight == row.inflight);
    CHECK(limits.max_segments == row.segments);
    CHECK(limits.written == WrittenLength::exact);
    const std::vector<Segment> segments(row.segments, pair.segment(0, 1));
    for (int round = 0; round < 3; ++round) {
        for (std::uint16_t i = 0; i < limits.max_inflight; ++i) {
            REQUIRE(pair.driver.submit(segments, {}, Token{i}) == Errc::ok);
        }
        CHECK(pair.driver.submit(segments, {}, Token{0}) == Errc::queue_full);
        CHECK(pair.driver.in_flight() == limits.max_inflight);
        pair.driver.kick();
        pair.chain.storage = {};
        std::vector<HostSegment> storage(row.segments);
        pair.chain.storage = storage;
        for (std::uint16_t i = 0; i < limits.max_inflight; ++i) REQUIRE(pair.serve());
        for (std::size_t left = limits.max_inflight; left != 0;) {
            const std::size_t n = pair.poll();
            REQUIRE(n != 0);
            left -= n;
        }
    }
}

TEST_CASE("init of a packed driver refuses what cannot work", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 2, .indirect = IndirectTables::accepted});
    PackedDriver driver;
    PackedDriverOptions options = pair.driver_options();
    const Segment one[] = {pair.segment(0, 1)};
    CHECK(driver.submit({}, {}, Token{}) == Errc::wrong_state); // before init
    CHECK(driver.submit(one, {}, Token{}) == Errc::wrong_state);
    CHECK(driver.poll(pair.done) == 0);
    CHECK(driver.arm(1));
    CHECK(driver.restart() == Errc::wrong_state);
    CHECK(driver.evacuate(pair.done) == 0);
    CHECK(driver.init(PackedRing(), pair.shadow, options) == Errc::bad_argument);
    CHECK(driver.init(pair.ring, std::span(pair.shadow).first(7), options) == Errc::no_memory);
    options.max_segments = 0;
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::bad_argument);
    options = pair.driver_options();
    options.indirect = pair.tables().part(0, pair.tables().size() - 1);
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::no_memory);
    options.indirect = Region(pair.data.host() + 8, pair.data.device(), 4096);
    CHECK(driver.init(pair.ring, pair.shadow, options) == Errc::bad_argument);
}

// virtio 1.2 §2.8.17
TEST_CASE("a packed submit refuses empty, oversized and over-long chains and writes nothing", "[virtqueue]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    PackedPair pair({.size = 8, .max_segments = 4, .indirect = indirect});
    REQUIRE(pair.submit(0) == Errc::ok); // what is refused comes behind a chain that is not
    const auto before = bytes_at(pair.ring_memory().host(), pair.ring_memory().size());
    check_refused_submits(pair);
    CHECK(bytes_at(pair.ring_memory().host(), pair.ring_memory().size()) == before);
    CHECK(pair.driver.in_flight() == 1);
    pair.driver.kick();
    REQUIRE(pair.serve());
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::ok);
}

// virtio 1.2 §2.8.4, §2.8.6
TEST_CASE("a used length counts only with its WRITE flag", "[virtqueue]") {
    PackedPair pair({.size = 8});
    pair.submit_and_kick(1);
    pair.forge_used(0, 77, 2, 0); // more than was writable, but it says nothing
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 0);
    pair.submit_and_kick(2);
    pair.forge_used(0, 64, 2, packed::kWrite | packed::kNext | packed::kIndirect); // the others are ignored
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 64);
    CHECK(pair.driver.error() == Errc::ok);
}

// virtio 1.2 §2.8.15
TEST_CASE("a packed kick publishes a burst at once and rings at most one doorbell", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 70, .event_index = mode});
    for (int round = 0; round < 5; ++round) { // across the wrap
        const int before = pair.doorbells;
        for (std::uint16_t i = 0; i < 32; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        CHECK(pair.pop() == -1);
        CHECK_FALSE(pair.device.arm());
        pair.driver.kick();
        CHECK(pair.doorbells == before + 1);
        pair.driver.kick(); // nothing new
        CHECK(pair.doorbells == before + 1);
        for (std::uint16_t i = 0; i < 32; ++i) REQUIRE(pair.serve());
        CHECK(pair.pop() == -1);
        REQUIRE(pair.poll() == 32);
    }
    CHECK(pair.driver.counters().publications == 5);
}

// virtio 1.2 §2.8.10
TEST_CASE("the doorbell of a packed ring is silent while the device says so", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 64, .event_index = mode});
    pair.device.disarm();
    CHECK(pair.ring.device_event()->value() == packed_event(0, packed::kDisable));
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 0);
    CHECK(pair.device.arm()); // there is one already
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.arm());
    pair.submit_and_kick(1);
    CHECK(pair.doorbells == 1);
    CHECK(pair.driver.counters().doorbells == 1);
}

// virtio 1.2 §2.8.10
TEST_CASE("without event index a descriptor event is no more than enabled", "[virtqueue]") {
    PackedPair pair({.size = 64});
    *pair.ring.device_event() = packed_event(0x8030, packed::kDescriptor);
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 1);
    *pair.ring.driver_event() = packed_event(0x8030, packed::kDescriptor);
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
    // A reserved value asks for the doorbell as well.
    *pair.ring.device_event() = packed_event(0, 3);
    pair.submit_and_kick(1);
    CHECK(pair.doorbells == 2);
    *pair.ring.device_event() = packed_event(0, 0xfffd); // its lower two bits say "disabled"
    pair.submit_and_kick(2);
    CHECK(pair.doorbells == 2);
}

// virtio 1.2 §2.8.10
TEST_CASE("the doorbell rings when a burst passes the device's descriptor event, lap after lap", "[virtqueue]") {
    const auto size = GENERATE(std::uint16_t{5}, std::uint16_t{8}, std::uint16_t{1000});
    PackedPair pair({.size = size, .event_index = EventIndex::on, .max_segments = 2});
    const Segment segments[] = {pair.segment(0, 8), pair.segment(8, 8)};
    std::uint16_t next = packed::kStart;
    std::uint16_t event = next;
    Random random(size);
    for (int i = 0; i < 5000; ++i) {
        const auto count = static_cast<std::uint16_t>(random.between(1, 2));
        if (random.one_in(4)) {
            event = pair.after(next, static_cast<std::uint16_t>(random.below(3)));
            *pair.ring.device_event() = packed_event(event, packed::kDescriptor);
        }
        const bool is_due = event == next || (count == 2 && event == pair.after(next, 1));
        const int before = pair.doorbells;
        REQUIRE(pair.driver.submit({segments, count}, {}, Token{}) == Errc::ok);
        pair.driver.kick();
        next = pair.after(next, count);
        if ((pair.doorbells - before == 1) != is_due) FAIL("chain " << i);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.driver.next_position() == next);
}

// virtio 1.2 §2.8.16, §2.9
TEST_CASE("a packed device that takes a burst is told where the driver goes on", "[virtqueue]") {
    PackedPair pair({.size = 5, .max_segments = 2});
    CHECK(notification_data(1, pair.driver.next_position()) == 0x80000001);
    pair.submit_and_kick(0);
    CHECK(notification_data(1, pair.rung_with) == 0x80020001);
    REQUIRE(pair.submit(1) == Errc::ok); // not published
    CHECK(pair.driver.next_position() == 0x8002);
    pair.driver.kick();
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1);
    pair.submit_and_kick(2);
    CHECK(notification_data(1, pair.rung_with) == 0x00010001); // wrapped
}
