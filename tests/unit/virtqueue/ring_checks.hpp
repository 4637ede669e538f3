// SPDX-License-Identifier: BSD-2-Clause
// Checks that a split and a packed ring pass alike. Each takes a pair of ring sides, and the test adds what its kind shows besides.
#pragma once

#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <cstdint>
#include <vector>

namespace vfsproto::test {

// Copies `size` bytes of a ring's memory.
[[nodiscard]] inline std::vector<std::uint8_t> bytes_at(const void* at, std::size_t size) {
    return {static_cast<const std::uint8_t*>(at), static_cast<const std::uint8_t*>(at) + size};
}

// Submits a chain of two readable and three writable segments, and pops it. It stays out.
template <class Pair> void check_popped_segments(Pair& pair, IndirectTables indirect) {
    constexpr std::uint32_t kLongest = 65'536;
    const Segment readable[] = {pair.segment(0, 40), pair.segment(1000, 7)};
    const Segment writable[] = {pair.segment(2000, 16), pair.segment(3000, 1), pair.segment(4096, kLongest)};
    REQUIRE(pair.driver.submit(readable, writable, Token{3}) == Errc::ok);
    CHECK(pair.pop() == -1); // not published yet
    pair.driver.kick();
    REQUIRE(pair.pop() == 0);
    REQUIRE(pair.chain.readable().size() == 2);
    REQUIRE(pair.chain.writable().size() == 3);
    CHECK(pair.chain.readable()[0].data == pair.data.host());
    CHECK(pair.chain.readable()[0].len == 40);
    CHECK(pair.chain.readable()[1].data == pair.data.host() + 1000);
    CHECK(pair.chain.readable()[1].len == 7);
    CHECK(pair.chain.writable()[0].data == pair.data.host() + 2000);
    CHECK(pair.chain.writable()[2].data == pair.data.host() + 4096);
    CHECK(pair.chain.writable()[2].len == kLongest);
    CHECK(pair.chain.descriptors == (indirect == IndirectTables::accepted ? 1 : 5));
    CHECK(pair.device.outstanding() == 1);
    CHECK(pair.pop() == -1);
}

// Lets a fresh device serve four chains, and copies with `snapshot` what it must not write to.
template <class Pair, class Snapshot> void check_unwritten(Pair& pair, const Snapshot& snapshot) {
    constexpr std::uint16_t kChains = 4;
    for (std::uint16_t i = 0; i < kChains; ++i) pair.submit_and_kick(i);
    const auto before = snapshot();
    pair.device.disarm();
    for (std::uint16_t i = 0; i < kChains; ++i) REQUIRE(pair.serve(i));
    static_cast<void>(pair.device.wants_notification());
    static_cast<void>(pair.device.arm());
    CHECK(snapshot() == before);
}

// Pushes chains of a fresh ring of eight descriptors, one of which is out.
template <class Pair> void check_refused_pushes(Pair& pair) {
    pair.submit_and_kick(0);
    CHECK(pair.device.push(pair.chain, 0) == Errc::bad_argument); // not popped yet
    REQUIRE(pair.pop() == 0);
    Chain other = pair.chain;
    for (const std::uint16_t head : {std::uint16_t{1}, std::uint16_t{8}, std::uint16_t{0xffff}}) {
        other.head = head;
        CHECK(pair.device.push(other, 0) == Errc::bad_argument);
    }
    CHECK(pair.device.push(pair.chain, 0) == Errc::ok);
    CHECK(pair.device.push(pair.chain, 0) == Errc::bad_argument); // once
    pair.device.publish();
    CHECK(pair.device.error() == Errc::ok);
}

// Counts the doorbells of a fresh device while it is armed and while it is not, up to its second arming, which sees nothing.
template <class Pair> void check_kicks_until_armed(Pair& pair) {
    pair.submit_and_kick(0);
    CHECK(pair.doorbells == 1); // a fresh device asks
    REQUIRE(pair.serve());
    pair.device.disarm();
    pair.submit_and_kick(1);
    CHECK(pair.doorbells == 1);
    CHECK(pair.device.arm()); // one is there: look again
    REQUIRE(pair.serve());
    CHECK_FALSE(pair.device.arm());
}

// Submits a chain, starts the device again by `restart`, and goes on.
template <class Pair, class Restart> void check_goes_on(Pair& pair, const Restart& restart) {
    constexpr std::uint32_t kWritten = 9;
    pair.submit_and_kick(1); // while the device is stopped
    const int before = pair.doorbells;
    restart();
    REQUIRE(pair.serve(kWritten));
    REQUIRE(pair.poll() == 1);
    CHECK(pair.done[0].token == Token{1});
    CHECK(pair.done[0].written == kWritten);
    CHECK_FALSE(pair.device.arm());
    pair.submit_and_kick(2);
    CHECK(pair.doorbells == before + 1);
}

// Submits what a driver refuses: too many segments for max_segments = 4, none, an empty one, and more than 2^32 - 1 bytes.
template <class Pair> void check_refused_submits(Pair& pair) {
    const Segment fine{DeviceAddr{0x1000}, 16};
    const Segment none{DeviceAddr{0x1000}, 0};
    const Segment huge{DeviceAddr{0x1000}, 0xffffffff};
    const std::vector<Segment> five(5, fine);
    const Segment with_empty[] = {fine, none};
    const Segment too_long[] = {huge, fine};
    CHECK(pair.driver.submit({}, {}, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit(five, {}, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit({five.data(), 2}, {five.data(), 3}, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit({&none, 1}, {}, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit(with_empty, {}, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit({&fine, 1}, with_empty, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit({&fine, 1}, too_long, Token{}) == Errc::bad_argument);
    CHECK(pair.driver.submit(too_long, {}, Token{}) == Errc::bad_argument);
}

} // namespace vfsproto::test
