// SPDX-License-Identifier: BSD-2-Clause
// The file at the server that a copy with --resume is written to: what local_half.hpp does here.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace vfsproto::cli {

// Opens the file for reading and writing, or makes it, for its owner alone. A half belongs to the caller or to `owner` and has one
// name; anything else that has the path is removed. Nothing is said of its bytes: the caller compares them. Nobody is kept from
// writing to it, too: two copies of one version write the same. Errors: EISDIR; EBUSY where others make and remove it all the
// time; those of the server.
[[nodiscard]] posix::Expected<posix::File> open_remote_half(posix::Mount& mount, const std::string& path,
                                                            std::optional<std::uint32_t> owner);
// True if the path still leads to the open file.
[[nodiscard]] bool has_path(posix::Mount& mount, const posix::File& file, const std::string& path);

} // namespace vfsproto::cli
