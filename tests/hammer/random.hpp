// SPDX-License-Identifier: BSD-2-Clause
// Numbers that look random and are the same again for the same seed (xorshift64*).
#pragma once

#include <cstddef>
#include <cstdint>

namespace hammer {

class Random {
public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed * kOdd + kOdd) {}

    [[nodiscard]] std::uint64_t next() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * kOdd;
    }
    // Returns a number below `limit`, which is not 0.
    [[nodiscard]] std::size_t below(std::size_t limit) noexcept {
        return static_cast<std::size_t>((next() >> 11) % limit);
    }

private:
    static constexpr std::uint64_t kOdd = 0x2545'f491'4f6c'dd1d;
    std::uint64_t state_;
};

} // namespace hammer
