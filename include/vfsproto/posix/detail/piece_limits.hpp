// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::posix {

// Bytes that one READ or WRITE may carry, from and to memory of either kind.
struct PieceLimits {
    std::uint32_t bounced = 0;
    std::uint32_t registered = 0;
};

} // namespace vfsproto::posix
