// SPDX-License-Identifier: BSD-2-Clause
// The only type that relates a host pointer to a device address.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/segment.hpp"
#include "vfsproto/config.hpp"

#include <cstdint>

namespace vfsproto {

// A contiguous range both sides can see. Does not own the memory. Any context.
class Region {
public:
    constexpr Region() noexcept = default;
    constexpr Region(std::byte* host, DeviceAddr device, std::size_t size) noexcept
        : host_(host), device_(device), size_(size) {}

    [[nodiscard]] constexpr std::byte* host() const noexcept { return host_; }
    [[nodiscard]] constexpr DeviceAddr device() const noexcept { return device_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; } // bytes
    [[nodiscard]] constexpr std::span<std::byte> bytes() const noexcept { return {host_, size_}; }

    // Is all of [data, data + len) inside? Zero bytes inside or at the end count as inside.
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

    // The caller has checked contains().
    [[nodiscard]] Segment segment(const std::byte* data, std::uint32_t len) const noexcept {
        VFSPROTO_ASSERT(contains(data, len));
        return {device_ + static_cast<std::uint64_t>(data - host_), len};
    }
    [[nodiscard]] std::byte* at(DeviceAddr addr, std::uint64_t len) const noexcept {
        VFSPROTO_ASSERT(contains(addr, len));
        return host_ + (to_number(addr) - to_number(device_));
    }
    // A part of this region. The caller has checked that it fits.
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

// What a device side may touch: the regions its driver gave it. Translation remembers the last hit, because nearly every
// descriptor of a chain lies in the same region. One owner at a time.
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
    // The same for what is not empty and lies in the region hit last; nullptr for all else.
    [[nodiscard]] std::byte* translate_recent(DeviceAddr addr, std::uint64_t len) const noexcept {
        // Of an address below the region the difference wraps to beyond its end; of an empty or a huge range the sum is
        // not above the offset.
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
