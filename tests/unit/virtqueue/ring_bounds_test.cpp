// SPDX-License-Identifier: BSD-2-Clause
// Sizes and counts at the very edge of what is allowed.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("areas of a ring may be exactly as large and as aligned as they must be", "[virtqueue]") {
    Pages pages(8192);
    const Region memory = pages.at(DeviceAddr{0x1000});
    const SplitLayout split = split_layout(16);
    CHECK(SplitRing::in(memory.part(0, split.total_bytes), 16));
    CHECK(SplitRing::of(memory.part(0, split.descriptor_bytes), memory.part(1026, split.driver_bytes),
                        memory.part(2052, split.device_bytes), 16));
    const PackedLayout packed = packed_layout(13);
    CHECK(PackedRing::in(memory.part(0, packed.total_bytes), 13));
    CHECK(PackedRing::of(memory.part(0, packed.descriptor_bytes), memory.part(1028, 4), memory.part(2052, 4), 13));
}

TEST_CASE("a ring in one block of memory wastes less than a line before each area", "[virtqueue]") {
    for (const unsigned size : {1u, 4u, 8u, 29u, 32u, 1024u}) {
        const PackedLayout packed = packed_layout(static_cast<std::uint16_t>(size));
        CHECK(packed.driver_offset - packed.descriptor_bytes < 64);
        CHECK(packed.driver_offset % 64 == 0);
        CHECK(packed.device_offset == packed.driver_offset + 64);
        const SplitLayout split = split_layout(static_cast<std::uint16_t>(size));
        CHECK(split.driver_offset - split.descriptor_bytes < 64);
        CHECK(split.device_offset - (split.driver_offset + split.driver_bytes) < 64);
        CHECK(split.total_bytes - (split.device_offset + split.device_bytes) < 64);
    }
    CHECK(split_layout(29).device_offset == 464 + 48 + 64); // 64 bytes of descriptors' end and entries: none to spare
}

TEST_CASE("tables for indirect chains take 16 bytes a segment", "[virtqueue]") {
    CHECK(split_indirect_bytes(8, 4) == 16u * 8 * 4);
    CHECK(split_indirect_bytes(8, 9) == 16u * 8 * 8);
    CHECK(packed_indirect_bytes(8, 4) == 16u * 8 * 4);
    CHECK(packed_indirect_bytes(8, 9) == 16u * 8 * 8);
}

TEMPLATE_TEST_CASE("a chain may have 4 GiB less two bytes and no more, direct or not", "[virtqueue]", RingPair,
                   PackedPair) {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    TestType pair({.size = 8, .max_segments = 2, .indirect = indirect});
    const DeviceAddr at{0x1000};
    const Segment most[] = {{at, 0xffff'fffe}};
    const Segment above[] = {{at, 0xffff'ffff}};
    const Segment none[] = {{at, 0}};
    const Segment two_most[] = {{at, 1}, {at, 0xffff'fffd}};
    const Segment two_above[] = {{at, 1}, {at, 0xffff'fffe}};
    for (const auto& refused :
         {std::span<const Segment>(above), std::span<const Segment>(none), std::span<const Segment>(two_above)}) {
        CHECK(pair.driver.submit(refused, {}, Token{1}) == Errc::bad_argument);
        CHECK(pair.driver.submit({}, refused, Token{1}) == Errc::bad_argument);
    }
    CHECK(pair.driver.submit({two_above, 1}, {two_above + 1, 1}, Token{1}) == Errc::bad_argument);
    CHECK(pair.driver.submit({}, {}, Token{1}) == Errc::bad_argument);
    CHECK(pair.driver.in_flight() == 0);
    const std::span<const Segment> one(most);
    const std::span<const Segment> two(two_most);
    CHECK(pair.driver.submit(one, {}, Token{1}) == Errc::ok);
    CHECK(pair.driver.submit({}, one, Token{2}) == Errc::ok);
    CHECK(pair.driver.submit({}, two, Token{3}) == Errc::ok);
    CHECK(pair.driver.submit(two.first(1), two.subspan(1), Token{4}) == Errc::ok);
    pair.driver.kick();
    CHECK(pair.driver.in_flight() == 4);
}

TEST_CASE("a chain that goes round the end of a split table in order has the same bounds", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 2, .order = UseOrder::in_order});
    const Segment one[] = {pair.segment(0, 8)};
    for (std::uint16_t i = 0; i < 7; ++i) {
        REQUIRE(pair.driver.submit({}, one, Token{i}) == Errc::ok);
        pair.driver.kick();
        pair.forge_used(i, 8);
        REQUIRE(pair.poll() == 1);
    }
    const DeviceAddr at{0x1000};
    const Segment most[] = {{at, 1}, {at, 0xffff'fffd}};
    const Segment above[] = {{at, 1}, {at, 0xffff'fffe}};
    const Segment with_none[] = {{at, 8}, {at, 0}};
    CHECK(pair.driver.submit({}, above, Token{1}) == Errc::bad_argument);
    CHECK(pair.driver.submit(above, {}, Token{1}) == Errc::bad_argument);
    CHECK(pair.driver.submit({}, with_none, Token{1}) == Errc::bad_argument);
    CHECK(pair.driver.in_flight() == 0);
    CHECK(pair.driver.submit({}, most, Token{1}) == Errc::ok);
}

TEST_CASE("a device may say that it wrote all of the largest chain", "[virtqueue]") {
    RingPair split({.size = 8});
    PackedPair packed({.size = 8});
    const Segment most[] = {{DeviceAddr{0x1000}, 0xffff'fffe}};
    REQUIRE(split.driver.submit({}, std::span(most), Token{1}) == Errc::ok);
    REQUIRE(packed.driver.submit({}, std::span(most), Token{1}) == Errc::ok);
    split.driver.kick();
    packed.driver.kick();
    split.forge_used(0, 0xffff'fffe);
    packed.forge_used(0, 0xffff'fffe, 1);
    REQUIRE(split.poll() == 1);
    CHECK(split.done[0].written == 0xffff'fffe);
    REQUIRE(packed.poll() == 1);
    CHECK(packed.done[0].written == 0xffff'fffe);
}

TEST_CASE("arm on a deep packed ring looks at 256 chains and takes the others for short ones", "[virtqueue]") {
    PackedPair pair({.size = 600, .event_index = EventIndex::on, .max_segments = 2});
    REQUIRE(pair.driver.limits().max_inflight == 300);
    const auto asked = [&](std::uint16_t wanted) {
        CHECK_FALSE(pair.driver.arm(wanted));
        return static_cast<int>(pair.ring.driver_event()->value() & 0x7fff) + 1;
    };
    for (std::uint16_t i = 0; i < 256; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    CHECK(asked(10) == 10); // 44 that may be short were not looked at
    CHECK(asked(44) == 44);
    CHECK(asked(45) == 46); // a chain of two descriptors
    CHECK(asked(100) == 44 + 2 * 56);
    for (std::uint16_t i = 256; i < 300; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    CHECK(asked(300) == 44 + 2 * 256);
}

TEST_CASE("arm on a packed ring counts up to 256 chains one by one", "[virtqueue]") {
    PackedPair pair({.size = 512, .event_index = EventIndex::on, .max_segments = 2});
    REQUIRE(pair.driver.limits().max_inflight == 256);
    for (std::uint16_t i = 0; i < 256; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    for (const int wanted : {2, 100, 256}) {
        CHECK_FALSE(pair.driver.arm(static_cast<std::uint16_t>(wanted)));
        CHECK(static_cast<int>(pair.ring.driver_event()->value() & 0x7fff) == 2 * wanted - 1);
    }
}

TEST_CASE("arm on a packed ring passes over chains that completed, and takes long ones for 15", "[virtqueue]") {
    PackedPair pair({.size = 120, .event_index = EventIndex::on, .max_segments = 24});
    REQUIRE(pair.driver.limits().max_inflight == 5);
    const std::vector<Segment> segments(24, pair.segment(0, 8));
    const auto submit = [&](std::size_t length, std::uint16_t token) {
        REQUIRE(pair.driver.submit({segments.data(), length}, {}, Token{token}) == Errc::ok);
    };
    const auto asked = [&](std::uint16_t wanted) {
        CHECK_FALSE(pair.driver.arm(wanted));
        return static_cast<int>(pair.ring.driver_event()->value() & 0xffff);
    };
    submit(2, 0);
    submit(14, 1);
    submit(15, 2);
    submit(16, 3);
    submit(24, 4);
    pair.driver.kick();
    CHECK(asked(2) == 0x8000 + 2 + 14 - 1);
    CHECK(asked(3) == 0x8000 + 2 + 14 + 15 - 1);
    CHECK(asked(4) == 0x8000 + 2 + 14 + 15 + 15 - 1);
    CHECK(asked(5) == 0x8000 + 2 + 14 + 15 + 15 + 15 - 1);
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1); // the one of two
    CHECK(asked(2) == 0x8000 + 2 + 14 + 15 - 1);
    submit(24, 0); // to 95 of 120
    pair.driver.kick();
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 3); // the next used descriptor is at 47
    CHECK(asked(2) == 0x8000 + 47 + 15 + 15 - 1);
    submit(24, 1); // to 119
    submit(15, 2); // round to 14
    pair.driver.kick();
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 2); // at 95: both of what is out are beyond its end together
    CHECK(asked(2) == 0x0000 + (95 + 30 - 1 - 120));
    CHECK(asked(1) == 0x8000 + 95);
}

TEST_CASE("arm asks for the place behind the wrap when the last of the chains is there", "[virtqueue]") {
    PackedPair pair({.size = 8, .event_index = EventIndex::on, .max_segments = 1});
    const Segment one[] = {pair.segment(0, 8)};
    for (std::uint16_t i = 0; i < 6; ++i) {
        REQUIRE(pair.driver.submit(one, {}, Token{i}) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve());
    }
    REQUIRE(pair.poll() == 6);
    for (std::uint16_t i = 0; i < 4; ++i) REQUIRE(pair.driver.submit(one, {}, Token{i}) == Errc::ok);
    pair.driver.kick();
    CHECK_FALSE(pair.driver.arm(2));
    CHECK((pair.ring.driver_event()->value() & 0xffff) == 0x8007);
    CHECK_FALSE(pair.driver.arm(3));
    CHECK((pair.ring.driver_event()->value() & 0xffff) == 0x0000);
    CHECK_FALSE(pair.driver.arm(4));
    CHECK((pair.ring.driver_event()->value() & 0xffff) == 0x0001);
}

TEST_CASE("with IN_ORDER a chain that waits for those before it cannot be pushed again", "[virtqueue]") {
    PackedPair pair({.size = 8, .order = UseOrder::in_order});
    HostSegment storage[2][4];
    Chain chains[2] = {{.storage = storage[0]}, {.storage = storage[1]}};
    for (std::uint16_t i = 0; i < 2; ++i) pair.submit_and_kick(i);
    for (Chain& chain : chains) REQUIRE(pair.device.pop(chain));
    REQUIRE(pair.device.push(chains[1], 5) == Errc::ok);
    CHECK(pair.device.outstanding() == 1);
    CHECK(pair.device.push(chains[1], 6) == Errc::bad_argument);
    CHECK(pair.device.outstanding() == 1);
    REQUIRE(pair.device.push(chains[0], 7) == Errc::ok);
    pair.device.publish();
    REQUIRE(pair.poll() == 2);
    CHECK(pair.done[1].written == 5);
}

TEST_CASE("after a violation a packed driver goes on, once restarted, where a fresh one starts", "[virtqueue]") {
    PackedPair pair({.size = 5, .event_index = EventIndex::on, .max_segments = 1});
    for (int life = 0; life < 3; ++life) {
        const Segment one[] = {pair.segment(0, 8)};
        for (std::uint16_t i = 0; i < 4; ++i) REQUIRE(pair.driver.submit({}, one, Token{i}) == Errc::ok);
        pair.driver.kick();
        pair.used_place = packed::kStart;
        pair.forge_used(0, 1, 1);
        pair.forge_used(1, 1, 1);
        pair.forge_used(1, 1, 1); // twice
        REQUIRE(pair.poll() == 2);
        CHECK(pair.driver.error() == Errc::ring_double_completion);
        CHECK(pair.driver.counters().completions == static_cast<std::size_t>(2 * life + 2));
        CHECK(pair.driver.evacuate(pair.done) == 2);
        REQUIRE(pair.driver.restart() == Errc::ok);
        pair.start_device();
    }
}
