// SPDX-License-Identifier: BSD-2-Clause
// Comparisons that the code makes often enough to have a name.
#pragma once

#include <concepts>

namespace vfsproto {

// True for 1 to `most`. One comparison: 0 wraps to the largest number.
template <std::unsigned_integral T> [[nodiscard]] constexpr bool is_from_1_to(T value, T most) noexcept {
    return static_cast<T>(value - 1) < most;
}

} // namespace vfsproto
