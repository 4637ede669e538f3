// SPDX-License-Identifier: BSD-2-Clause
// Cases one step beside the usual ones, each of which a broken line of the rings was seen to hide behind.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

PackedPair& submit_alone(PackedPair& pair, int chains) {
    const Segment one[] = {pair.segment(0, 8)};
    for (int i = 0; i < chains; ++i) {
        REQUIRE(pair.driver.submit({}, one, Token{static_cast<std::uint16_t>(i)}) == Errc::ok);
    }
    return pair;
}
void set_driver_event(PackedPair& pair, std::uint16_t place, std::uint16_t flags) {
    *pair.ring.driver_event() = packed_event(place, flags);
}

} // namespace

TEST_CASE("packed event areas hold no bits that mean nothing", "[virtqueue]") {
    PackedPair plain({.size = 8});
    CHECK(plain.ring.driver_event()->value() == 0);
    CHECK(plain.ring.device_event()->value() == 0);
    PackedPair indexed({.size = 8, .event_index = EventIndex::on});
    CHECK(indexed.ring.driver_event()->value() == packed_event(packed::kStart, packed::kDescriptor));
    CHECK(indexed.ring.device_event()->value() == packed_event(packed::kStart, packed::kDescriptor));
}

TEST_CASE("reserved flags in a packed event area are taken as enabled", "[virtqueue]") {
    PackedPair pair({.size = 8, .event_index = EventIndex::on, .max_segments = 1});
    const std::uint16_t far_away = 0x8007;
    set_driver_event(pair, far_away, 3);
    *pair.ring.device_event() = packed_event(far_away, 3);
    submit_alone(pair, 1).driver.kick();
    CHECK(pair.doorbells == 1);
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
}

TEST_CASE("a step round a whole packed ring passes every place but the one it ends at", "[virtqueue]") {
    for (std::uint16_t offset = 0; offset < 4; ++offset) {
        PackedPair pair({.size = 4, .event_index = EventIndex::on, .max_segments = 1});
        *pair.ring.device_event() = packed_event(static_cast<std::uint16_t>(0x8000 | offset), packed::kDescriptor);
        submit_alone(pair, 4).driver.kick();
        CHECK(pair.doorbells == 1);
        set_driver_event(pair, static_cast<std::uint16_t>(0x8000 | offset), packed::kDescriptor);
        for (int i = 0; i < 4; ++i) REQUIRE(pair.serve());
        CHECK(pair.device.wants_notification());
    }
    PackedPair pair({.size = 4, .event_index = EventIndex::on, .max_segments = 1});
    *pair.ring.device_event() = packed_event(0, packed::kDescriptor); // of the next lap
    submit_alone(pair, 4).driver.kick();
    CHECK(pair.doorbells == 0);
    set_driver_event(pair, 0, packed::kDescriptor);
    for (int i = 0; i < 4; ++i) REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.wants_notification());
}

TEST_CASE("a step of a split ring over all but one index passes every one but the last", "[virtqueue]") {
    RingPair pair({.size = 4, .event_index = EventIndex::on, .max_segments = 1});
    const Segment one[] = {pair.segment(0, 8)};
    for (std::uint32_t i = 0; i < 0xffff; ++i) {
        if (pair.driver.submit(one, {}, Token{}) != Errc::ok) FAIL("chain " << i);
        pair.driver.kick();
        if (!pair.serve() || pair.poll() != 1) FAIL("chain " << i);
    }
    *pair.ring.used_event() = 0xffff;
    CHECK_FALSE(pair.device.wants_notification());
}

TEST_CASE("a packed device that takes over in a lap of wrap 0 tells lengths as they are", "[virtqueue]") {
    PackedPair pair({.size = 4, .max_segments = 1});
    for (int i = 0; i < 5; ++i) {
        submit_alone(pair, 1).driver.kick();
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    PackedDeviceOptions options = pair.device_options();
    options.start_avail = options.start_used = 1; // wrap 0
    REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, options) == Errc::ok);
    submit_alone(pair, 1).driver.kick();
    REQUIRE(pair.serve(2));
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 2);
}

TEST_CASE("a packed device set up again does not notify for a place of its earlier life", "[virtqueue]") {
    PackedPair pair({.size = 16, .event_index = EventIndex::on, .max_segments = 1});
    for (int i = 0; i < 3; ++i) {
        submit_alone(pair, 1).driver.kick();
        REQUIRE(pair.serve());
        static_cast<void>(pair.device.wants_notification());
        REQUIRE(pair.poll() == 1);
    }
    REQUIRE(pair.driver.init(pair.ring, pair.shadow, pair.driver_options()) == Errc::ok);
    pair.start_device();
    submit_alone(pair, 5).driver.kick();
    CHECK_FALSE(pair.driver.arm(4)); // where the earlier life ended
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.wants_notification());
}

TEST_CASE("with IN_ORDER a device set up again forgets a batch that was not published", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 1, .order = UseOrder::in_order});
    submit_alone(pair, 2).driver.kick();
    REQUIRE(pair.pop() >= 0);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    REQUIRE(pair.driver.init(pair.ring, pair.shadow, pair.driver_options()) == Errc::ok);
    pair.start_device();
    pair.device.publish();
    CHECK(pair.ring.descriptors()[0].word.value() == 0);
    CHECK(pair.device.counters().completions == 0);
    submit_alone(pair, 2).driver.kick();
    REQUIRE(pair.serve());
    CHECK(pair.device.counters().completions == 1);
    CHECK(pair.poll() == 1);
}

TEST_CASE("with IN_ORDER a device notifies lap after lap for the nth completion and not before", "[virtqueue]") {
    PackedPair pair({.size = 5, .event_index = EventIndex::on, .max_segments = 1, .order = UseOrder::in_order});
    for (int round = 0; round < 20; ++round) {
        submit_alone(pair, 2).driver.kick();
        CHECK_FALSE(pair.driver.arm(2));
        REQUIRE(pair.serve());
        CHECK_FALSE(pair.device.wants_notification());
        REQUIRE(pair.serve());
        CHECK(pair.device.wants_notification());
        REQUIRE(pair.poll() == 2);
    }
}

TEST_CASE("with IN_ORDER what is left of a batch is forgotten at restart", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 1, .order = UseOrder::in_order});
    submit_alone(pair, 3).driver.kick();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(pair.pop() >= 0);
        REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    }
    pair.device.publish();
    REQUIRE(pair.driver.poll(std::span(pair.done).first(1)) == 1);
    CHECK(pair.driver.arm(1)); // two are left
    CHECK(pair.driver.evacuate(pair.done) == 2);
    REQUIRE(pair.driver.restart() == Errc::ok);
    pair.start_device();
    CHECK_FALSE(pair.driver.arm(1));
    submit_alone(pair, 1).driver.kick();
    CHECK(pair.poll() == 0);
}

TEST_CASE("with IN_ORDER a batch that takes in what is not published latches, also after completions", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 1, .order = UseOrder::in_order});
    for (int i = 0; i < 2; ++i) {
        submit_alone(pair, 1).driver.kick();
        pair.forge_used(static_cast<std::uint32_t>(i), 0, 1);
        REQUIRE(pair.poll() == 1);
    }
    submit_alone(pair, 1).driver.kick();
    submit_alone(pair, 1); // not published
    pair.forge_used(3, 0, 1);
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ring_id_not_live);
}

TEST_CASE("a linked packed chain whose id is the ring size latches the device side", "[virtqueue]") {
    PackedPair pair({.size = 4});
    std::vector<PackedDeviceState> heads(5); // as if there were one more
    REQUIRE(pair.device.init(pair.ring, pair.table, heads, pair.device_options()) == Errc::ok);
    static_cast<void>(pair.table.translate(PackedPair::kDataAddr, 1)); // the region hit last
    pair.forge_avail(pair.data_addr(), 8, 0, packed::kNext);
    pair.forge_avail(pair.data_addr(), 8, 4, packed::kWrite);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::avail_head_invalid);
}

TEST_CASE("no chain that was out before a violation can be pushed after it, the one of the last head neither",
          "[virtqueue]") {
    RingPair pair({.size = 8});
    for (const int head : {0, 7}) {
        pair.forge_descriptor(static_cast<std::uint16_t>(head), pair.data_addr(), 8, 0, 0);
        pair.forge_avail(static_cast<std::uint16_t>(head));
        REQUIRE(pair.pop() == head);
    }
    pair.forge_avail(9);
    CHECK(pair.pop() == -1);
    for (const int head : {0, 7}) {
        pair.chain.head = static_cast<std::uint16_t>(head);
        CHECK(pair.device.push(pair.chain, 0) == Errc::avail_head_invalid);
    }
}

TEST_CASE("a used index that jumps latches the queue also after completions", "[virtqueue]") {
    RingPair pair({.size = 8});
    for (std::uint16_t i = 0; i < 3; ++i) {
        pair.submit_and_kick(i);
        pair.forge_used(0, 0);
        REQUIRE(pair.poll() == 1);
    }
    pair.submit_and_kick(3);
    pair.forge_used(0, 0);
    pair.forge_used(2, 0); // of nothing
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ring_index_jump);
}

TEST_CASE("a ring ordered for hardware suppresses as another does", "[virtqueue]") {
    RingPair pair({.size = 16, .event_index = EventIndex::on, .ordering = Ordering::platform});
    CHECK_FALSE(pair.device.arm());
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 1);
    pair.submit_and_kick(1); // passes nothing the device asked for
    CHECK(pair.doorbells == 1);
    CHECK_FALSE(pair.driver.arm(2));
    CHECK(pair.ring.used_event()->value() == 1);
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.wants_notification());
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
    CHECK(pair.driver.arm(2));
}

TEST_CASE("a split driver set up again in the midst of it has room for as many chains as ever, and no more",
          "[virtqueue]") {
    RingPair pair({.size = 8});
    REQUIRE(pair.submit(0) == Errc::ok);
    REQUIRE(pair.driver.init(pair.ring, pair.shadow, pair.driver_options()) == Errc::ok);
    for (std::uint16_t i = 0; i < 4; ++i) CHECK(pair.submit(i) == Errc::ok);
    CHECK(pair.submit(4) == Errc::queue_full);
}

TEST_CASE("an array of segments alone prepares no chain", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 4});
    const PreparedId id = pair.driver.reserve_prepared(1);
    const Segment readable[] = {pair.segment(0, 8)};
    const Segment writable[] = {pair.segment(64, 8), pair.segment(128, 8)};
    const Segment others[] = {pair.segment(256, 9)};
    REQUIRE(pair.driver.submit(others, writable, Token{0}) == Errc::ok);
    pair.driver.kick();
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1);
    REQUIRE(pair.driver.submit_prepared<2>(readable, writable, Token{1}, id) == Errc::ok);
    CHECK(load_descriptor(pair.ring.descriptors()[0]).len.value() == 8);
}

TEST_CASE("the first writable segment may be the one that differs", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 2});
    const PreparedId id = pair.driver.reserve_prepared(1);
    const Segment readable[] = {pair.segment(0, 8)};
    for (const std::uint32_t len : {8u, 16u, 24u}) {
        const Segment writable[] = {pair.segment(64, len)};
        REQUIRE(pair.driver.submit_prepared<1>(readable, writable, Token{0}, id) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve(len));
        REQUIRE(pair.poll() == 1);
        CHECK(pair.done[0].written == len);
    }
}
