// SPDX-License-Identifier: BSD-2-Clause
// Counts the allocations of a thread.
#pragma once

#include <cstdint>

namespace vfsproto::test {

// Calls of operator new so far, of this thread: a backend's own thread has its own business.
[[nodiscard]] std::uint64_t allocations() noexcept;

} // namespace vfsproto::test
