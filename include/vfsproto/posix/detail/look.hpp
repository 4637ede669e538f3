// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::posix {

// Tells whether a walk may take names and attributes for what was kept of earlier answers, or asks the server for each.
enum class Look : std::uint8_t { as_kept, anew };

} // namespace vfsproto::posix
