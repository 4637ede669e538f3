// SPDX-License-Identifier: BSD-2-Clause
// Finds out whether a file or directory of the share and one of this host are one and the same, by whatever way the share
// leads there: a directory served in this process, a daemon's share, a bind mount, a symbolic link.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <sys/stat.h>

#include <string>

namespace vfsproto::cli {

// True if everything that both sides tell of a file is equal, times to the nanosecond.
[[nodiscard]] bool is_same_file(const posix::Attributes& there, const struct stat& here) noexcept;

// True if a file that is made in the local directory shows in the remote one. Looks only where the inode numbers are equal.
[[nodiscard]] bool shows_there(posix::Mount& mount, const std::string& remote, const posix::Attributes& there,
                               int here);
// True if a file that is made in the remote directory shows in the local one. Looks only where the inode numbers are equal.
[[nodiscard]] bool shows_here(posix::Mount& mount, const std::string& remote, const posix::Attributes& there, int here);

} // namespace vfsproto::cli
