// SPDX-License-Identifier: BSD-2-Clause
// These tests show when a packed ring's driver hears of completions.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

// The place the driver wants to hear of.
std::uint16_t event_of(const PackedPair& pair) {
    CHECK(pair.ring.driver_event()->value() >> 16 == packed::kDescriptor);
    return static_cast<std::uint16_t>(pair.ring.driver_event()->value());
}

} // namespace

TEST_CASE("arm names the last descriptor of the n shortest chains in flight", "[virtqueue]") {
    PackedPair pair({.size = 64, .event_index = EventIndex::on, .max_segments = 4});
    const std::vector<Segment> segments(4, pair.segment(0, 8));
    for (const int length : {4, 2, 3, 1, 2}) {
        const auto count = static_cast<std::uint16_t>(length);
        REQUIRE(pair.driver.submit({segments.data(), count}, {}, Token{count}) == Errc::ok);
    }
    pair.driver.kick();
    CHECK_FALSE(pair.driver.arm(1));
    CHECK(event_of(pair) == 0x8000); // any
    CHECK_FALSE(pair.driver.arm(2));
    CHECK(event_of(pair) == 0x8000 + 1 + 2 - 1);
    CHECK_FALSE(pair.driver.arm(3));
    CHECK(event_of(pair) == 0x8000 + 1 + 2 + 2 - 1);
    CHECK_FALSE(pair.driver.arm(100)); // 5 in flight
    CHECK(event_of(pair) == 0x8000 + 12 - 1);
    CHECK_FALSE(pair.driver.arm(0)); // taken as 1
    CHECK(event_of(pair) == 0x8000);
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1); // the one of 4
    CHECK_FALSE(pair.driver.arm(4));
    CHECK(event_of(pair) == 0x8000 + 12 - 1);
}

TEST_CASE("arm counts the chains of a deep ring, or fewer descriptors than they have", "[virtqueue]") {
    PackedPair pair({.size = 2000, .event_index = EventIndex::on, .max_segments = 2});
    for (std::uint16_t i = 0; i < 600; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    for (const int wanted : {2, 100, 600}) {
        CHECK_FALSE(pair.driver.arm(static_cast<std::uint16_t>(wanted)));
        const int asked = event_of(pair) - 0x8000 + 1;
        CHECK(asked >= wanted);
        CHECK(asked <= 2 * wanted);
    }
}

TEST_CASE("chains of any lengths are heard of by the nth completion at the latest", "[virtqueue]") {
    Random random(9);
    for (int round = 0; round < 300; ++round) {
        PackedPair pair({.size = static_cast<std::uint16_t>(random.between(20, 40)),
                         .event_index = EventIndex::on,
                         .max_segments = 4});
        const std::vector<Segment> segments(4, pair.segment(0, 8));
        const std::size_t chains_out = pair.driver.limits().max_inflight;
        std::vector<std::vector<HostSegment>> storage(chains_out, std::vector<HostSegment>(4));
        std::vector<Chain> chains(chains_out);
        for (std::size_t i = 0; i < chains_out; ++i) {
            REQUIRE(pair.driver.submit({segments.data(), random.between(1, 4)}, {}, Token{}) == Errc::ok);
        }
        pair.driver.kick();
        for (std::size_t i = 0; i < chains_out; ++i) {
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        const auto wanted = static_cast<std::uint16_t>(random.between(1, static_cast<std::uint32_t>(chains_out)));
        REQUIRE_FALSE(pair.driver.arm(wanted));
        bool is_notified = false;
        for (std::uint16_t i = 0; i < wanted; ++i) {
            const std::size_t pick = random.below(chains.size());
            REQUIRE(pair.device.push(chains[pick], 0) == Errc::ok);
            chains.erase(chains.begin() + static_cast<std::ptrdiff_t>(pick));
            is_notified |= pair.device.wants_notification();
        }
        CHECK(is_notified);
    }
}

// virtio 1.2 §2.8.22
TEST_CASE("arm on a packed ring says true when something completed already", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 64, .event_index = mode});
    CHECK_FALSE(pair.driver.arm(5)); // nothing in flight: the next completion
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    CHECK_FALSE(pair.driver.arm(3));
    REQUIRE(pair.serve());
    CHECK(pair.driver.arm(1));
    CHECK(pair.driver.arm(3));
    REQUIRE(pair.poll() == 1);
    CHECK_FALSE(pair.driver.arm(3));
}

// virtio 1.2 §2.8.10
TEST_CASE("without event index a packed ring interrupts once for each arm", "[virtqueue]") {
    PackedPair pair({.size = 64});
    const auto event = [&] { return pair.ring.driver_event()->value(); };
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    REQUIRE_FALSE(pair.driver.arm(1));
    CHECK(event() == packed_event(0, packed::kEnable));
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
    CHECK(pair.poll() == 1);
    CHECK(event() == packed_event(0, packed::kDisable)); // the owner is awake
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.driver.arm(1)); // the second one is there
    CHECK(event() == packed_event(0, packed::kEnable));
    CHECK(pair.poll() == 1);
    CHECK(event() == packed_event(0, packed::kDisable));
    CHECK(pair.poll() == 0);
    CHECK_FALSE(pair.driver.arm(1));
    CHECK(pair.poll() == 0); // a spurious wake-up: what arm() asked for still stands
    CHECK(event() == packed_event(0, packed::kEnable));
}

TEST_CASE("a device that published more than a ring without asking still notifies", "[virtqueue]") {
    PackedPair pair({.size = 4, .event_index = EventIndex::on, .max_segments = 1});
    const Segment one[] = {pair.segment(0, 8)};
    REQUIRE_FALSE(pair.driver.arm(1));
    for (int i = 0; i < 9; ++i) {
        REQUIRE(pair.driver.submit(one, {}, Token{}) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve()); // publishes, does not ask
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.device.wants_notification());
}
