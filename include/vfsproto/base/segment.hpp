// SPDX-License-Identifier: BSD-2-Clause
// A piece of memory as a device sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

// An address that the device dereferences: guest-physical, IOVA or bus address. Never a host pointer.
enum class DeviceAddr : std::uint64_t {};

[[nodiscard]] constexpr std::uint64_t to_number(DeviceAddr addr) noexcept { return static_cast<std::uint64_t>(addr); }
[[nodiscard]] constexpr DeviceAddr operator+(DeviceAddr addr, std::uint64_t offset) noexcept {
    return DeviceAddr{to_number(addr) + offset};
}

struct Segment {
    DeviceAddr addr{};
    std::uint32_t len{}; // bytes
};

// A segment on the device's side of the seam: memory of the driver, translated and bounds-checked.
struct HostSegment {
    std::byte* data{};
    std::uint32_t len{}; // bytes

    [[nodiscard]] constexpr std::span<std::byte> bytes() const noexcept { return {data, len}; }
};

template <class S> [[nodiscard]] constexpr std::uint64_t total_length(std::span<const S> segments) noexcept {
    std::uint64_t sum = 0;
    for (const S& segment : segments) sum += segment.len;
    return sum;
}

} // namespace vfsproto
