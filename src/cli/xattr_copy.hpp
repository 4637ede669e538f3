// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes and access control lists of files that are copied.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vfsproto::cli {

// acls: POSIX access control lists alone, which belong to the mode.
enum class KeptXattrs : std::uint8_t { none, acls, all };

struct Xattr {
    std::string name;
    std::vector<std::byte> value;
    friend bool operator==(const Xattr&, const Xattr&) = default;
};
using Xattrs = std::vector<Xattr>; // by name

// Read what is to be kept of a file. A source without extended attributes has no lists either, which is no failure; all of
// them cannot be read there, which is one (EOPNOTSUPP).
[[nodiscard]] posix::Expected<Xattrs> read_xattrs(int fd, KeptXattrs kept);
// Does the same for what cannot be opened, a special file or a symbolic link itself: `name` in the directory `parent`.
[[nodiscard]] posix::Expected<Xattrs> read_xattrs_at(int parent, const std::string& name, KeptXattrs kept);
[[nodiscard]] posix::Expected<Xattrs> read_xattrs(posix::Mount& mount, const std::string& path, KeptXattrs kept,
                                                  posix::LastLink last);

// True if all of `some` are among `all`, with equal values.
[[nodiscard]] bool includes(const Xattrs& all, const Xattrs& some);

// before_owner: those that need permission to write. after_owner: those of "security.", which a new owner or mode takes away.
enum class XattrStep : std::uint8_t { before_owner, after_owner };
// Set them, and go on after a failure; return the first.
[[nodiscard]] posix::Failure write_xattrs(int fd, const Xattrs& xattrs, XattrStep step);
[[nodiscard]] posix::Failure write_xattrs_at(int parent, const std::string& name, const Xattrs& xattrs, XattrStep step);
[[nodiscard]] posix::Failure write_xattrs(posix::Mount& mount, const std::string& path, const Xattrs& xattrs,
                                          XattrStep step);

} // namespace vfsproto::cli
