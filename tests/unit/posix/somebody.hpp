// SPDX-License-Identifier: BSD-2-Clause
// A caller that is not root, for tests of what others may do.
#pragma once

#include "vfsproto/posix/credentials.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace vfsproto::test {

inline constexpr std::uint32_t kUser = 4321;
inline constexpr std::uint32_t kGroup = 4322;
inline constexpr std::uint32_t kSharedGroup = 4300; // a supplementary group of some of them

[[nodiscard]] inline posix::Credentials somebody(std::vector<std::uint32_t> groups = {}, std::uint32_t umask = 0) {
    return {.caller = {kUser, kGroup, 1}, .umask = umask, .groups = std::move(groups)};
}

} // namespace vfsproto::test
