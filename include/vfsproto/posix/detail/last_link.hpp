// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::posix {

// Tells whether a path whose last name is a symbolic link means the link itself (keep) or what it leads to (follow).
enum class LastLink : std::uint8_t { follow, keep };

} // namespace vfsproto::posix
