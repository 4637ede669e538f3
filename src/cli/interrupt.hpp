// SPDX-License-Identifier: BSD-2-Clause
// SIGINT and SIGTERM: the first asks the program to end in order, the second ends it.
#pragma once

#include <atomic>

namespace vfsproto::cli {

inline std::atomic<bool> interrupt_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free); // a signal sets it

void catch_interrupts() noexcept;
// True if the user pressed Ctrl-C. Any thread. Inline, because a benchmark asks between two requests.
[[nodiscard]] inline bool interrupted() noexcept { return interrupt_asked.load(std::memory_order_relaxed); }

} // namespace vfsproto::cli
