// SPDX-License-Identifier: BSD-2-Clause
// Lists a directory of this host.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <string>
#include <vector>

namespace vfsproto::cli {

// Adds all names in an open directory, without "." and ".."; the descriptor's own position stays. After a failure some may be there.
[[nodiscard]] posix::Failure list_names(int directory, std::vector<std::string>& names);

} // namespace vfsproto::cli
