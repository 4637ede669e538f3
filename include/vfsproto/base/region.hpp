// SPDX-License-Identifier: BSD-2-Clause
// The only type that relates a host pointer to a device address.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/segment.hpp"
#include "vfsproto/config.hpp"

#include <cstdint>

namespace vfsproto {

// A contiguous range of memory that both sides can see. Does not own the memory. Any context.
//
//   host 0x7f00'0000'0000, device 0x10'0000, size 0x4000
//   contains(DeviceAddr{0x10'3ff0}, 0x10)    true: the last 16 bytes
//   contains(DeviceAddr{0x10'3ff0}, 0x11)    false
//   at(DeviceAddr{0x10'0800}, 4)             0x7f00'0000'0800
//   segment(host + 0x800, 4)                 {0x10'0800, 4}
//   part(0x1000, 0x1000)                     host 0x7f00'0000'1000, device 0x10'1000, size 0x1000
class Region {
public:
    constexpr Region() noexcept = default;
    constexpr Region(std::byte* host, DeviceAddr device, std::size_t size) noexcept
        : host_(host), device_(device), size_(size) {}

    [[nodiscard]] constexpr std::byte* host() const noexcept { return host_; }
    [[nodiscard]] constexpr DeviceAddr device() const noexcept { return device_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; } // bytes
    [[nodiscard]] constexpr std::span<std::byte> bytes() const noexcept { return {host_, size_}; }

    // True if all of [data, data + len) is inside. Zero bytes inside or at the end count as inside.
    [[nodiscard]] bool contains(const std::byte* data, std::size_t len) const noexcept {
        const auto from = address_of(data);
        const auto start = address_of(host_);
        return host_ != nullptr && from >= start && from - start <= size_ && len <= size_ - (from - start);
    }
    [[nodiscard]] constexpr bool contains(DeviceAddr addr, std::uint64_t len) const noexcept {
        const std::uint64_t from = to_number(addr);
        const std::uint64_t start = to_number(device_);
        return host_ != nullptr && from >= start && from - start <= size_ && len <= size_ - (from - start);
    }

    // Translate one way and the other. The caller has checked contains().
    [[nodiscard]] Segment segment(const std::byte* data, std::uint32_t len) const noexcept {
        VFSPROTO_ASSERT(contains(data, len));
        return {device_ + static_cast<std::uint64_t>(data - host_), len};
    }
    [[nodiscard]] std::byte* at(DeviceAddr addr, std::uint64_t len) const noexcept {
        VFSPROTO_ASSERT(contains(addr, len));
        return host_ + (to_number(addr) - to_number(device_));
    }
    // Returns the part [offset, offset + len) of this region, in bytes. The caller has checked that it fits.
    [[nodiscard]] Region part(std::size_t offset, std::size_t len) const noexcept {
        VFSPROTO_ASSERT(offset <= size_ && len <= size_ - offset);
        return {host_ + offset, device_ + offset, len};
    }

private:
    static std::uintptr_t address_of(const std::byte* p) noexcept { return reinterpret_cast<std::uintptr_t>(p); }

    std::byte* host_ = nullptr;
    DeviceAddr device_{};
    std::size_t size_ = 0;
};

// The regions that a driver gave its device: a device side may touch nothing else. Translation remembers the last hit,
// because nearly every descriptor of a chain lies in one region. One owner at a time, also of const calls.
class RegionTable {
public:
    // Errors: no_memory when full, bad_argument when empty or overlapping in device addresses.
    [[nodiscard]] Errc add(const Region& region) noexcept;
    // True if a region starting at this device address was removed.
    bool remove(DeviceAddr start) noexcept;
    void clear() noexcept { count_ = 0, recent_ = {}; }

    // The host bytes of [addr, addr + len), or nullptr when any of it lies outside one single region. The request is in
    // the peer's hands: every value is legal input.
    [[nodiscard]] std::byte* translate(DeviceAddr addr, std::uint64_t len) const noexcept {
        std::byte* const host = translate_recent(addr, len);
        return host != nullptr ? host : translate_slow(addr, len);
    }
    // Fast path of translate(): knows the region hit last only. Returns nullptr for anything else, and for 0 bytes.
    [[nodiscard]] std::byte* translate_recent(DeviceAddr addr, std::uint64_t len) const noexcept {
        // Two comparisons cover all bad input: an address below the region wraps to a huge offset; an empty or
        // overflowing range has end <= offset.
        const std::uint64_t offset = to_number(addr) - to_number(recent_.device());
        const std::uint64_t end = offset + len;
        if (end <= offset || end > recent_.size()) return nullptr;
        std::byte* const host = recent_.host() + offset;
        if (host == nullptr) __builtin_unreachable(); // add() takes no such region: spares the caller a check
        return host;
    }
    [[nodiscard]] std::span<const Region> regions() const noexcept { return {regions_, count_}; }

private:
    [[nodiscard]] std::byte* translate_slow(DeviceAddr addr, std::uint64_t len) const noexcept;

    Region regions_[config::kMaxRegions];
    std::size_t count_ = 0;
    mutable Region recent_; // a copy of the one hit last
};

} // namespace vfsproto
