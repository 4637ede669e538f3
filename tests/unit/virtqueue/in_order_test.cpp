// SPDX-License-Identifier: BSD-2-Clause
// VIRTIO_F_IN_ORDER (virtio 1.2 §2.7.9, §2.8.8).
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

template <class Pair> RingPairOptions in_order(std::uint16_t size) {
    return {.size = Pair::legal(size), .max_segments = 2, .order = UseOrder::in_order};
}

} // namespace

// virtio 1.2 §2.7.9, §2.8.2, §2.8.8
TEMPLATE_TEST_CASE("with IN_ORDER one used element tells of all chains of a burst", "[virtqueue]", RingPair,
                   PackedPair) {
    TestType pair(in_order<TestType>(16));
    for (std::uint16_t i = 0; i < 5; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    const std::uint64_t second = pair.ring.descriptors()[2].addr.value();
    for (std::uint16_t i = 0; i < 5; ++i) {
        REQUIRE(pair.pop() >= 0);
        CHECK(pair.device.outstanding() == 1);
        REQUIRE(pair.device.push(pair.chain, i + 1u) == Errc::ok);
    }
    CHECK(pair.poll() == 0);
    pair.device.publish();
    if constexpr (std::is_same_v<TestType, PackedPair>) {
        CHECK(pair.ring.descriptors()[0].word.value() == PackedDesc::pack(5, 4, packed::kBoth | packed::kWrite));
        CHECK((pair.ring.descriptors()[2].word.value() & PackedDesc::flags(packed::kUsed)) == 0); // is skipped
        CHECK(pair.device.next_used() == 0x800a);
    } else {
        CHECK(pair.ring.used()[SplitRing::kIndex].value() == 5);
        CHECK(pair.ring.used_entries()[0].id.value() == 8);
        CHECK(pair.ring.used_entries()[0].len.value() == 5);
        for (int i = 1; i < 5; ++i) CHECK(pair.ring.used_entries()[i].len.value() == 0); // are skipped
    }
    CHECK(pair.ring.descriptors()[2].addr.value() == second);
    CHECK(pair.device.counters().publications == 1);
    CHECK(pair.device.counters().completions == 5);
    REQUIRE(pair.poll() == 5);
    for (std::uint16_t i = 0; i < 5; ++i) {
        CHECK(pair.done[i].token == Token{i});
        CHECK(pair.done[i].written == (i == 4 ? 5 : 64)); // all that was writable, where no length is told
    }
    CHECK(pair.driver.limits().written == WrittenLength::upper_bound);
    CHECK(pair.driver.counters().completions == 5);
    CHECK(pair.driver.counters().descriptors == 10);
}

// virtio 1.2 §2.7.9, §2.8.8
TEMPLATE_TEST_CASE("with IN_ORDER what is completed waits for what came before it", "[virtqueue]", RingPair,
                   PackedPair) {
    TestType pair(in_order<TestType>(16));
    HostSegment storage[3][4];
    Chain chains[3];
    for (std::uint16_t i = 0; i < 3; ++i) {
        pair.submit_and_kick(i);
        chains[i].storage = storage[i];
        REQUIRE(pair.device.pop(chains[i]));
    }
    REQUIRE(pair.device.push(chains[1], 2) == Errc::ok);
    CHECK(pair.device.push(chains[1], 2) == Errc::bad_argument);
    CHECK(pair.device.outstanding() == 2);
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.poll() == 0);
    REQUIRE(pair.device.push(chains[0], 1) == Errc::ok);
    CHECK(pair.device.push(chains[0], 1) == Errc::bad_argument);
    CHECK(pair.device.wants_notification());
    REQUIRE(pair.poll() == 2);
    CHECK(pair.done[0].token == Token{0});
    CHECK(pair.done[1].token == Token{1});
    CHECK(pair.done[1].written == 2);
    REQUIRE(pair.device.push(chains[2], 3) == Errc::ok);
    CHECK(pair.device.outstanding() == 0);
    pair.device.publish();
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 3);
}

// virtio 1.2 §2.7.9
TEMPLATE_TEST_CASE("with IN_ORDER all of a ring may be completed backwards", "[virtqueue]", RingPair, PackedPair) {
    const auto size = GENERATE(std::uint16_t{1}, std::uint16_t{8}, std::uint16_t{13});
    TestType pair({.size = TestType::legal(size), .max_segments = 1, .order = UseOrder::in_order});
    const std::uint16_t most = pair.driver.limits().max_inflight;
    REQUIRE(most == pair.ring.size());
    std::vector<std::vector<HostSegment>> storage(most, std::vector<HostSegment>(1));
    std::vector<Chain> chains(most);
    for (int round = 0; round < 3; ++round) {
        for (std::uint16_t i = 0; i < most; ++i) {
            const Segment writable[] = {pair.segment(i * 64u, 64)};
            REQUIRE(pair.driver.submit({}, writable, Token{i}) == Errc::ok);
        }
        const Segment more[] = {pair.segment(0, 64)};
        CHECK(pair.driver.submit({}, more, Token{0}) == Errc::queue_full);
        pair.driver.kick();
        for (std::uint16_t i = 0; i < most; ++i) {
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
            CHECK(chains[i].writable()[0].data == pair.data.host() + i * 64u);
        }
        for (std::uint16_t i = most; i-- > 0;) {
            CHECK(pair.poll() == 0);
            REQUIRE(pair.device.push(chains[i], i) == Errc::ok);
            pair.device.publish();
        }
        REQUIRE(pair.poll() == most);
        for (std::uint16_t i = 0; i < most; ++i) CHECK(pair.done[i].token == Token{i});
        CHECK(pair.done[most - 1].written == most - 1u);
    }
}

// virtio 1.2 §2.7.9, §2.8.8
TEMPLATE_TEST_CASE("a batch is taken in as many polls as there is room for", "[virtqueue]", RingPair, PackedPair) {
    constexpr std::uint16_t kSize = 17; // a packed ring wraps at another place each round; a split ring has 16
    constexpr std::uint16_t kBatch = 8; // tokens 0 to 7
    constexpr std::uint16_t kNext = 9;  // the token of the chain after the batch
    constexpr std::size_t kRoom = 3;    // completions a poll has room for
    constexpr std::uint32_t kWhole =
        64; // writable bytes of a chain: what all but the last of a batch are said to have used
    constexpr std::uint32_t kWritten = 10;
    constexpr std::uint32_t kNextWritten = 20;
    TestType pair(in_order<TestType>(kSize));
    for (int round = 0; round < 10; ++round) {
        for (std::uint16_t i = 0; i < kBatch; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        for (std::uint16_t i = 0; i < kBatch; ++i) {
            REQUIRE(pair.pop() >= 0);
            REQUIRE(pair.device.push(pair.chain, kWritten) == Errc::ok);
        }
        pair.device.publish();
        Completion done[kRoom];
        REQUIRE(pair.driver.poll(done) == kRoom); // tokens 0, 1, 2
        CHECK(done[2].token == Token{2});
        CHECK(done[2].written == kWhole);
        CHECK(pair.driver.arm(kBatch)); // five are there
        REQUIRE(pair.submit(kNext) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve(kNextWritten));
        REQUIRE(pair.driver.poll(done) == kRoom); // tokens 3, 4, 5
        REQUIRE(pair.driver.poll(done) == kRoom); // tokens 6 and 7, and the next batch
        CHECK(done[1].token == Token{kBatch - 1});
        CHECK(done[1].written == kWritten);
        CHECK(done[2].token == Token{kNext});
        CHECK(done[2].written == kNextWritten);
        CHECK(pair.driver.poll(done) == 0);
        CHECK_FALSE(pair.driver.arm(1));
    }
}

// virtio 1.2 §2.7.9, §2.8.8
TEMPLATE_TEST_CASE("with IN_ORDER a device may also tell of each chain", "[virtqueue]", RingPair, PackedPair) {
    TestType pair(in_order<TestType>(5));
    for (std::uint16_t round = 0; round < 20; ++round) {
        pair.submit_and_kick(1);
        pair.submit_and_kick(2);
        REQUIRE(pair.serve(3));
        REQUIRE(pair.serve(4));
        REQUIRE(pair.poll() == 2);
        CHECK(pair.done[0].written == 3);
        CHECK(pair.done[1].written == 4);
    }
}

TEMPLATE_TEST_CASE("arm with IN_ORDER fires when the nth chain is used", "[virtqueue]", RingPair, PackedPair) {
    RingPairOptions options = in_order<TestType>(64);
    options.event_index = EventIndex::on;
    TestType pair(options);
    for (std::uint16_t i = 0; i < 10; ++i) pair.submit_and_kick(i);
    REQUIRE_FALSE(pair.driver.arm(4));
    for (int i = 1; i <= 10; ++i) {
        REQUIRE(pair.serve());
        CHECK(pair.device.wants_notification() == (i == 4));
    }
    CHECK(pair.poll() == 10);
}

// virtio 1.2 §2.7.5.2
TEST_CASE("with IN_ORDER descriptors of a split ring are taken in ring order, and round its end", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3, .order = UseOrder::in_order});
    CHECK(pair.driver.limits().max_inflight == 2);
    std::uint16_t at = 0;
    for (std::uint16_t round = 0; round < 50; ++round) {
        const std::uint16_t count = static_cast<std::uint16_t>(1 + round % 3);
        const Segment all[] = {pair.segment(0, 16), pair.segment(64, 32), pair.segment(128, 64)};
        const std::span<const Segment> segments = std::span(all).first(count);
        REQUIRE(pair.driver.submit(segments.first(1), segments.subspan(1), Token{round}) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.ring.avail_entries()[round % 8].value() == at);
        for (std::uint16_t i = 0; i < count; ++i) {
            const SplitDesc desc = load_descriptor(pair.ring.descriptors()[at]);
            CHECK(desc.addr.value() == to_number(all[i].addr));
            CHECK(desc.has(split::kNext) == (i + 1 < count));
            CHECK(desc.has(split::kWrite) == (i != 0));
            at = static_cast<std::uint16_t>((at + 1) % 8);
            if (i + 1 < count) CHECK(desc.next() == at);
        }
        REQUIRE(pair.serve(count == 1 ? 0 : 32));
        REQUIRE(pair.poll() == 1);
        CHECK(pair.done[0].token == Token{round});
    }
}

TEST_CASE("a chain that is refused leaves no trace on an in-order split ring", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 2, .order = UseOrder::in_order});
    const Segment good[] = {pair.segment(0, 16)};
    const Segment empty[] = {pair.segment(0, 0)};
    for (std::uint16_t round = 0; round < 9; ++round) { // each place comes to be the last
        CHECK(pair.driver.submit(good, empty, Token{9}) == Errc::bad_argument);
        CHECK(pair.driver.submit(empty, {}, Token{9}) == Errc::bad_argument);
        CHECK(pair.driver.submit({}, {}, Token{9}) == Errc::bad_argument);
        const Segment three[] = {good[0], good[0], good[0]};
        CHECK(pair.driver.submit({}, three, Token{9}) == Errc::bad_argument);
        REQUIRE(pair.driver.submit(good, {}, Token{round}) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
        CHECK(pair.done[0].token == Token{round});
    }
    CHECK(pair.driver.counters().descriptors == 9);
}

TEST_CASE("an in-order split ring keeps no chains", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 2, .order = UseOrder::in_order});
    const PreparedId id = pair.driver.reserve_prepared(1);
    for (std::uint16_t round = 0; round < 20; ++round) {
        CHECK_FALSE(pair.driver.has_prepared(id));
        const Segment readable[] = {pair.segment(0, 16)};
        const Segment writable[] = {pair.segment(round * 64u, 64)};
        REQUIRE(pair.driver.submit_prepared<1>(readable, writable, Token{round}, id) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.pop() >= 0);
        CHECK(pair.chain.writable()[0].data == pair.data.host() + round * 64u);
        REQUIRE(pair.device.push(pair.chain, 1) == Errc::ok);
        pair.device.publish();
        REQUIRE(pair.poll() == 1);
    }
}
