// SPDX-License-Identifier: BSD-2-Clause
// A device side collects a chain's segments here, on rings of both kinds.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/region.hpp"

namespace vfsproto {

struct ChainWalk {
    enum class Direction : std::uint8_t { readable, writable };

    const RegionTable& memory;
    std::span<HostSegment> storage;
    std::size_t segments = 0;
    std::uint32_t writable = 0;

    [[nodiscard]] Errc add(std::uint64_t addr, std::uint32_t len, Direction direction) noexcept {
        const bool is_writable = direction == Direction::writable;
        if (!is_writable && writable != 0) return Errc::chain_order;
        if (len == 0) return Errc::ok; // no byte to reach: its address means nothing
        std::byte* const data = memory.translate(DeviceAddr{addr}, len);
        if (data == nullptr) return Errc::chain_address;
        if (segments == storage.size()) return Errc::chain_too_long;
        storage[segments++] = {data, len};
        if (is_writable) ++writable;
        return Errc::ok;
    }
};

} // namespace vfsproto
