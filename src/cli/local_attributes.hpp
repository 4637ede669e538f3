// SPDX-License-Identifier: BSD-2-Clause
// Says of a file of this host what the server says of its files.
#pragma once

#include "vfsproto/posix/file.hpp"

#include <sys/stat.h>

namespace vfsproto::cli {

[[nodiscard]] posix::Attributes attributes_of(const struct stat& from) noexcept;

} // namespace vfsproto::cli
