// SPDX-License-Identifier: BSD-2-Clause
// Reads a directory of the share without holding all of it: one with a million entries takes no more memory than a small one.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <functional>
#include <string>
#include <vector>

namespace vfsproto::cli {

// Passes the entries on as they come, a few hundred at a time, without "." and "..". They are in the server's order.
[[nodiscard]] posix::Failure each_entry(posix::Mount& mount, const std::string& path, client::DirectoryFormat format,
                                        const std::function<void(std::vector<posix::DirectoryEntry>&)>& take);

} // namespace vfsproto::cli
