// SPDX-License-Identifier: BSD-2-Clause
// On whose behalf a mount makes its requests, as credentials(7) has it.
#pragma once

#include "vfsproto/abi/caller.hpp"

#include <cstdint>
#include <vector>

namespace vfsproto::posix {

struct Credentials {
    abi::Caller caller{};
    std::uint32_t umask = 022;           // for what is made
    std::vector<std::uint32_t> groups{}; // supplementary; a server is told of those that matter, if it agreed on that
};

} // namespace vfsproto::posix
