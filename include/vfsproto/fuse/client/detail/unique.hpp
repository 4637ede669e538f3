// SPDX-License-Identifier: BSD-2-Clause
// Makes a request's `unique`: (sequence:38 | lane:8 | slot:16) << 1. No two requests of a session are alike, so a
// late or forged reply fails a compare. Bit 0 stays free for INTERRUPT and bit 63 for RESEND (fuse.h 7.40).
#pragma once

#include <cstdint>

namespace vfsproto::client {

inline constexpr std::uint64_t kSequenceBits = 38;
inline constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;
inline constexpr std::uint8_t kSessionLane = 0;   // the session's own requests
inline constexpr std::uint64_t kInterruptBit = 1; // in an INTERRUPT's unique, beside its target's

[[nodiscard]] constexpr std::uint64_t make_unique(std::uint64_t sequence, std::uint8_t lane,
                                                  std::uint16_t slot) noexcept {
    return ((sequence & kSequenceMask) << 24 | std::uint64_t{lane} << 16 | slot) << 1;
}

// The one after it; starts at 1 and skips 0, because one server aborts on a unique of 0.
[[nodiscard]] constexpr std::uint64_t next_sequence(std::uint64_t sequence) noexcept {
    const std::uint64_t next = (sequence + 1) & kSequenceMask;
    return next == 0 ? 1 : next;
}

// The uniques of one lane's requests, one after the other: the same numbers, an addition each.
class UniqueSource {
public:
    constexpr UniqueSource() noexcept = default;
    explicit constexpr UniqueSource(std::uint8_t lane, std::uint64_t first = 1) noexcept
        : next_(make_unique(first, lane, 0)) {}

    // The sequence goes on, for another lane.
    constexpr void set_lane(std::uint8_t lane) noexcept {
        next_ = (next_ & ~(kStep - 1)) | (make_unique(1, lane, 0) & (kStep - 1));
    }

    [[nodiscard]] constexpr std::uint64_t take(std::uint16_t slot) noexcept {
        const std::uint64_t unique = next_ + (std::uint64_t{slot} << 1);
        next_ += kStep;
        if (next_ >> 63 != 0) [[unlikely]]
            start_again();
        return unique;
    }

private:
    // Sequence 1, the same lane.
    [[gnu::noinline]] constexpr void start_again() noexcept { next_ = (next_ & (kStep - 1)) + kStep; }

    static constexpr std::uint64_t kStep = make_unique(1, 0, 0);
    std::uint64_t next_ = kStep;
};

static_assert(make_unique(kSequenceMask, 0xff, 0xffff) < std::uint64_t{1} << 63);
static_assert((make_unique(1, 0, 0) & 1) == 0 && make_unique(1, 0, 0) != 0);

} // namespace vfsproto::client
