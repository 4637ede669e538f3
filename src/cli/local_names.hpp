// SPDX-License-Identifier: BSD-2-Clause
// Names of this host: those in a directory, and the one that a path leads to.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vfsproto::cli {

// Adds all names in an open directory, without "." and ".."; the descriptor's own position stays. After a failure some may be there.
[[nodiscard]] posix::Failure list_names(int directory, std::vector<std::string>& names);

// Returns where the links of a path lead; nothing and errno on failure, as realpath(3).
[[nodiscard]] std::optional<std::string> real_path(const std::string& path);

} // namespace vfsproto::cli
