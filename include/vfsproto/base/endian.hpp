// SPDX-License-Identifier: BSD-2-Clause
// Little-endian integers as virtio rings and configuration space hold them (virtio 1.2 §1.4). FUSE structures are not
// made of these: they are in the byte order of the driver.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

namespace vfsproto {

template <std::unsigned_integral T> [[nodiscard]] constexpr T byte_swapped(T value) noexcept {
    if constexpr (sizeof(T) == 1) return value;
    if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(value));
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

template <std::unsigned_integral T> [[nodiscard]] constexpr T little_endian(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little) return value;
    return byte_swapped(value);
}

// An integer stored little-endian. Plain (unordered) access; what is shared with a running peer goes through fence.hpp.
template <std::unsigned_integral T> struct Le {
    T stored{};

    constexpr Le() noexcept = default;
    constexpr Le(T value) noexcept : stored(little_endian(value)) {} // NOLINT: implicit by design
    [[nodiscard]] constexpr T value() const noexcept { return little_endian(stored); }
    friend constexpr bool operator==(Le, Le) noexcept = default;
};

using Le16 = Le<std::uint16_t>;
using Le32 = Le<std::uint32_t>;
using Le64 = Le<std::uint64_t>;

static_assert(sizeof(Le16) == 2 && sizeof(Le32) == 4 && sizeof(Le64) == 8);

} // namespace vfsproto
