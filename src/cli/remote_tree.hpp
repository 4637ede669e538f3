// SPDX-License-Identifier: BSD-2-Clause
// Making files at the server, for copies of trees: what local_tree.hpp does here. Links are not followed; what
// is in the way is replaced as Replaces says, anything else is an error.
#pragma once

#include "local_tree.hpp"

#include "vfsproto/posix/mount.hpp"

#include <string>

namespace vfsproto::cli {

// A directory that is there already will do.
[[nodiscard]] posix::Failure make_remote_directory(posix::Mount& mount, const std::string& path);
// Empty, to be written.
[[nodiscard]] posix::Expected<posix::File> make_remote_file(posix::Mount& mount, const std::string& path);
[[nodiscard]] posix::Failure make_remote_symlink(posix::Mount& mount, const std::string& path,
                                                 const std::string& target);
[[nodiscard]] posix::Failure make_remote_node(posix::Mount& mount, const std::string& path,
                                              const posix::Attributes& attributes);
[[nodiscard]] posix::Failure make_remote_link(posix::Mount& mount, const std::string& existing,
                                              const std::string& path);

// Owner, mode (but of symbolic links) and times.
[[nodiscard]] posix::Failure set_remote_attributes(posix::Mount& mount, const std::string& path,
                                                   const posix::Attributes& attributes, KeepOwner owner);
[[nodiscard]] posix::Failure set_remote_attributes(posix::Mount& mount, const posix::File& file,
                                                   const posix::Attributes& attributes, KeepOwner owner);

} // namespace vfsproto::cli
