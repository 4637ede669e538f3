// SPDX-License-Identifier: BSD-2-Clause
// The clock that waits are measured with.
#pragma once

#include <time.h>

#include <cstdint>

namespace vfsproto::posix {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

// Returns CLOCK_MONOTONIC in nanoseconds.
inline std::uint64_t now_ns() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace vfsproto::posix
