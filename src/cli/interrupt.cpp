// SPDX-License-Identifier: BSD-2-Clause
#include "interrupt.hpp"

#include <csignal>

namespace vfsproto::cli {

void catch_interrupts() noexcept {
    struct sigaction action{};
    action.sa_handler = [](int) { interrupt_asked.store(true, std::memory_order_relaxed); };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN); // writing says EPIPE
}

} // namespace vfsproto::cli
