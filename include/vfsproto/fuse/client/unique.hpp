// SPDX-License-Identifier: BSD-2-Clause
// How a request's `unique` is made: (sequence:38 | lane:8 | slot:16) << 1. No two requests of a session are alike, so a
// late or forged reply fails a compare. Bit 0 stays free for INTERRUPT and bit 63 for RESEND (fuse.h 7.40).
#pragma once

#include <cstdint>

namespace vfsproto::client {

inline constexpr std::uint64_t kSequenceBits = 38;
inline constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;
inline constexpr std::uint8_t kSessionLane = 0; // the session's own requests

[[nodiscard]] constexpr std::uint64_t make_unique(std::uint64_t sequence, std::uint8_t lane,
                                                  std::uint16_t slot) noexcept {
    return ((sequence & kSequenceMask) << 24 | std::uint64_t{lane} << 16 | slot) << 1;
}

// The one after it; starts at 1 and skips 0, because one server aborts on a unique of 0.
[[nodiscard]] constexpr std::uint64_t next_sequence(std::uint64_t sequence) noexcept {
    const std::uint64_t next = (sequence + 1) & kSequenceMask;
    return next == 0 ? 1 : next;
}

static_assert(make_unique(kSequenceMask, 0xff, 0xffff) < std::uint64_t{1} << 63);
static_assert((make_unique(1, 0, 0) & 1) == 0 && make_unique(1, 0, 0) != 0);

} // namespace vfsproto::client
