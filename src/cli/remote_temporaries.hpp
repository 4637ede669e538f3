// SPDX-License-Identifier: BSD-2-Clause
// The temporary files at the server that have no name of their own yet. A server that stands still or has died removes none:
// the user has to hear where they are.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <string>
#include <vector>

namespace vfsproto::cli {

// All functions may be called by any thread.

// Makes a new file that only its owner may read or write, open for writing. Until it is removed or renamed it may be left.
[[nodiscard]] posix::Expected<posix::File> make_remote_temporary(posix::Mount& mount, const std::string& path);
// Removes the file. One that the server does not remove stays among those that may be left.
void remove_remote_temporary(posix::Mount& mount, const std::string& path);
// Called when the file was renamed.
void forget_remote_temporary(const std::string& path) noexcept;
// Takes the paths of all that may be left, so that they are told once.
[[nodiscard]] std::vector<std::string> take_remote_temporaries();

} // namespace vfsproto::cli
