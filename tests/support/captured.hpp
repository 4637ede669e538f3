// SPDX-License-Identifier: BSD-2-Clause
// Messages captured from real peers are those of little-endian machines; FUSE speaks the order of the machine it runs on.
#pragma once

#include "support/skip.hpp"

#include <bit>

namespace vfsproto::test {

// True, which is said then: bytes as they were captured mean nothing here.
[[nodiscard]] inline bool captured_bytes_are_foreign() {
    if constexpr (std::endian::native == std::endian::little) return false;
    skip("captured on a little-endian machine");
    return true;
}

} // namespace vfsproto::test
