// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::abi {

// Says on whose behalf a request is made. A server creates files with these ids; every request carries them.
struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t pid = 0;
};

} // namespace vfsproto::abi
