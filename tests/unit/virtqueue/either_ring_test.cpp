// SPDX-License-Identifier: BSD-2-Clause
// Tests that hold for split and for packed rings.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <algorithm>
#include <map>

using namespace vfsproto;
using namespace vfsproto::test;

TEMPLATE_TEST_CASE("a chain may lie in several regions, and regions may come and go", "[virtqueue]", RingPair,
                   PackedPair) {
    TestType pair({.size = 8});
    Pages extra(4096);
    const Region second = extra.at(DeviceAddr{0x5000});
    REQUIRE(pair.table.add(second) == Errc::ok);
    for (int round = 0; round < 3; ++round) {
        const Segment readable[] = {pair.segment(0, 8)};
        const Segment writable[] = {second.segment(second.host() + 100, 8)};
        REQUIRE(pair.driver.submit(readable, writable, Token{0}) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.pop() >= 0);
        CHECK(pair.chain.readable()[0].data == pair.data.host());
        CHECK(pair.chain.writable()[0].data == second.host() + 100);
        REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
        pair.device.publish();
        REQUIRE(pair.poll() == 1);
    }
    REQUIRE(pair.table.remove(DeviceAddr{0x5000}));
    const Segment gone[] = {second.segment(second.host(), 8)};
    REQUIRE(pair.driver.submit(gone, {}, Token{0}) == Errc::ok);
    pair.driver.kick();
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::chain_address);
}

TEMPLATE_TEST_CASE("a descriptor that spans regions which follow each other is one segment for each", "[virtqueue]",
                   RingPair, PackedPair) {
    TestType pair({.size = 8});
    const std::uint64_t boundary = pair.data_addr(TestType::kDataBytes);
    Pages middle(4096);
    Pages last(4096);
    const Region second = middle.at(DeviceAddr{boundary});
    const Region third = last.at(DeviceAddr{boundary + second.size()});
    REQUIRE(pair.table.add(third) == Errc::ok);
    REQUIRE(pair.table.add(second) == Errc::ok);
    constexpr std::uint32_t kBefore = 24;
    constexpr std::uint32_t kBehind = 40;
    const auto spanning = static_cast<std::uint32_t>(kBefore + second.size() + kBehind);
    const Segment readable[] = {{DeviceAddr{boundary - kBefore}, 2 * kBefore}};
    const Segment writable[] = {{DeviceAddr{boundary - kBefore}, spanning}};
    REQUIRE(pair.driver.submit(readable, writable, Token{7}) == Errc::ok);
    pair.driver.kick();
    REQUIRE(pair.pop() >= 0);
    std::byte* const end_of_first = pair.data.host() + TestType::kDataBytes;
    REQUIRE(pair.chain.readable().size() == 2);
    CHECK(pair.chain.readable()[0].data == end_of_first - kBefore);
    CHECK(pair.chain.readable()[0].len == kBefore);
    CHECK(pair.chain.readable()[1].data == second.host());
    CHECK(pair.chain.readable()[1].len == kBefore);
    REQUIRE(pair.chain.writable().size() == 3);
    CHECK(pair.chain.writable()[0].data == end_of_first - kBefore);
    CHECK(pair.chain.writable()[1].data == second.host());
    CHECK(pair.chain.writable()[1].len == second.size());
    CHECK(pair.chain.writable()[2].data == third.host());
    CHECK(total_length(pair.chain.writable()) == spanning);
    REQUIRE(pair.device.push(pair.chain, spanning) == Errc::ok);
    pair.device.publish();
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == spanning);
    // The ring goes on where it should: the chain took two descriptors, not five.
    pair.submit_and_kick(1);
    CHECK(pair.serve());
    CHECK(pair.poll() == 1);
}

TEMPLATE_TEST_CASE("a descriptor that leaves the last of several regions, or wraps, latches the device side",
                   "[virtqueue][hostile]", RingPair, PackedPair) {
    TestType pair({.size = 8});
    const std::uint64_t boundary = pair.data_addr(TestType::kDataBytes);
    Pages middle(4096);
    Pages lowest(4096);
    Pages highest(4096);
    REQUIRE(pair.table.add(middle.at(DeviceAddr{boundary})) == Errc::ok);
    REQUIRE(pair.table.add(lowest.at(DeviceAddr{0})) == Errc::ok);
    REQUIRE(pair.table.add(highest.at(DeviceAddr{0} + (std::uint64_t{0} - 4096))) == Errc::ok);
    const Segment past_the_end{DeviceAddr{boundary - 8}, 4096 + 9};
    const Segment wrapping{DeviceAddr{std::uint64_t{0} - 8}, 16};
    const bool wraps = GENERATE(false, true);
    const Segment wrong = wraps ? wrapping : past_the_end;
    REQUIRE(pair.driver.submit({}, {&wrong, 1}, Token{0}) == Errc::ok);
    pair.driver.kick();
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::chain_address);
}

TEMPLATE_TEST_CASE("a descriptor that spans more regions than there is room for segments latches the device side",
                   "[virtqueue][hostile]", RingPair, PackedPair) {
    TestType pair({.size = 8});
    const std::uint64_t boundary = pair.data_addr(TestType::kDataBytes);
    Pages middle(4096);
    REQUIRE(pair.table.add(middle.at(DeviceAddr{boundary})) == Errc::ok);
    pair.chain.storage = std::span(pair.storage).first(1);
    const Segment spanning{DeviceAddr{boundary - 8}, 16};
    REQUIRE(pair.driver.submit({}, {&spanning, 1}, Token{0}) == Errc::ok);
    pair.driver.kick();
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::chain_too_long);
}

TEMPLATE_TEST_CASE("a device refuses a ring it cannot serve", "[virtqueue]", RingPair, PackedPair) {
    TestType pair({.size = 8});
    typename TestType::Device device;
    CHECK(device.error() == Errc::wrong_state);
    CHECK_FALSE(device.pop(pair.chain));
    CHECK(device.push(pair.chain, 0) == Errc::wrong_state);
    CHECK_FALSE(device.arm());
    device.publish();
    CHECK_FALSE(device.wants_notification());
    CHECK(device.init(typename TestType::Ring(), pair.table, pair.heads, {}) == Errc::bad_argument);
    CHECK(device.init(pair.ring, pair.table, std::span(pair.heads).first(7), {}) == Errc::no_memory);
}

// virtio 1.2 §2.8
TEMPLATE_TEST_CASE("completions come back in the device's order with token and written length", "[virtqueue]", RingPair,
                   PackedPair) {
    const auto size = GENERATE(std::uint16_t{6}, std::uint16_t{7}, std::uint16_t{16});
    TestType pair({.size = TestType::legal(size), .max_segments = 2});
    HostSegment storage[3][4];
    Chain chains[3];
    for (std::uint16_t round = 0; round < 20; ++round) {
        for (std::uint16_t i = 0; i < 3; ++i) {
            pair.submit_and_kick(static_cast<std::uint16_t>(100 + i));
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        for (const unsigned i : {2u, 0u, 1u}) REQUIRE(pair.device.push(chains[i], i * 10) == Errc::ok);
        pair.device.publish();
        Completion two[2];
        REQUIRE(pair.driver.poll(two) == 2); // bounded by the room given
        CHECK(two[0].token == Token{102});
        CHECK(two[0].written == 20);
        CHECK(two[1].token == Token{100});
        CHECK(two[1].written == 0);
        REQUIRE(pair.driver.poll(two) == 1);
        CHECK(two[0].token == Token{101});
        CHECK(two[0].written == 10);
        CHECK(pair.driver.poll(two) == 0);
    }
    CHECK(pair.driver.counters().completions == 60);
    CHECK(pair.driver.counters().empty_polls == 20);
}

// virtio 1.2 §2.8.10
TEMPLATE_TEST_CASE("a polling owner gets no interrupt", "[virtqueue]", RingPair, PackedPair) {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    TestType pair({.size = 64, .event_index = mode});
    for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
    static_cast<void>(pair.driver.arm(3));
    pair.driver.disarm();
    for (int i = 0; i < 8; ++i) {
        REQUIRE(pair.serve());
        CHECK_FALSE(pair.device.wants_notification());
    }
    CHECK(pair.poll() == 8);
}

TEMPLATE_TEST_CASE("a fresh driver hears of the first completion", "[virtqueue]", RingPair, PackedPair) {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    TestType pair({.size = 64, .event_index = mode});
    pair.submit_and_kick(0);
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification());
    CHECK_FALSE(pair.device.wants_notification()); // nothing new
    CHECK(pair.device.counters().notifications == 1);
}

// virtio 1.2 §2.8.10
TEMPLATE_TEST_CASE("31 requests beside one that never completes are all seen, whatever its position", "[virtqueue]",
                   RingPair, PackedPair) {
    const auto size = GENERATE(std::uint16_t{64}, std::uint16_t{67});
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    for (std::uint16_t stuck = 0; stuck < 32; ++stuck) {
        TestType pair({.size = TestType::legal(size), .event_index = EventIndex::on, .indirect = indirect});
        pair.submit_and_kick(0); // so that a ring of 64 wraps
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
        for (std::uint16_t i = 0; i < 32; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        REQUIRE_FALSE(pair.driver.arm(31)); // the one that may block does not count
        std::vector<std::vector<HostSegment>> storage(32, std::vector<HostSegment>(4));
        std::vector<Chain> chains(32);
        for (std::size_t i = 0; i < 32; ++i) {
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        static_cast<void>(pair.device.wants_notification());
        int notified_at = -1;
        int pushed = 0;
        for (std::size_t i = 0; i < 32; ++i) {
            if (i == stuck) continue;
            REQUIRE(pair.device.push(chains[i], 0) == Errc::ok);
            ++pushed;
            if (pair.device.wants_notification()) notified_at = pushed;
        }
        CHECK(notified_at == 31);
        REQUIRE(pair.poll() == 31);
        std::vector<bool> is_seen(32);
        for (int i = 0; i < 31; ++i) is_seen[pair.done[i].token.slot] = true;
        CHECK(std::count(is_seen.begin(), is_seen.end(), true) == 31);
        CHECK_FALSE(is_seen[stuck]);
        CHECK_FALSE(pair.driver.arm(31)); // one is in flight: capped, so that it will be heard of
        REQUIRE(pair.device.push(chains[stuck], 0) == Errc::ok);
        CHECK(pair.device.wants_notification());
    }
}

// virtio 1.2 §2.7.6.1, §2.8.10
TEMPLATE_TEST_CASE("indices wrap at 2^16 without a lost or an early notification", "[virtqueue]", RingPair,
                   PackedPair) {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    const auto size = GENERATE(std::uint16_t{4}, std::uint16_t{5});
    TestType pair({.size = TestType::legal(size), .event_index = mode});
    std::uint32_t interrupts = 0;
    const std::uint32_t rounds = 0x8000 + 500; // of two chains each
    for (std::uint32_t i = 0; i < rounds; ++i) {
        if (pair.device.arm() || pair.driver.arm(2)) FAIL("something there in round " << i);
        const int before = pair.doorbells;
        if (pair.submit(0) != Errc::ok || pair.submit(1) != Errc::ok) FAIL("no room in round " << i);
        pair.driver.kick();
        if (pair.doorbells != before + 1) FAIL("no kick in round " << i);
        if (pair.driver.arm(2)) FAIL("something there in round " << i);
        for (int chain = 0; chain < 2; ++chain) {
            if (!pair.serve()) FAIL("a chain is missing in round " << i);
            interrupts += pair.device.wants_notification() ? 1 : 0;
        }
        if (pair.poll() != 2) FAIL("a completion is missing in round " << i);
    }
    // Event index asks for the second of two. Without it each one interrupts until poll() runs.
    CHECK(interrupts == (mode == EventIndex::on ? rounds : 2 * rounds));
    CHECK(pair.driver.error() == Errc::ok);
    CHECK(pair.device.error() == Errc::ok);
}

// virtio 1.2 §2.8
TEMPLATE_TEST_CASE("a ring of 32768 entries can be full on both sides", "[virtqueue]", RingPair, PackedPair) {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    TestType pair({.size = 32768, .event_index = mode, .max_segments = 1});
    const Segment readable[] = {pair.segment(0, 8)};
    for (int round = 0; round < 3; ++round) {
        for (std::uint32_t i = 0; i < 32768; ++i) {
            if (pair.driver.submit(readable, {}, Token{static_cast<std::uint16_t>(i)}) != Errc::ok) FAIL("chain " << i);
        }
        CHECK(pair.driver.submit(readable, {}, Token{}) == Errc::queue_full);
        pair.driver.kick();
        CHECK(pair.driver.in_flight() == 32768);
        CHECK_FALSE(pair.driver.arm(32768));
        for (std::uint32_t i = 0; i < 32768; ++i) {
            if (pair.pop() < 0 || pair.device.push(pair.chain, 0) != Errc::ok) FAIL("chain " << i);
        }
        CHECK(pair.device.wants_notification());
        CHECK(pair.driver.arm(32768));
        std::size_t seen = 0;
        for (std::size_t n = 0; (n = pair.poll()) != 0;) seen += n;
        CHECK(seen == 32768);
    }
    CHECK(pair.driver.error() == Errc::ok);
    CHECK(pair.device.error() == Errc::ok);
}

TEMPLATE_TEST_CASE("a ring ordered for hardware behaves the same", "[virtqueue]", RingPair, PackedPair) {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    TestType pair({.size = TestType::legal(9), .event_index = mode, .ordering = Ordering::platform, .order = order});
    for (std::uint16_t round = 0; round < 20; ++round) {
        for (std::uint16_t i = 0; i < 4; ++i) pair.submit_and_kick(i);
        CHECK_FALSE(pair.driver.arm(1));
        for (std::uint16_t i = 0; i < 4; ++i) REQUIRE(pair.serve(i));
        CHECK(pair.device.wants_notification());
        CHECK_FALSE(pair.device.arm());
        REQUIRE(pair.poll() == 4);
        CHECK(pair.done[3].written == 3);
    }
    CHECK(pair.doorbells >= 20);
}

// virtio 1.2 §2.6.1.1, §2.6.1.2, §2.7.10.1, §2.8.13
TEMPLATE_TEST_CASE("evacuate hands every token back once, and restart starts the ring anew", "[virtqueue]", RingPair,
                   PackedPair) {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    TestType pair({.size = 16, .event_index = EventIndex::on, .indirect = indirect, .order = order});
    for (std::uint16_t i = 0; i < 6; ++i) pair.submit_and_kick(i);
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    REQUIRE(pair.poll() == 2);
    REQUIRE(pair.serve());               // completed, never polled: the reset was faster
    REQUIRE(pair.submit(6) == Errc::ok); // staged, never published
    CHECK(pair.driver.in_flight() == 5);

    std::map<unsigned, int> seen;
    Completion two[2];
    for (std::size_t n = 0; (n = pair.driver.evacuate(two)) != 0;) {
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(two[i].written == 0);
            ++seen[two[i].token.slot];
        }
        CHECK(pair.driver.error() == Errc::device_gone);
        CHECK(pair.submit(0) == Errc::device_gone);
        CHECK(pair.poll() == 0);
        CHECK(pair.driver.arm(1)); // "do not sleep on this"
        CHECK((pair.driver.in_flight() == 0 || pair.driver.restart() == Errc::wrong_state));
    }
    CHECK(seen == std::map<unsigned, int>{{2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}});
    const int before = pair.doorbells;
    pair.driver.kick();
    CHECK(pair.doorbells == before);

    REQUIRE(pair.driver.restart() == Errc::ok);
    CHECK(pair.driver.error() == Errc::ok);
    const auto memory = pair.ring_memory().bytes().first(pair.ring.descriptor_area().len);
    CHECK(std::all_of(memory.begin(), memory.end(), [](std::byte byte) { return byte == std::byte{}; }));
    pair.start_device();
    for (std::uint16_t round = 0; round < 5; ++round) {
        for (std::uint16_t i = 0; i < 8; ++i) pair.submit_and_kick(i);
        for (std::uint16_t i = 0; i < 8; ++i) REQUIRE(pair.serve(i));
        REQUIRE(pair.poll() == 8);
        for (std::uint16_t i = 0; i < 8; ++i) CHECK(pair.done[i].token == Token{i});
    }
}
