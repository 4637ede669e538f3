// SPDX-License-Identifier: BSD-2-Clause
// The file on this host that a copy with --resume is written to. It stays when the copy is cut, and the next one goes on with it.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace vfsproto::cli {

// Opens the file `name` of a directory for reading and writing, or makes it, for its owner alone. It is locked as long as the
// descriptor is open, where the file system has locks. A half belongs to the caller or to `owner` and has one name; anything
// else that has the name is removed. Nothing is said of its bytes: the caller compares them. Errors: EBUSY where another
// program has it open; EISDIR; those of open(2) and unlink(2).
[[nodiscard]] posix::Expected<backends::FileDescriptor> open_half(int directory, const std::string& name,
                                                                  std::optional<uid_t> owner);
// True if the name still leads to the open file.
[[nodiscard]] bool has_name(int fd, int directory, const std::string& name) noexcept;

} // namespace vfsproto::cli
