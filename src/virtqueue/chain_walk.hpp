// SPDX-License-Identifier: BSD-2-Clause
// A device side collects a chain's segments here, on rings of both kinds.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/region.hpp"

namespace vfsproto {

struct ChainWalk {
    enum class Direction : std::uint8_t { readable, writable };

    // Fills `storage`, of which a chain uses at most 65,535 segments: Chain counts them in 16 bits.
    ChainWalk(const RegionTable& memory, std::span<HostSegment> storage) noexcept
        : memory_(memory), storage_(storage.first(storage.size() < kMost ? storage.size() : kMost)) {}

    // Adds what one descriptor points to. Errors: chain_order, chain_address, chain_too_long (no room in the storage).
    [[nodiscard]] Errc add(std::uint64_t addr, std::uint32_t len, Direction direction) noexcept {
        const bool is_writable = direction == Direction::writable;
        if (!is_writable && writable_ != 0) return Errc::chain_order;
        if (len == 0) return Errc::ok; // no byte to reach: its address means nothing
        std::byte* const data = memory_.translate(DeviceAddr{addr}, len);
        if (data == nullptr) [[unlikely]]
            return add_spanning(addr, len, is_writable);
        return add_part({data, len}, is_writable);
    }

    [[nodiscard]] std::size_t segments() const noexcept { return segments_; }
    [[nodiscard]] std::uint16_t readable() const noexcept { return static_cast<std::uint16_t>(segments_ - writable_); }
    [[nodiscard]] std::uint16_t writable() const noexcept { return static_cast<std::uint16_t>(writable_); }

private:
    static constexpr std::size_t kMost = 0xffff;

    [[nodiscard]] Errc add_part(const HostSegment& part, bool is_writable) noexcept {
        if (segments_ == storage_.size()) return Errc::chain_too_long;
        storage_[segments_++] = part;
        if (is_writable) ++writable_;
        return Errc::ok;
    }

    // Slow path: adds a descriptor that no single region holds, one segment for each region it lies in. A guest whose memory
    // is several regions that follow each other (one for each NUMA node) may send one that spans them.
    [[nodiscard, gnu::noinline]] Errc add_spanning(std::uint64_t addr, std::uint32_t len, bool is_writable) noexcept {
        if (addr + (len - 1) < addr) return Errc::chain_address;
        while (len != 0) {
            const HostSegment part = find_front(DeviceAddr{addr}, len);
            if (part.data == nullptr) return Errc::chain_address;
            if (const Errc why = add_part(part, is_writable); why != Errc::ok) return why;
            addr += part.len;
            len -= part.len;
        }
        return Errc::ok;
    }
    // Returns the host bytes from `addr` on, as far as one region reaches and at most `len`. Empty if no region has `addr`.
    [[nodiscard]] HostSegment find_front(DeviceAddr addr, std::uint32_t len) const noexcept {
        for (const Region& region : memory_.regions()) {
            if (!region.contains(addr, 1)) continue;
            const std::uint64_t left = region.size() - (to_number(addr) - to_number(region.device()));
            return {region.at(addr, 1), left < len ? static_cast<std::uint32_t>(left) : len};
        }
        return {};
    }

    const RegionTable& memory_;
    std::span<HostSegment> storage_;
    std::size_t segments_ = 0;
    std::uint32_t writable_ = 0;
};

} // namespace vfsproto
