// SPDX-License-Identifier: BSD-2-Clause
// Decides from what is known of a file and of what has its name at the target whether a copy is to be made.
#pragma once

#include "vfsproto/abi/attributes.hpp"

#include <cstdint>

namespace vfsproto::cli {

// Says which files are replaced. never: -n. when_older: -u. always: whatever is there.
enum class Overwrite : std::uint8_t { always, when_older, never };
// Says by what a file counts as copied already. size_and_time: sync-tree. content: --checksum.
enum class SameBy : std::uint8_t { nothing, size_and_time, content };
// Says what is to be done with a file. copy: it is to be copied. kept: what is there stays, whatever it is. same: what is there is
// such a copy already. content_decides: the bytes have to be compared.
enum class Verdict : std::uint8_t { copy, kept, same, content_decides };

struct Comparison {
    Overwrite overwrite = Overwrite::always;
    SameBy same_by = SameBy::nothing;
    // True if the copy gets the times of its source: then a target whose file system keeps less of a second is not older.
    bool keeps_times = false;

    // True if a verdict depends on what is at the target.
    [[nodiscard]] bool looks_at_target() const noexcept {
        return overwrite != Overwrite::always || same_by != SameBy::nothing;
    }
    // Takes files that are no directories. The caller compares symbolic links and special files, too: `content_decides`.
    [[nodiscard]] Verdict of(const abi::Attributes& source, const abi::Attributes& target) const noexcept;
};

// True if both times are equal as far as the target's file system keeps them: seconds, or two of them, or a part of one. The
// target's own time of change tells that, which the system sets as finely as it can.
[[nodiscard]] bool is_same_time(const abi::Attributes& source, const abi::Attributes& target) noexcept;

} // namespace vfsproto::cli
