// SPDX-License-Identifier: BSD-2-Clause
// Cuts the wait of a worker for the kernel short, by a signal that does nothing else (SIGURG, which is ignored where nobody catches it).
#pragma once

#include <chrono>
#include <thread>

namespace vfsproto::kernel_mount {

// A worker may begin to wait just after it was cut, so that it is cut again after this time, until it has ended.
inline constexpr std::chrono::milliseconds kCutEvery{5};

// Catches the signal, unless the program does so already. Comes before the first worker.
void catch_cut() noexcept;
// Called by a worker, whose thread lets no other signal through.
void let_cut_through() noexcept;
void cut(std::thread& worker) noexcept;

} // namespace vfsproto::kernel_mount
