// SPDX-License-Identifier: BSD-2-Clause
// Checks that hold whatever a peer writes into a ring, split or packed.
#pragma once

#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <cstddef>
#include <cstdint>
#include <set>

namespace vfsproto::test {

// Takes every chain the device side can be made to take from a ring of `size`, and gives about half of them back. Each of their
// segments lies in memory that the device side was given. Returns how many there were.
template <class Pair> int take_forged_chains(Pair& pair, Random& random, int size) {
    int taken = 0;
    while (pair.pop() >= 0) {
        if (++taken > size) FAIL("more chains than the ring has descriptors");
        const auto count = std::size_t{pair.chain.readable_count} + pair.chain.writable_count;
        for (const HostSegment& segment : pair.chain.storage.first(count)) {
            const bool is_inside = pair.data.contains(segment.data, segment.len) ||
                                   pair.ring_memory().contains(segment.data, segment.len) ||
                                   pair.tables().contains(segment.data, segment.len);
            if (!is_inside || segment.len == 0) FAIL("a segment outside the memory given");
        }
        // The device side publishes nothing of it: a used descriptor would end the run of available ones.
        if (random.one_in(2)) REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    }
    return taken;
}

// Writes random bytes to random places of a ring.
inline void scribble(const Region& ring, Random& random, int count) {
    for (int i = 0; i < count; ++i) ring.host()[random.below(ring.size())] = static_cast<std::byte>(random.next());
}

// The tokens of a driver that are out: each comes back once, by a completion or by evacuate().
class TokensOut {
public:
    template <class Pair> void submit(Pair& pair) {
        if (pair.submit(next_) == Errc::ok) out_.insert(next_++);
    }
    // Takes what is completed, no longer than the writable part of a chain. Returns how many there were.
    template <class Pair> std::size_t complete(Pair& pair, std::uint32_t writable) {
        const std::size_t count = pair.poll();
        for (std::size_t i = 0; i < count; ++i) {
            take(pair.done[i].token);
            if (pair.done[i].written > writable) FAIL("more than was writable");
        }
        return count;
    }
    // Takes all that is left.
    template <class Pair> void evacuate(Pair& pair) {
        for (std::size_t count = 0; (count = pair.driver.evacuate(pair.done)) != 0;) {
            for (std::size_t i = 0; i < count; ++i) take(pair.done[i].token);
        }
        if (!out_.empty()) FAIL("a token was lost");
    }

private:
    void take(Token token) {
        if (out_.erase(token.slot) != 1) FAIL("a token that was not out");
    }

    std::set<std::uint16_t> out_;
    std::uint16_t next_ = 0;
};

// Evacuates a driver that has latched. Returns how many tokens were out.
template <class Pair> std::size_t evacuate_all(Pair& pair) {
    std::size_t sum = 0;
    for (std::size_t n = 0; (n = pair.driver.evacuate(pair.done)) != 0;) sum += n;
    return sum;
}

} // namespace vfsproto::test
