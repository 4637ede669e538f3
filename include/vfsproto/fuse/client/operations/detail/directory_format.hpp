// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::client {

// Tells what a directory is read with: READDIR, which brings names, or READDIRPLUS, which brings attributes too.
enum class DirectoryFormat : std::uint8_t { dirents, direntpluses };

} // namespace vfsproto::client
