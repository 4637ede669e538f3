// SPDX-License-Identifier: BSD-2-Clause
// A ring that is set up again keeps nothing of its earlier life but, after restart(), the driver's counters.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <algorithm>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

// Leaves every kind of trace: completions on both sides of the wrap, one kept back, chains out, staged ones, a violation.
template <class Pair> void use(Pair& pair) {
    for (std::uint16_t round = 0; round < 13; ++round) {
        pair.submit_and_kick(round);
        REQUIRE(pair.serve(1));
        static_cast<void>(pair.device.wants_notification());
        REQUIRE(pair.poll() == 1);
    }
    for (std::uint16_t i = 0; i < 3; ++i) pair.submit_and_kick(i);
    REQUIRE(pair.pop() >= 0);
    HostSegment second[4];
    Chain chain{.storage = second};
    REQUIRE(pair.device.pop(chain));
    REQUIRE(pair.device.push(chain, 0) == Errc::ok); // not published
    pair.device.disarm();
    pair.driver.disarm();
}

template <class Pair> void check_fresh_exchange(Pair& pair) {
    const auto before = pair.device.counters();
    CHECK(before.chains == 0);
    CHECK(before.completions == 0);
    CHECK(before.publications == 0);
    CHECK(before.notifications == 0);
    CHECK(pair.device.outstanding() == 0);
    CHECK_FALSE(pair.device.wants_notification());
    for (std::uint16_t round = 0; round < 20; ++round) {
        const int doorbells = pair.doorbells;
        for (std::uint16_t i = 0; i < 2; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        CHECK(pair.doorbells == doorbells + 1);
        CHECK_FALSE(pair.driver.arm(2));
        REQUIRE(pair.serve(7));
        static_cast<void>(pair.device.wants_notification());
        REQUIRE(pair.serve(9));
        CHECK(pair.device.wants_notification());
        CHECK_FALSE(pair.device.arm());
        REQUIRE(pair.poll() == 2);
        CHECK(pair.done[0].token == Token{0});
        CHECK(pair.done[1].token == Token{1});
        CHECK(pair.done[1].written == 9);
    }
    CHECK(pair.device.counters().chains == 40);
    CHECK(pair.device.counters().completions == 40);
    CHECK(pair.device.counters().publications == 40);
    CHECK(pair.driver.error() == Errc::ok);
    CHECK(pair.device.error() == Errc::ok);
}

} // namespace

TEMPLATE_TEST_CASE("a ring that is set up again with other options knows nothing of its earlier life", "[virtqueue]",
                   RingPair, PackedPair) {
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    TestType pair({.size = 16, .event_index = event_index, .ordering = ordering, .order = order});
    use(pair);
    for (const auto again : {EventIndex::on, EventIndex::off}) {
        auto options = pair.driver_options();
        options.event_index = again;
        options.ordering = Ordering::smp;
        REQUIRE(pair.driver.init(pair.ring, pair.shadow, options) == Errc::ok);
        CHECK(pair.driver.in_flight() == 0);
        const RingDriverCounters counters = pair.driver.counters();
        CHECK(counters.chains + counters.descriptors + counters.completions == 0);
        CHECK(counters.polls + counters.empty_polls + counters.publications + counters.doorbells == 0);
        auto device_options = pair.device_options();
        device_options.event_index = again;
        device_options.ordering = Ordering::smp;
        REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, device_options) == Errc::ok);
        check_fresh_exchange(pair);
    }
}

TEMPLATE_TEST_CASE("restart zeroes the ring, asks for interrupts as a fresh one does, and goes on counting",
                   "[virtqueue]", RingPair, PackedPair) {
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    TestType pair({.size = 8, .event_index = event_index, .order = order});
    std::vector<std::byte> fresh(pair.ring_memory().bytes().begin(), pair.ring_memory().bytes().end());
    {
        TestType other(
            {.size = 8, .event_index = event_index, .order = order}); // whose device wrote nothing but at init
        fresh.assign(other.ring_memory().bytes().begin(), other.ring_memory().bytes().end());
    }
    use(pair);
    REQUIRE(pair.submit(3) == Errc::ok); // staged, never published
    const RingDriverCounters before = pair.driver.counters();
    CHECK(before.chains == 16);
    CHECK(before.completions == 13);
    CHECK(before.polls == 13);
    CHECK(before.publications == 16);
    while (pair.driver.evacuate(pair.done) != 0) {}
    CHECK(pair.driver.counters().chains == 16); // published, whatever came of them
    const auto descriptors = pair.driver.counters().descriptors;
    CHECK(descriptors >= 16);
    for (std::byte& byte : pair.ring_memory().bytes()) byte = std::byte{0xa5};
    REQUIRE(pair.driver.restart() == Errc::ok);
    CHECK(pair.driver.counters().descriptors == descriptors);
    pair.start_device();
    const auto now = pair.ring_memory().bytes();
    // The areas are zeroed; the space between them belongs to nobody.
    for (const Segment area : {pair.ring.descriptor_area(), pair.ring.driver_area(), pair.ring.device_area()}) {
        const auto at = static_cast<std::size_t>(to_number(area.addr) - to_number(TestType::kRingAddr));
        CHECK(std::equal(now.begin() + static_cast<std::ptrdiff_t>(at),
                         now.begin() + static_cast<std::ptrdiff_t>(at + area.len),
                         fresh.begin() + static_cast<std::ptrdiff_t>(at)));
    }
    check_fresh_exchange(pair);
    const RingDriverCounters after = pair.driver.counters();
    CHECK(after.chains == 16 + 40);
    CHECK(after.completions == 13 + 40);
    CHECK(after.polls == 13 + 20);
    CHECK(after.publications == 16 + 20);
    CHECK(after.descriptors >= descriptors + 40);
}

TEMPLATE_TEST_CASE("a latched ring counts what it published and takes nothing more", "[virtqueue]", RingPair,
                   PackedPair) {
    TestType pair({.size = 16, .event_index = EventIndex::on});
    for (std::uint16_t i = 0; i < 3; ++i) pair.submit_and_kick(i);
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 1);
    const Segment one[] = {pair.segment(0, 8)};
    REQUIRE(pair.driver.evacuate(std::span(pair.done).first(1)) == 1);
    CHECK(pair.driver.error() == Errc::device_gone);
    CHECK(pair.driver.counters().chains == 3);
    const auto before = pair.ring.device_area();
    const int doorbells = pair.doorbells;
    const std::vector<std::byte> bytes(pair.ring_memory().bytes().begin(), pair.ring_memory().bytes().end());
    CHECK(pair.submit(4) == Errc::device_gone);
    CHECK(pair.driver.submit(one, {}, Token{4}) == Errc::device_gone);
    CHECK(pair.driver.submit({}, one, Token{4}) == Errc::device_gone);
    CHECK(pair.driver.submit({}, {}, Token{4}) == Errc::device_gone);
    pair.driver.kick();
    for (const std::uint16_t wanted : {std::uint16_t{1}, std::uint16_t{2}}) CHECK(pair.driver.arm(wanted));
    CHECK(pair.doorbells == doorbells);
    CHECK(std::equal(bytes.begin(), bytes.end(), pair.ring_memory().bytes().begin())); // nothing is written any more
    CHECK(pair.driver.evacuate(pair.done) == 1);
    CHECK(pair.driver.evacuate(pair.done) == 0);
    CHECK(before.len == pair.ring.device_area().len);
}

TEST_CASE("a driver that was never set up has nothing to evacuate", "[virtqueue]") {
    Completion out[4];
    SplitDriver split;
    PackedDriver packed;
    CHECK(split.evacuate(out) == 0);
    CHECK(packed.evacuate(out) == 0);
    CHECK(split.error() == Errc::wrong_state);
    CHECK(packed.error() == Errc::wrong_state);
}

TEST_CASE("a split device side that takes over writes its flags, and asks for kicks where it goes on", "[virtqueue]") {
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 8, .event_index = event_index});
    pair.ring.used()[SplitRing::kFlags] = split::kNoNotify; // of the one before it
    *pair.ring.avail_event() = 0x1234;
    pair.start_device(5);
    CHECK(pair.ring.used()[SplitRing::kFlags].value() == 0);
    CHECK(pair.ring.avail_event()->value() == (event_index == EventIndex::on ? 5 : 0x1234));
    CHECK(pair.device.counters().chains == 0);
    CHECK(pair.device.next_avail() == 5);
}

TEST_CASE("a split device side that takes over counts from where it starts", "[virtqueue]") {
    RingPair pair({.size = 8});
    for (std::uint16_t i = 0; i < 5; ++i) {
        pair.submit_and_kick(i);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    pair.start_device(5);
    pair.submit_and_kick(0);
    REQUIRE(pair.serve(3));
    CHECK(pair.device.counters().chains == 1);
    CHECK(pair.device.counters().completions == 1);
    CHECK(pair.device.outstanding() == 0);
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 3);
}

TEST_CASE("who polls disarms by the event that is the farthest away", "[virtqueue]") {
    RingPair pair({.size = 8, .event_index = EventIndex::on});
    for (std::uint16_t i = 0; i < 3; ++i) {
        pair.submit_and_kick(i);
        REQUIRE(pair.serve());
    }
    REQUIRE(pair.poll() == 3);
    pair.driver.disarm();
    CHECK(pair.ring.used_event()->value() == 2);
    pair.device.disarm();
    CHECK(pair.ring.avail_event()->value() == 2);
    REQUIRE(pair.device.arm() == false);
    CHECK(pair.ring.avail_event()->value() == 3);
}
