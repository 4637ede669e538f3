// SPDX-License-Identifier: BSD-2-Clause
// The offsets at which a bench reads and writes. Cheap, because next() is in the loop that is measured.
#pragma once

#include <cstdint>

namespace vfsproto::cli {

class OffsetSequence {
public:
    enum class Order : bool { sequential, random };

    OffsetSequence() noexcept = default;
    // Offsets of whole blocks in a file of so many, 1 to 2^31; `first` is where a sequential one begins, and the seed of a
    // random one.
    OffsetSequence(Order order, std::uint64_t block_size, std::uint64_t blocks, std::uint64_t first) noexcept
        : block_size_(block_size), blocks_(blocks) {
        if (order == Order::random) {
            state_ = 88172645463325252u + first * 977;
            factor_ = 6364136223846793005u; // Knuth's; the high bits are the good ones
            step_ = 1442695040888963407u;
        } else {
            step_ = ~std::uint64_t{0} / blocks + 1;
            state_ = first * step_;
        }
    }

    // The high half of a product, because it spreads evenly and needs no division. A sequential order is a state that goes
    // once around while it passes all blocks.
    [[nodiscard]] std::uint64_t next() noexcept {
        const std::uint64_t state = state_;
        state_ = state * factor_ + step_;
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(state) * blocks_) >> 64) * block_size_;
    }

private:
    std::uint64_t block_size_ = 0;
    std::uint64_t blocks_ = 1;
    std::uint64_t state_ = 0;
    std::uint64_t factor_ = 1;
    std::uint64_t step_ = 0;
};

} // namespace vfsproto::cli
