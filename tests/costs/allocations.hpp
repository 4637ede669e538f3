// SPDX-License-Identifier: BSD-2-Clause
// How often this program asked for memory.
#pragma once

#include <cstdint>

namespace vfsproto::test {

// Calls of operator new so far, of every thread.
[[nodiscard]] std::uint64_t allocations() noexcept;

} // namespace vfsproto::test
