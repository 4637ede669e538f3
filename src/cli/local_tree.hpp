// SPDX-License-Identifier: BSD-2-Clause
// Making files below a local directory by names of a single component only: no link is ever followed, and no name leads out. What a
// server says its files are called, and what lies about in the directory already, cannot make us write elsewhere.
#pragma once

#include "xattr_copy.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/file.hpp"

#include <sys/stat.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace vfsproto::cli {

// nothing: new files belong to the caller, have the original's permissions less the umask, no set-id bit, and the time of
// the copy, as cp(1) does it. all: owner first, then mode, then times; no set-id bit where the owner could not be set.
enum class Preserve : std::uint8_t { nothing, all };
struct Keeping {
    Preserve preserve = Preserve::nothing;
    std::uint32_t umask = 022;
    KeptXattrs xattrs = KeptXattrs::none;
};
// True if a file has what is to be kept of the original, as far as it can be set: only root gives files away, and files of
// another owner get no set-id bits.
[[nodiscard]] bool has_attributes(const posix::Attributes& file, const posix::Attributes& original,
                                  const Keeping& keeping) noexcept;
// True if a file system says by this failure that it has no such attribute, or not for us.
[[nodiscard]] bool cannot_be_kept(const posix::Failure& failure) noexcept;
// Returns the mode of a copy that preserves nothing.
[[nodiscard]] constexpr std::uint32_t fresh_mode(std::uint32_t mode, const Keeping& keeping) noexcept {
    return mode & 0777u & ~keeping.umask;
}
// Returns the mode that a copy takes over from the file it replaces: new bytes get no privilege of the old ones.
[[nodiscard]] constexpr std::uint32_t without_set_id(std::uint32_t mode) noexcept { return mode & 01777u; }
// Returns type and mode of a special file's copy. Its set-id bits mean nothing and are left out.
[[nodiscard]] constexpr std::uint32_t node_mode(std::uint32_t mode, const Keeping& keeping) noexcept {
    const bool all = keeping.preserve == Preserve::all;
    return (mode & 0170000u) | (all ? mode & 01777u : fresh_mode(mode, keeping));
}

// Says which files a new file, link or node may replace. A device such as /dev/null is not lost to a regular file.
enum class Replaces : std::uint8_t { nothing, files_and_links, special_files_too };
[[nodiscard]] constexpr bool may_replace(Replaces replaces, std::uint32_t mode) noexcept {
    if (posix::is_directory(mode) || replaces == Replaces::nothing) return false;
    return replaces == Replaces::special_files_too || posix::is_regular(mode) || posix::is_symlink(mode);
}

using backends::FileDescriptor;

// All functions below refuse names that are no single component with EINVAL. What stands in the way is replaced as `replaces` says, and not
// written through; anything else is EEXIST or EISDIR.

// Says if a directory was made by the copy or was there before.
enum class Age : std::uint8_t { fresh, old };
struct MadeDirectory {
    FileDescriptor fd;
    Age age = Age::fresh;
};
// Returns the times of access and modification, as utimensat(2) takes them.
[[nodiscard]] std::array<timespec, 2> times_of(const posix::Attributes& file) noexcept;
// Opens a directory by a path of ordinary names below `root` for looking up names alone (O_PATH); "" is `root` itself.
[[nodiscard]] posix::Expected<FileDescriptor> open_below(int root, std::string_view directory);
// A path of ordinary names, taken apart: the open directory of its last name, and that name.
struct Below {
    FileDescriptor directory;
    std::string name;
};
// Opens the directory that the last name of a path below `root` is in, as open_below(); `name` is empty for `root` itself.
[[nodiscard]] posix::Expected<Below> find_below(int root, std::string_view path);
// Makes a directory, or opens the one that is there.
[[nodiscard]] posix::Expected<MadeDirectory> make_directory(int parent, const std::string& name);
// Opens the directory that is there; without a descriptor and fresh where there is none, or where `parent` is -1.
[[nodiscard]] posix::Expected<MadeDirectory> find_directory(int parent, const std::string& name);

// Says where something is made, and what it may replace.
struct NewName {
    int parent; // an open directory
    const std::string& name;
    Replaces replaces;
};
[[nodiscard]] posix::Failure make_symlink(const NewName& at, const std::string& target);
// Makes a special file; the process' umask applies.
[[nodiscard]] posix::Failure make_node(const NewName& at, std::uint32_t mode, std::uint32_t rdev);
// `existing` is a relative path below `root`.
[[nodiscard]] posix::Failure make_link(const NewName& at, int root, const std::string& existing);

// Gives an open file its attributes. `replaced` is the file whose name it takes: without preserving, the copy has its
// mode. Goes on after what cannot be kept, and returns that failure last.
[[nodiscard]] posix::Failure finish_file(int fd, const posix::Attributes& original, const Keeping& keeping,
                                         const std::optional<struct stat>& replaced);
// Gives a file that holds the right bytes already what is to be kept; everything else of it stays.
[[nodiscard]] posix::Failure refresh_file(int fd, const posix::Attributes& original, const Keeping& keeping);
[[nodiscard]] posix::Failure finish_directory(int fd, Age age, const posix::Attributes& original,
                                              const Keeping& keeping);
// Gives owner, mode and times to what cannot be opened: symbolic links, which have no mode, and special files.
[[nodiscard]] posix::Failure finish_at(int parent, const std::string& name, const posix::Attributes& original,
                                       const Keeping& keeping);

} // namespace vfsproto::cli
