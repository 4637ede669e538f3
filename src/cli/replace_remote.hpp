// SPDX-License-Identifier: BSD-2-Clause
// Links and special files at the server take the place of what is there in one step.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <functional>
#include <string>

namespace vfsproto::cli {

// Makes something new by a path that nothing has.
using MakeRemote = std::function<posix::Failure(const std::string& path)>;

// Calls `make` with a temporary name, and renames what was made over what has the path `to`: that stays as it is if either
// fails. The caller has looked whether it may be replaced. Any thread.
[[nodiscard]] posix::Failure replace_remote(posix::Mount& mount, const std::string& to, const MakeRemote& make);

} // namespace vfsproto::cli
