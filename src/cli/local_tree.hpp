// SPDX-License-Identifier: BSD-2-Clause
// Making files below a local directory by plain names only: no link is ever followed, and no name leads out. What a
// server says its files are called, and what lies about in the directory already, cannot make us write elsewhere.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/file.hpp"

#include <string>

namespace vfsproto::cli {

// Only root may give files away.
enum class KeepOwner : std::uint8_t { no, yes };

// Says which files a new file, link or node may replace. A device such as /dev/null is not lost to a regular file.
enum class Replaces : std::uint8_t { files_and_links, special_files_too };
[[nodiscard]] constexpr bool may_replace(Replaces replaces, std::uint32_t mode) noexcept {
    if (posix::is_directory(mode)) return false;
    return replaces == Replaces::special_files_too || posix::is_regular(mode) || posix::is_symlink(mode);
}

using backends::FileDescriptor;

// Regular files and symbolic links that stand in the way are replaced, not written through; by a special file, special files
// as well; anything else is EEXIST. Names that are not plain are EINVAL.

// A directory that is there already will do.
[[nodiscard]] posix::Expected<FileDescriptor> make_directory(int parent, const std::string& name);
// Empty, to be written, for nobody else to read yet.
[[nodiscard]] posix::Expected<FileDescriptor> make_file(int parent, const std::string& name);
[[nodiscard]] posix::Failure make_symlink(int parent, const std::string& name, const std::string& target);
// Makes a special file with the mode that the umask leaves.
[[nodiscard]] posix::Failure make_node(int parent, const std::string& name, const posix::Attributes& attributes);
// `existing` is a relative path below `root`.
[[nodiscard]] posix::Failure make_link(int root, const std::string& existing, int parent, const std::string& name);

// Owner, mode and times, in the order in which they do not undo each other.
[[nodiscard]] posix::Failure set_attributes(int fd, const posix::Attributes& attributes, KeepOwner owner);
// Owner and times of what cannot be opened: symbolic links and special files.
[[nodiscard]] posix::Failure set_attributes_at(int parent, const std::string& name, const posix::Attributes& attributes,
                                               KeepOwner owner);

} // namespace vfsproto::cli
