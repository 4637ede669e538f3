// SPDX-License-Identifier: BSD-2-Clause
// Options of mounts that keep what a server lets them keep, for tests that count what they still ask.
#pragma once

#include "unit/posix/mounted.hpp"
#include "unit/posix/request_counter.hpp"

#include <cstdint>

namespace vfsproto::test {

inline constexpr std::uint64_t kHour = 3600ull * 1'000'000'000; // nanoseconds

// Returns the options of a mount over a memfs that lets names, absent ones too, and attributes be kept for an hour.
[[nodiscard]] inline MountedOptions with_cache(posix::CacheMode mode, RequestCounter& requests) {
    MountedOptions options;
    options.scratch = Scratch::memory;
    options.mount.cache.mode = mode;
    options.mount.channel.trace = requests.hook();
    options.memfs.entry_valid = kHour;
    options.memfs.attr_valid = kHour;
    options.memfs.negative_valid = kHour;
    return options;
}

} // namespace vfsproto::test
