// SPDX-License-Identifier: BSD-2-Clause
// A set of flags that a peer sends as 64 bits.
#pragma once

#include <cstdint>

namespace vfsproto {

// The members of `E` are bit numbers, 0 to 63. Bits that `E` does not name are kept.
template <class E> class FlagSet {
public:
    constexpr FlagSet() noexcept = default;
    constexpr explicit FlagSet(std::uint64_t bits) noexcept : bits_(bits) {}
    template <class... F> [[nodiscard]] static constexpr FlagSet of(F... flags) noexcept {
        FlagSet set;
        (set.add(flags), ...);
        return set;
    }

    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
    // Bits 0 to 31 and 32 to 63, for a wire that has two words.
    [[nodiscard]] constexpr std::uint32_t low_word() const noexcept { return static_cast<std::uint32_t>(bits_); }
    [[nodiscard]] constexpr std::uint32_t high_word() const noexcept { return static_cast<std::uint32_t>(bits_ >> 32); }

    [[nodiscard]] constexpr bool has(E flag) const noexcept { return (bits_ & mask_of(flag)) != 0; }
    constexpr void add(E flag) noexcept { bits_ |= mask_of(flag); }
    constexpr void remove(E flag) noexcept { bits_ &= ~mask_of(flag); }
    [[nodiscard]] friend constexpr FlagSet operator&(FlagSet a, FlagSet b) noexcept {
        return FlagSet(a.bits_ & b.bits_);
    }
    [[nodiscard]] friend constexpr FlagSet operator|(FlagSet a, FlagSet b) noexcept {
        return FlagSet(a.bits_ | b.bits_);
    }
    friend constexpr bool operator==(FlagSet, FlagSet) noexcept = default;

private:
    [[nodiscard]] static constexpr std::uint64_t mask_of(E flag) noexcept {
        return std::uint64_t{1} << static_cast<unsigned>(flag);
    }

    std::uint64_t bits_ = 0;
};

} // namespace vfsproto
