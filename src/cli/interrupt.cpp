// SPDX-License-Identifier: BSD-2-Clause
#include "interrupt.hpp"

#include <atomic>
#include <csignal>

namespace vfsproto::cli {
namespace {

std::atomic<bool> asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

} // namespace

void catch_interrupts() noexcept {
    struct sigaction action {};
    action.sa_handler = [](int) { asked.store(true, std::memory_order_relaxed); };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN); // writing says EPIPE
}

bool interrupted() noexcept { return asked.load(std::memory_order_relaxed); }

} // namespace vfsproto::cli
