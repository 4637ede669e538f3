// SPDX-License-Identifier: BSD-2-Clause
// A device that breaks the rules, against the driver side of a packed ring.
#include "hostile/virtqueue/forged.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

// Four chains of two descriptors fit. Two are out, ids 0 and 1; ids 2 and 3 were never used; 4 to 7 never will be.
RingPairOptions ring_of_8(UseOrder order = UseOrder::any) { return {.size = 8, .max_segments = 2, .order = order}; }
void submit_two(PackedPair& pair) {
    pair.submit_and_kick(10);
    pair.submit_and_kick(11);
}
std::vector<std::byte> ring_bytes(const PackedPair& pair) {
    const std::byte* const start = pair.ring_memory().host();
    return {start, start + pair.ring_memory().size()};
}
void check_latched(PackedPair& pair, Errc why) {
    CHECK(pair.driver.error() == why);
    const auto before = ring_bytes(pair);
    const int doorbells = pair.doorbells;
    const Segment one[] = {pair.segment(0, 8)};
    CHECK(pair.submit(5) == why);
    CHECK(pair.driver.submit(one, {}, Token{5}) == why);
    pair.driver.kick();
    CHECK(ring_bytes(pair) == before);
    CHECK(pair.doorbells == doorbells);
    CHECK(pair.driver.arm(1)); // "do not sleep on this"
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == why); // the first violation stays
}

} // namespace

TEST_CASE("a used id beyond the packed ring latches the queue", "[virtqueue][hostile]") {
    const auto id = GENERATE(8u, 9u, 0x7fffu, 0x8000u, 0xffffu);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(id, 0, 2);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_out_of_range);
    CHECK(evacuate_all(pair) == 2);
}

TEST_CASE("a used id of no packed chain latches the queue", "[virtqueue][hostile]") {
    const auto id = GENERATE(2u, 3u, 4u, 7u); // never used, or never to be
    const auto flags = GENERATE(std::uint16_t{packed::kWrite}, std::uint16_t{0});
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(id, 0, 2, flags);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_not_live);
    CHECK(evacuate_all(pair) == 2);
}

TEST_CASE("a packed chain completed twice latches the queue with an error of its own", "[virtqueue][hostile]") {
    const auto in_two_polls = GENERATE(false, true);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(0, 64, 2);
    if (in_two_polls) REQUIRE(pair.poll() == 1);
    pair.forge_used(0, 64, 2);
    REQUIRE(pair.poll() == (in_two_polls ? 0 : 1));
    CHECK(pair.done[0].token == Token{10});
    check_latched(pair, Errc::ring_double_completion);
    CHECK(evacuate_all(pair) == 1);
    CHECK(pair.done[0].token == Token{11});
}

TEST_CASE("a packed used length above what was writable latches the queue", "[virtqueue][hostile]") {
    const auto len = GENERATE(65u, 80u, 0xffffffffu); // 64 were writable, and 16 readable
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    RingPairOptions options = ring_of_8(order);
    options.indirect = indirect;
    PackedPair pair(options);
    submit_two(pair);
    const std::uint16_t descriptors = indirect == IndirectTables::accepted ? 1 : 2;
    pair.forge_used(0, 64, descriptors); // all of it is fine
    pair.forge_used(1, len, descriptors);
    CHECK(pair.poll() == 1);
    check_latched(pair, Errc::ring_used_length);
    CHECK(evacuate_all(pair) == 1);
}

TEST_CASE("a used length above zero for a packed chain without writable bytes latches the queue",
          "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    const Segment readable[] = {pair.segment(0, 16)};
    REQUIRE(pair.driver.submit(readable, {}, Token{0}) == Errc::ok);
    pair.driver.kick();
    pair.forge_used(0, 1, 1);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_used_length);
}

TEST_CASE("a used descriptor of the wrong lap is none", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    submit_two(pair);
    for (const std::uint16_t flags : {std::uint16_t{0}, packed::kAvail, packed::kUsed}) {
        pair.ring.descriptors()[0].word = PackedDesc::pack(0, 0, flags | packed::kWrite);
        CHECK(pair.poll() == 0);
        CHECK_FALSE(pair.driver.arm(1));
    }
    CHECK(pair.driver.error() == Errc::ok);
    CHECK(pair.driver.in_flight() == 2);
}

TEST_CASE("a used descriptor nobody waits for is not read, and overwritten", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    pair.forge_used(0, 5, 2);
    CHECK(pair.poll() == 0);
    CHECK_FALSE(pair.driver.arm(1));
    CHECK(pair.submit(3) == Errc::ok); // staged, not published: does not count
    CHECK(pair.poll() == 0);
    pair.driver.kick();
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ok);
    REQUIRE(pair.serve(7));
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 7);
}

TEST_CASE("with IN_ORDER a batch beyond what is published latches the queue", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8(UseOrder::in_order));
    pair.submit_and_kick(10);
    REQUIRE(pair.submit(11) == Errc::ok); // id 1 is known and not published
    pair.forge_used(1, 0, 4);
    CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_not_live);
    CHECK(evacuate_all(pair) == 2);
}

TEST_CASE("what completed before a violation on a packed ring is returned first", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair({.size = 64, .max_segments = 2, .order = order});
    for (std::uint16_t i = 0; i < 10; ++i) pair.submit_and_kick(i);
    for (std::uint32_t i = 0; i < 7; ++i) pair.forge_used(i, i, 2);
    pair.forge_used(1000, 0, 2);
    REQUIRE(pair.poll() == 7);
    for (std::uint16_t i = 0; i < 7; ++i) {
        CHECK(pair.done[i].token == Token{i});
        CHECK(pair.done[i].written == i);
    }
    if (order == UseOrder::in_order) CHECK(pair.poll() == 0);
    check_latched(pair, Errc::ring_id_out_of_range);
    CHECK(evacuate_all(pair) == 3);
}

// virtio 1.2 §2.6.1.2
TEST_CASE("a latched packed queue works again after evacuate and restart", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    submit_two(pair);
    pair.forge_used(99, 0, 2);
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.restart() == Errc::wrong_state);
    CHECK(evacuate_all(pair) == 2);
    REQUIRE(pair.driver.restart() == Errc::ok);
    pair.start_device();
    for (int round = 0; round < 20; ++round) {
        submit_two(pair);
        REQUIRE(pair.serve(1));
        REQUIRE(pair.serve(2));
        REQUIRE(pair.poll() == 2);
    }
    CHECK(pair.driver.error() == Errc::ok);
}

TEST_CASE("the driver believes nothing of a packed ring but used words", "[virtqueue][hostile]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair({.size = 17, .max_segments = 2, .indirect = indirect, .order = order});
    Random random(2);
    for (std::uint32_t round = 0; round < 200; ++round) {
        for (std::uint16_t i = 0; i < 8; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        HostSegment storage[8][4];
        Chain chains[8];
        for (std::size_t i = 0; i < 8; ++i) {
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        // all that the driver wrote is overwritten, and looks neither used nor available
        for (int i = 0; i < 17; ++i) {
            const std::uint64_t word = pair.ring.descriptors()[i].word.value();
            const std::uint64_t keep = PackedDesc::flags(packed::kBoth);
            pair.ring.descriptors()[i] = {random.next(), (random.next() & ~keep) | (word & keep)};
        }
        std::memset(pair.tables().host(), 0xff, pair.tables().size());
        for (std::size_t i = 8; i-- > 0;) REQUIRE(pair.device.push(chains[i], 3) == Errc::ok);
        pair.device.publish();
        REQUIRE(pair.poll() == 8);
        for (std::uint16_t i = 0; i < 8; ++i) {
            CHECK(pair.done[i].token == Token{static_cast<std::uint16_t>(order == UseOrder::any ? 7 - i : i)});
        }
    }
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("a device that rewrites its packed event area costs a doorbell at most", "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 15, .event_index = mode});
    Random random(7);
    for (int round = 0; round < 2000; ++round) {
        *pair.ring.device_event() = static_cast<std::uint32_t>(random.next());
        *pair.ring.driver_event() = static_cast<std::uint32_t>(random.next()); // not its own either
        const int before = pair.doorbells;
        pair.submit_and_kick(0);
        CHECK(pair.doorbells - before <= 1);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
}

TEST_CASE("random bytes all over a packed ring never crash the driver nor invent a completion",
          "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair({.size = 13, .event_index = mode, .max_segments = 2, .indirect = indirect, .order = order});
    Random random(static_cast<std::uint64_t>(mode) * 4 + static_cast<std::uint64_t>(indirect) * 2 +
                  static_cast<std::uint64_t>(order) + 1);
    std::size_t latched = 0;
    std::size_t completed = 0;
    for (int round = 0; round < 2000; ++round) {
        TokensOut out;
        for (int step = 0; step < 30 && pair.driver.error() == Errc::ok; ++step) {
            out.submit(pair);
            if (random.one_in(2)) pair.driver.kick();
            // The driver writes garbage somewhere, plausible now and then.
            scribble(pair.ring_memory(), random, 4);
            for (int i = 0; i < 3; ++i) {
                const std::uint32_t both = random.one_in(4) ? 0 : packed::kBoth;
                const std::uint32_t id = random.below(random.one_in(20) ? 16 : 3);
                pair.ring.descriptors()[random.below(13)].word =
                    PackedDesc::pack(random.below(66), id, both | random.below(4));
            }
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
