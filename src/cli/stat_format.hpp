// SPDX-License-Identifier: BSD-2-Clause
// Formats of "stat -c".
#pragma once

#include "moment.hpp"

#include "vfsproto/posix/mount.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vfsproto::cli {

// A status holds what is known of one file.
struct Status {
    posix::Attributes attributes;
    std::optional<Moment> born;
    std::string target; // where a symbolic link points
};

// Returns the format with its directives ("%a", "%-20n", "%.3Y") replaced as stat(1) does it. "?" stands for what the protocol
// does not tell, as a device number.
[[nodiscard]] std::string format_status(std::string_view format, const std::string& path, const Status& status);

} // namespace vfsproto::cli
