// SPDX-License-Identifier: BSD-2-Clause
// VIRTIO_F_IN_ORDER on a packed ring (virtio 1.2 §2.8.8).
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

RingPairOptions in_order(std::uint16_t size) { return {.size = size, .max_segments = 2, .order = UseOrder::in_order}; }

} // namespace

TEST_CASE("with IN_ORDER one used descriptor tells of all chains of a burst", "[virtqueue]") {
    PackedPair pair(in_order(16));
    for (std::uint16_t i = 0; i < 5; ++i) REQUIRE(pair.submit(i) == Errc::ok);
    pair.driver.kick();
    const std::uint64_t second = pair.ring.descriptors()[2].word.value();
    for (std::uint16_t i = 0; i < 5; ++i) {
        REQUIRE(pair.pop() == i);
        REQUIRE(pair.device.push(pair.chain, i + 1u) == Errc::ok);
    }
    pair.device.publish();
    CHECK(pair.ring.descriptors()[0].word.value() == PackedDesc::pack(5, 4, packed::kBoth | packed::kWrite));
    CHECK(pair.ring.descriptors()[2].word.value() == second); // the others are skipped
    CHECK(pair.device.next_used() == 0x800a);
    CHECK(pair.device.counters().publications == 1);
    CHECK(pair.device.counters().completions == 5);
    REQUIRE(pair.poll() == 5);
    for (std::uint16_t i = 0; i < 5; ++i) {
        CHECK(pair.done[i].token == Token{i});
        CHECK(pair.done[i].written == (i == 4 ? 5 : 64)); // all that was writable, where no length is told
    }
    CHECK(pair.driver.limits().written == WrittenLength::upper_bound);
}

TEST_CASE("with IN_ORDER what is completed waits for what came before it", "[virtqueue]") {
    PackedPair pair(in_order(16));
    HostSegment storage[3][4];
    Chain chains[3];
    for (std::uint16_t i = 0; i < 3; ++i) {
        pair.submit_and_kick(i);
        chains[i].storage = storage[i];
        REQUIRE(pair.device.pop(chains[i]));
    }
    REQUIRE(pair.device.push(chains[1], 2) == Errc::ok);
    CHECK(pair.device.outstanding() == 2);
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.poll() == 0);
    REQUIRE(pair.device.push(chains[0], 1) == Errc::ok);
    CHECK(pair.device.wants_notification());
    REQUIRE(pair.poll() == 2);
    CHECK(pair.done[0].token == Token{0});
    CHECK(pair.done[1].token == Token{1});
    CHECK(pair.done[1].written == 2);
    REQUIRE(pair.device.push(chains[2], 3) == Errc::ok);
    pair.device.publish();
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].written == 3);
}

TEST_CASE("a batch is taken in as many polls as there is room for", "[virtqueue]") {
    PackedPair pair(in_order(17));
    for (int round = 0; round < 10; ++round) {
        for (std::uint16_t i = 0; i < 8; ++i) REQUIRE(pair.submit(i) == Errc::ok);
        pair.driver.kick();
        for (std::uint16_t i = 0; i < 8; ++i) {
            REQUIRE(pair.pop() >= 0);
            REQUIRE(pair.device.push(pair.chain, 10) == Errc::ok);
        }
        pair.device.publish();
        Completion three[3];
        REQUIRE(pair.driver.poll(three) == 3);
        CHECK(three[2].token == Token{2});
        CHECK(three[2].written == 64);
        CHECK(pair.driver.arm(8)); // five are there
        REQUIRE(pair.submit(9) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve(20));
        REQUIRE(pair.driver.poll(three) == 3);
        REQUIRE(pair.driver.poll(three) == 3); // into the next batch
        CHECK(three[1].token == Token{7});
        CHECK(three[1].written == 10);
        CHECK(three[2].token == Token{9});
        CHECK(three[2].written == 20);
        CHECK(pair.driver.poll(three) == 0);
        CHECK_FALSE(pair.driver.arm(1));
    }
}

TEST_CASE("with IN_ORDER a device may also tell of each chain", "[virtqueue]") {
    PackedPair pair(in_order(5));
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

TEST_CASE("arm with IN_ORDER fires when the nth chain is used", "[virtqueue]") {
    RingPairOptions options = in_order(64);
    options.event_index = EventIndex::on;
    PackedPair pair(options);
    for (std::uint16_t i = 0; i < 10; ++i) pair.submit_and_kick(i);
    REQUIRE_FALSE(pair.driver.arm(4));
    for (int i = 1; i <= 10; ++i) {
        REQUIRE(pair.serve());
        CHECK(pair.device.wants_notification() == (i == 4));
    }
    CHECK(pair.poll() == 10);
}
