// SPDX-License-Identifier: BSD-2-Clause
// Where a bench reads and writes next. Cheap: it stands in the loop that is measured.
#pragma once

#include <cstdint>

namespace vfsproto::cli {

class OffsetSequence {
public:
    enum class Order : bool { sequential, random };

    OffsetSequence() noexcept = default;
    // Offsets of whole blocks in a file of so many; `first` is where a sequential one begins, and the seed of a random one.
    OffsetSequence(Order order, std::uint64_t block_size, std::uint64_t blocks, std::uint64_t first) noexcept
        : order_(order),
          block_size_(block_size),
          blocks_(blocks),
          state_(order == Order::random ? 88172645463325252u + first * 977 : first) {}

    [[nodiscard]] std::uint64_t next() noexcept {
        if (order_ == Order::random) {
            state_ = state_ * 6364136223846793005u + 1442695040888963407u; // Knuth's; its high bits are the good ones
            // The high half of a product spreads evenly, without a division.
            return static_cast<std::uint64_t>((static_cast<unsigned __int128>(state_) * blocks_) >> 64) * block_size_;
        }
        const std::uint64_t block = state_;
        state_ = state_ + 1 == blocks_ ? 0 : state_ + 1;
        return block * block_size_;
    }

private:
    Order order_ = Order::sequential;
    std::uint64_t block_size_ = 0;
    std::uint64_t blocks_ = 1;
    std::uint64_t state_ = 0;
};

} // namespace vfsproto::cli
