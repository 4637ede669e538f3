// SPDX-License-Identifier: BSD-2-Clause
// The host's attributes as messages carry them.
#pragma once

#include "vfsproto/backends/passthrough.hpp" // attr_of() of a struct stat
#include "vfsproto/fuse/wire/structs.hpp"

#include <sys/stat.h>

#include <chrono>

namespace vfsproto::backends {

// The mask passthrough gives to statx(2): all of an Attr, and the fields that tell one inode from another.
inline constexpr unsigned kStatxMask = STATX_BASIC_STATS | STATX_BTIME | 0x1000; // STATX_MNT_ID

[[nodiscard]] wire::Attr attr_of(const struct statx& from) noexcept;
[[nodiscard]] wire::Statx statx_of(const struct statx& from) noexcept;

// A validity time, in the two fields messages have for it.
struct Validity {
    std::uint64_t seconds = 0;
    std::uint32_t nanoseconds = 0;

    Validity() noexcept = default;
    explicit Validity(std::chrono::nanoseconds time) noexcept
        : seconds(static_cast<std::uint64_t>(time.count() < 0 ? 0 : time.count() / 1'000'000'000)),
          nanoseconds(static_cast<std::uint32_t>(time.count() < 0 ? 0 : time.count() % 1'000'000'000)) {}
};

} // namespace vfsproto::backends
