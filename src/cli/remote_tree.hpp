// SPDX-License-Identifier: BSD-2-Clause
// Making files at the server, for copies of trees: what local_tree.hpp does here. Links are not followed; what
// is in the way is replaced as Replaces says, anything else is an error.
#pragma once

#include "local_tree.hpp"

#include "vfsproto/posix/mount.hpp"

#include <optional>
#include <string>

namespace vfsproto::cli {

// Makes a directory. True: it is new. False: it was there already.
[[nodiscard]] posix::Expected<bool> make_remote_directory(posix::Mount& mount, const std::string& path);
// Looks for a directory, and makes none. True: it is not there.
[[nodiscard]] posix::Expected<bool> find_remote_directory(posix::Mount& mount, const std::string& path);

// Says where something is made, and what it may replace.
struct NewPath {
    const std::string& path;
    Replaces replaces;
};
[[nodiscard]] posix::Failure make_remote_symlink(posix::Mount& mount, const NewPath& at, const std::string& target);
[[nodiscard]] posix::Failure make_remote_node(posix::Mount& mount, const NewPath& at, std::uint32_t mode,
                                              std::uint32_t rdev);
[[nodiscard]] posix::Failure make_remote_link(posix::Mount& mount, const NewPath& at, const std::string& existing);

// Gives an open file its attributes. `replaced` is the file whose name it takes: without preserving, the copy has its
// mode. Goes on after what cannot be kept, and returns that failure last.
[[nodiscard]] posix::Failure finish_remote_file(posix::Mount& mount, const posix::File& file,
                                                const posix::Attributes& original, const Keeping& keeping,
                                                const std::optional<posix::Attributes>& replaced);
// Gives a directory its attributes.
[[nodiscard]] posix::Failure finish_remote_directory(posix::Mount& mount, const std::string& path, Age age,
                                                     const posix::Attributes& original, const Keeping& keeping);
// Gives owner and times to symbolic links and special files.
[[nodiscard]] posix::Failure finish_remote_at(posix::Mount& mount, const std::string& path,
                                              const posix::Attributes& original, const Keeping& keeping);

} // namespace vfsproto::cli
