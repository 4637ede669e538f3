// SPDX-License-Identifier: BSD-2-Clause
// Takes a fuzz input apart. What is missing at its end reads as zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vfsproto::fuzz {

class InputReader {
public:
    explicit InputReader(std::span<const std::byte> input) noexcept : rest_(input) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::uint8_t byte() noexcept {
        if (rest_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    [[nodiscard]] std::uint16_t word() noexcept {
        const std::uint16_t low = byte();
        return static_cast<std::uint16_t>(low | byte() << 8);
    }
    [[nodiscard]] std::vector<std::byte> bytes(std::size_t most) {
        const auto taken = rest_.first(most < rest_.size() ? most : rest_.size());
        rest_ = rest_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }
    [[nodiscard]] std::vector<std::byte> rest() { return bytes(rest_.size()); }

private:
    std::span<const std::byte> rest_;
};

} // namespace vfsproto::fuzz
