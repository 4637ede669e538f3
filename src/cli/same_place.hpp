// SPDX-License-Identifier: BSD-2-Clause
// Finds out whether a file or directory of the share and one of this host are one and the same, by whatever way the share
// leads there: a directory served in this process, a daemon's share, a bind mount, a symbolic link.
#pragma once

#include "hard_links.hpp"

#include "vfsproto/posix/mount.hpp"

#include <optional>
#include <string>

namespace vfsproto::cli {

// True if a limit ended the question: nobody knows what is there, or if it was done.
[[nodiscard]] inline bool is_unanswered(const posix::Failure& failure) noexcept {
    return failure.errc == Errc::timed_out || failure.errc == Errc::abandoned;
}
template <class Found> [[nodiscard]] bool is_unanswered(const Found& found) {
    if constexpr (requires { found.failure(); }) {
        return !found && is_unanswered(found.failure());
    } else {
        return false;
    }
}

// True if two ways lead to one file; each function looks anew at what is there, and returns its attributes or nothing. Inode
// numbers alone may be equal on two file systems: sizes and times tell those files apart. Somebody may write to the file
// meanwhile, so they count only where the first way told the same before and after the other, more than once. True if that
// cannot be found out: then nothing is written.
template <class StatA, class StatB> [[nodiscard]] bool lead_to_one_file(StatA&& stat_a, StatB&& stat_b) {
    constexpr int kTries = 100;
    constexpr int kEnough = 3; // a file that is cut and written again within a clock tick has its old size and time
    for (int tries = 0, differed = 0; tries < kTries; ++tries) {
        const auto before = stat_a();
        if (!before) return is_unanswered(before);
        const auto there = stat_b();
        if (!there || there->ino != before->ino) return is_unanswered(there);
        const auto after = stat_a();
        if (!after) return is_unanswered(after);
        const FileIdentity other = identity_of(*there, 0);
        if (other == identity_of(*before, 0) || other == identity_of(*after, 0)) return true;
        if (identity_of(*before, 0) == identity_of(*after, 0) && ++differed == kEnough) return false;
    }
    return true;
}

// Returns what fstat(2) tells of an open file.
[[nodiscard]] std::optional<posix::Attributes> attributes_of(int fd) noexcept;

// True if two names at the server are one regular file that we may read. While both are open, the server has one nodeid for one
// file; it may tell one inode number of two files of two file systems below one share.
[[nodiscard]] bool is_one_remote_file(posix::Mount& mount, const std::string& a, const std::string& b);

// True if a file that is made in the local directory shows in the remote one. Looks only where the inode numbers are equal.
[[nodiscard]] bool shows_there(posix::Mount& mount, const std::string& remote, const posix::Attributes& there,
                               int here);
// True if a file that is made in the remote directory shows in the local one. Looks only where the inode numbers are equal.
[[nodiscard]] bool shows_here(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here);

} // namespace vfsproto::cli
