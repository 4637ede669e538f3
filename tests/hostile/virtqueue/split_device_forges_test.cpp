// SPDX-License-Identifier: BSD-2-Clause
// A device that breaks the rules, against the driver side.
#include "hostile/virtqueue/forged.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

// Two chains are out, heads 0 and 2; a third place (4) was never used; 1 is inside the first chain.
RingPairOptions ring_of_8(UseOrder order = UseOrder::any) { return {.size = 8, .max_segments = 2, .order = order}; }
void submit_two(RingPair& pair) {
    pair.submit_and_kick(10);
    pair.submit_and_kick(11);
}
void check_latched(RingPair& pair, Errc why) {
    CHECK(pair.driver.error() == why);
    const std::uint16_t index = pair.ring.avail()[SplitRing::kIndex].value();
    const int doorbells = pair.doorbells;
    CHECK(pair.submit(5) == why);
    pair.driver.kick();
    CHECK(pair.ring.avail()[SplitRing::kIndex].value() == index);
    CHECK(pair.doorbells == doorbells);
    CHECK(pair.driver.arm(1)); // "do not sleep on this"
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == why); // the first violation stays
}

} // namespace

TEST_CASE("a used id beyond the ring latches the queue", "[virtqueue][hostile]") {
    // the id is 32 bits wide: the last one would be a live head if it were cut to 16
    const auto id = GENERATE(8u, 9u, 0xffffu, 0x10000u, 0xffffffffu, 0x80000002u);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(id, 0);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_out_of_range);
    CHECK(evacuate_all(pair) == 2);
}

TEST_CASE("a used id that is no live head latches the queue", "[virtqueue][hostile]") {
    const auto id = GENERATE(1u, 3u, 4u, 7u); // inside a chain, never used
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(id, 0);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_not_live);
    CHECK(evacuate_all(pair) == 2);
}

TEST_CASE("a chain completed twice latches the queue with an error of its own", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(0, 64);
    pair.forge_used(0, 64);
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].token == Token{10});
    check_latched(pair, Errc::ring_double_completion);
    CHECK(evacuate_all(pair) == 1);
    CHECK(pair.done[0].token == Token{11});
}

TEST_CASE("a chain completed twice in two polls latches the queue", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(0, 0);
    REQUIRE(pair.poll() == 1);
    pair.forge_used(0, 0);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_double_completion);
}

TEST_CASE("a used length above what was writable latches the queue", "[virtqueue][hostile]") {
    const auto len = GENERATE(65u, 80u, 0xffffffffu); // 64 were writable, and 16 readable
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(0, 64); // all of it is fine
    pair.forge_used(2, len);
    CHECK(pair.poll() == 1);
    check_latched(pair, Errc::ring_used_length);
    CHECK(evacuate_all(pair) == 1);
}

TEST_CASE("a used length above zero for a chain without writable bytes latches the queue", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    const Segment readable[] = {pair.segment(0, 16)};
    REQUIRE(pair.driver.submit(readable, {}, Token{0}) == Errc::ok);
    pair.driver.kick();
    pair.forge_used(0, 1);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_used_length);
}

TEST_CASE("the writable length is checked for indirect chains too", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .order = order});
    submit_two(pair);
    pair.forge_used(0, 64);
    pair.forge_used(1, 65);
    CHECK(pair.poll() == 1);
    check_latched(pair, Errc::ring_used_length);
}

TEST_CASE("a used index ahead of what is in flight latches the queue", "[virtqueue][hostile]") {
    const auto jump = GENERATE(3u, 4u, 9u, 0x8000u, 0xffffu); // the last one goes backwards
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    REQUIRE(pair.submit(12) == Errc::ok); // staged, not published: does not count
    pair.ring.used()[SplitRing::kIndex] = static_cast<std::uint16_t>(jump);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_index_jump);
    CHECK(evacuate_all(pair) == 3);
}

TEST_CASE("a used index ahead of what is in flight latches the queue after half a lap as well",
          "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 16, .max_segments = 2, .order = order});
    for (std::uint16_t i = 0; i < 5; ++i) {
        pair.submit_and_kick(i);
        REQUIRE(pair.pop() != -1);
        REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
        pair.device.publish();
        REQUIRE(pair.poll() == 1);
    }
    pair.submit_and_kick(5);
    pair.ring.used()[SplitRing::kIndex] = 5 + 2;
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_index_jump);
    CHECK(evacuate_all(pair) == 1);
}

TEST_CASE("a used index that moves with nothing in flight latches the queue", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    pair.ring.used()[SplitRing::kIndex] = 1;
    CHECK(pair.driver.arm(1));
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_index_jump);
    CHECK(evacuate_all(pair) == 0);
}

TEST_CASE("with IN_ORDER a batch beyond what the used index tells of latches the queue", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8(UseOrder::in_order));
    pair.submit_and_kick(10);
    pair.submit_and_kick(11);
    REQUIRE(pair.submit(12) == Errc::ok); // the chain at 4 is known and not published
    const auto id = GENERATE(2u, 4u);
    pair.forge_used(id, 0);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_not_live);
    CHECK(evacuate_all(pair) == 3);
}

TEST_CASE("with IN_ORDER a used index that goes back within a batch latches the queue", "[virtqueue][hostile]") {
    RingPair pair({.size = 16, .max_segments = 2, .order = UseOrder::in_order});
    for (std::uint16_t i = 0; i < 6; ++i) pair.submit_and_kick(i);
    pair.ring.used_entries()[0] = {10, 0};
    pair.ring.used()[SplitRing::kIndex] = 6;
    Completion two[2];
    REQUIRE(pair.driver.poll(two) == 2);
    pair.ring.used()[SplitRing::kIndex] = 1;
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_index_jump);
    CHECK(evacuate_all(pair) == 4);
}

TEST_CASE("what completed before a violation is returned first", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 64, .max_segments = 2, .order = order});
    for (std::uint16_t i = 0; i < 10; ++i) pair.submit_and_kick(i);
    for (std::uint32_t i = 0; i < 7; ++i) pair.forge_used(i * 2, i);
    pair.forge_used(1000, 0);
    REQUIRE(pair.poll() == 7);
    for (std::uint16_t i = 0; i < 7; ++i) {
        CHECK(pair.done[i].token == Token{i});
        CHECK(pair.done[i].written == i);
    }
    check_latched(pair, Errc::ring_id_out_of_range);
    CHECK(evacuate_all(pair) == 3);
}

// virtio 1.2 §2.6.1.2, §2.7.6.1
TEST_CASE("a latched queue works again after evacuate and restart", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(99, 0);
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.restart() == Errc::wrong_state);
    CHECK(evacuate_all(pair) == 2);
    REQUIRE(pair.driver.restart() == Errc::ok);
    pair.start_device(0);
    submit_two(pair);
    REQUIRE(pair.serve(1));
    REQUIRE(pair.serve(2));
    REQUIRE(pair.poll() == 2);
    CHECK(pair.driver.error() == Errc::ok);
}

TEST_CASE("the driver never believes the descriptor table or the available ring", "[virtqueue][hostile]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    RingPair pair({.size = 16, .max_segments = 2, .indirect = indirect});
    for (std::uint32_t round = 0; round < 50; ++round) {
        for (std::uint16_t i = 0; i < 8; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        HostSegment storage[8][4];
        Chain chains[8];
        for (std::size_t i = 0; i < 8; ++i) {
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        // Everything that the driver wrote is overwritten, except the index.
        std::memset(static_cast<void*>(pair.ring.descriptors()), static_cast<int>(round * 37 + 255), 16 * 16);
        std::memset(static_cast<void*>(pair.ring.avail_entries()), static_cast<int>(round * 91 + 255), 2 * 16);
        std::memset(pair.tables().host(), 0xff, pair.tables().size());
        for (std::size_t i = 8; i-- > 0;) REQUIRE(pair.device.push(chains[i], 3) == Errc::ok);
        pair.device.publish();
        REQUIRE(pair.poll() == 8);
        for (std::uint16_t i = 0; i < 8; ++i) CHECK(pair.done[i].token == Token{static_cast<std::uint16_t>(7 - i)});
    }
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("what a device writes over descriptors that are left standing, only it believes", "[virtqueue][hostile]") {
    RingPair pair({.size = 16, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    Random random(11);
    for (std::uint32_t round = 0; round < 500; ++round) {
        const std::uint32_t len = random.between(1, 4096);
        const Segment readable[] = {pair.segment(0, 16)};
        const Segment writable[] = {pair.segment(64, 16), pair.segment(4096, len)};
        REQUIRE(pair.driver.submit_prepared<2>(readable, writable, Token{3}, id) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.ring.avail_entries()[round % 16].value() == 0);
        auto* const table = reinterpret_cast<std::byte*>(pair.ring.descriptors());
        for (int i = 0; i < 40; ++i) table[random.below(16 * 16)] = static_cast<std::byte>(random.next());
        pair.forge_used(0, 16 + len); // all that was writable, whatever stands there
        REQUIRE(pair.poll() == 1);
        CHECK(pair.done[0].token == Token{3});
        CHECK(pair.done[0].written == 16 + len);
    }
    const Segment readable[] = {pair.segment(0, 16)};
    const Segment writable[] = {pair.segment(64, 16), pair.segment(4096, 8)};
    REQUIRE(pair.driver.submit_prepared<2>(readable, writable, Token{3}, id) == Errc::ok);
    pair.driver.kick();
    pair.ring.descriptors()[2].len = 4096;
    pair.forge_used(0, 25); // one more than was writable
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ring_used_length);
}

// virtio 1.2 §2.7.10.1
TEST_CASE("a device that rewrites the event fields costs a doorbell at most", "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 16, .event_index = mode, .order = order});
    Random random(7);
    for (int round = 0; round < 2000; ++round) {
        *pair.ring.avail_event() = static_cast<std::uint16_t>(random.next());
        pair.ring.used()[SplitRing::kFlags] = static_cast<std::uint16_t>(random.next());
        const int before = pair.doorbells;
        pair.submit_and_kick(0);
        CHECK(pair.doorbells - before <= 1);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
}

TEST_CASE("random bytes all over the ring never crash the driver nor invent a completion", "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 16, .event_index = mode, .max_segments = 2, .indirect = indirect, .order = order});
    Random random(static_cast<std::uint64_t>(mode) * 2 + static_cast<std::uint64_t>(indirect) + 1);
    std::size_t latched = 0;
    std::size_t completed = 0;
    for (int round = 0; round < 3000; ++round) {
        TokensOut out;
        for (int step = 0; step < 30 && pair.driver.error() == Errc::ok; ++step) {
            out.submit(pair);
            if (random.one_in(2)) pair.driver.kick();
            // The driver writes garbage somewhere, plausible now and then.
            scribble(pair.ring_memory(), random, 4);
            if (random.one_in(2)) pair.ring.used()[SplitRing::kIndex] = static_cast<std::uint16_t>(random.below(4));
            if (random.one_in(2)) pair.ring.used_entries()[random.below(16)] = {random.below(18), random.below(70)};
            static_cast<void>(pair.driver.arm(static_cast<std::uint16_t>(random.next())));
            completed += out.complete(pair, 64);
        }
        latched += pair.driver.error() != Errc::ok ? 1 : 0;
        out.evacuate(pair);
        REQUIRE(pair.driver.restart() == Errc::ok);
    }
    CHECK(latched > 1000);
    CHECK(completed > 100); // the garbage is plausible enough to get past the first check
}
