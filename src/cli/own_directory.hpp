// SPDX-License-Identifier: BSD-2-Clause
// A directory that this process serves may not hold the mount of it.
#pragma once

#include "program.hpp"

#include <string>

namespace vfsproto::cli {

// Throws Leave, after one line, if `point` lies in `share`: to look at it, the server would have to wait for itself.
void refuse_own_directory(Program& program, const std::string& share, const std::string& point);

} // namespace vfsproto::cli
