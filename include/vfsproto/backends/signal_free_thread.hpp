// SPDX-License-Identifier: BSD-2-Clause
// The engine's own threads leave signals to the threads of the program.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

namespace vfsproto::backends {

// Starts a thread that takes no signals but those of its own faults, and SIGPROF, by which profilers sample each thread. A
// signal of the program that hit it inside a system call could make that call fail with EINTR, and a handler would run where
// the program does not expect it. Throws std::system_error when there is no thread to be had.
template <class Run> [[nodiscard]] std::thread start_signal_free_thread(Run run) {
    return std::thread([run = std::move(run)]() mutable {
        sigset_t signals;
        sigfillset(&signals);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF}) sigdelset(&signals, own);
        ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        run();
    });
}

} // namespace vfsproto::backends
