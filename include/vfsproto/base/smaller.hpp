// SPDX-License-Identifier: BSD-2-Clause
// Stands for std::min, whose header is not freestanding.
#pragma once

namespace vfsproto {

template <class T> [[nodiscard]] constexpr T smaller(T a, T b) noexcept { return b < a ? b : a; }

} // namespace vfsproto
