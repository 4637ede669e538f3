// SPDX-License-Identifier: BSD-2-Clause
// FUSE_INIT settles these. They are immutable while the session is ready, so lanes share them without locks.
#pragma once

#include "vfsproto/fuse/wire/init_flags.hpp"

#include <cstdint>

namespace vfsproto::client {

inline constexpr std::uint32_t kPageSize = 4096;      // the unit of max_pages
inline constexpr std::uint16_t kDefaultMaxPages = 32; // without MAX_PAGES (fuse.h 7.28)

struct SessionParams {
    std::uint32_t generation = 0; // of the session: counts its open()s; 0 before the first
    std::uint32_t minor = 0;      // the effective one: the smaller of both sides'
    wire::InitFlags flags{};      // negotiated: offered by us and taken by the server
    // We offered these. Some flags only say what we bear (NO_OPEN_SUPPORT, NO_OPENDIR_SUPPORT); servers need not take them.
    wire::InitFlags offered{};
    std::uint32_t max_readahead = 0;
    std::uint32_t max_write = kPageSize; // bytes of one WRITE, already clamped to max_pages and BIG_WRITES
    std::uint32_t max_read = kPageSize;  // bytes of one READ, by max_pages
    std::uint16_t max_pages = kDefaultMaxPages;
    std::uint16_t max_background = 0; // 0 = not set by the server
    std::uint16_t congestion_threshold = 0;
    std::uint32_t time_gran = 1; // ns
    std::uint16_t map_alignment = 0;
    std::uint16_t request_timeout = 0; // seconds, 0 = none
};

} // namespace vfsproto::client
