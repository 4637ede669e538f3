// SPDX-License-Identifier: BSD-2-Clause
// SIGINT and SIGTERM: the first asks the program to end in order, the second ends it.
#pragma once

namespace vfsproto::cli {

void catch_interrupts() noexcept;
[[nodiscard]] bool interrupted() noexcept; // any thread

} // namespace vfsproto::cli
