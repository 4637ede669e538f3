// SPDX-License-Identifier: BSD-2-Clause
// The temporary files at the server that have no name of their own yet. A server that stands still or has died removes none:
// the user has to hear where they are.
#pragma once

#include "target_options.hpp"

#include "vfsproto/posix/mount.hpp"

#include <string>
#include <vector>

namespace vfsproto::cli {

// All functions may be called by any thread.

// Called before something is made by this path. Until it is removed or renamed it may be left.
void note_remote_temporary(const std::string& path);
// Notes a path, and makes a new file there that only its owner may read or write, open for writing.
[[nodiscard]] posix::Expected<posix::File> make_remote_temporary(posix::Mount& mount, const std::string& path);
// Removes the file. One that the server does not remove stays among those that may be left.
void remove_remote_temporary(posix::Mount& mount, const std::string& path);
// Gives the file its name. With Clobber::never EEXIST where something has that name; only a server that can neither rename
// without replacing nor make links is asked before whether it is free.
[[nodiscard]] posix::Failure rename_remote_temporary(posix::Mount& mount, const std::string& path,
                                                     const std::string& new_path, Clobber clobber);
// Called when the file was renamed.
void forget_remote_temporary(const std::string& path) noexcept;
// True if the server may have done what it was asked although it failed: it had no descriptors left, or the answer did not come.
[[nodiscard]] bool may_be_done(const posix::Failure& why) noexcept;
// Called when nothing could be made by this path. What was made all the same is removed.
void settle_unmade_temporary(posix::Mount& mount, const std::string& path, const posix::Failure& why);
// Takes the paths of all that may be left, so that they are told once.
[[nodiscard]] std::vector<std::string> take_remote_temporaries();

} // namespace vfsproto::cli
