// SPDX-License-Identifier: BSD-2-Clause
// The client's caches measure two things: until when a reply is valid, in the host's time, and which of two events came first,
// in a count of their own (reference: Linux fs/fuse/inode.c, fuse_get_attr_version()).
#pragma once

#include <cstdint>

namespace vfsproto::client {

// A time on the host's clock in nanoseconds; the clock never goes back. What expires at a time is no longer valid at it.
using CacheTime = std::uint64_t;

inline constexpr CacheTime kNeverValid = 0;
inline constexpr CacheTime kAlwaysValid = UINT64_MAX;

// Returns when that expires which a server allows to be kept for so long. `sent`: when the request was sent, because the server may
// have looked at the file right then. A validity of 0 is kNeverValid; too many nanoseconds and too many seconds are cut.
[[nodiscard]] constexpr CacheTime expiry_of(CacheTime sent, std::uint64_t seconds, std::uint32_t nanoseconds) noexcept {
    constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
    constexpr std::uint32_t kMostNanoseconds = 999'999'999;
    const std::uint64_t rest = nanoseconds < kMostNanoseconds ? nanoseconds : kMostNanoseconds;
    if (seconds == 0 && rest == 0) return kNeverValid;
    if (seconds > (kAlwaysValid - rest) / kNsPerSecond) return kAlwaysValid;
    const std::uint64_t validity = seconds * kNsPerSecond + rest;
    return validity > kAlwaysValid - sent ? kAlwaysValid : sent + validity;
}

// Counts the changes that caches of one mount have seen: own ones, and those a notification told of. The moment before a
// request is sent is compared with the last change of what its reply is about. One owner at a time, that of the caches.
class ChangeCount {
public:
    using Moment = std::uint64_t;

    [[nodiscard]] Moment now() const noexcept { return now_; }
    // Begins a new moment and returns it: every request sent before is older.
    Moment next() noexcept { return ++now_; }

private:
    Moment now_ = 1;
};

} // namespace vfsproto::client
