// SPDX-License-Identifier: BSD-2-Clause
// A rename at the server that replaces nothing.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <string>

namespace vfsproto::cli {

// True if a file system says by this failure that it cannot rename without replacing.
[[nodiscard]] bool cannot_keep_from_replacing(const posix::Failure& failure) noexcept;

// Renames without replacing anything; EEXIST where the new name is taken. A file system that cannot do that in one step
// (EINVAL, ENOSYS) is asked first whether the name is free, as mv(1) does it.
[[nodiscard]] posix::Failure rename_no_clobber(posix::Mount& mount, const std::string& from, const std::string& to);

} // namespace vfsproto::cli
