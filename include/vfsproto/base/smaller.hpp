// SPDX-License-Identifier: BSD-2-Clause
// std::min, without the header that has it: it is not of the freestanding part.
#pragma once

namespace vfsproto {

template <class T> [[nodiscard]] constexpr T smaller(T a, T b) noexcept { return b < a ? b : a; }

} // namespace vfsproto
