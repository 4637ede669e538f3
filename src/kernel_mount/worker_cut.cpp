// SPDX-License-Identifier: BSD-2-Clause
#include "worker_cut.hpp"

#include <pthread.h>
#include <signal.h>

namespace vfsproto::kernel_mount {

namespace {

constexpr int kCut = SIGURG;

} // namespace

void catch_cut() noexcept {
    struct sigaction now{};
    if (::sigaction(kCut, nullptr, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) return;
    struct sigaction cut{};
    cut.sa_handler = [](int) {}; // without SA_RESTART
    ::sigaction(kCut, &cut, nullptr);
}

void let_cut_through() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, kCut);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void cut(std::thread& worker) noexcept { ::pthread_kill(worker.native_handle(), kCut); }

} // namespace vfsproto::kernel_mount
