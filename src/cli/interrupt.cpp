// SPDX-License-Identifier: BSD-2-Clause
#include "interrupt.hpp"

#include "vfsproto/posix/stop_source.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace vfsproto::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kCut = SIGURG; // nobody else uses it here, and it does nothing where it is not caught

struct LocalCalls {
    std::mutex mutex;
    std::vector<pthread_t> threads;
};
LocalCalls& local_calls() noexcept {
    static LocalCalls calls;
    return calls;
}

} // namespace

sigset_t interrupt_signals() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : kSignals) {
        struct sigaction now{};
        if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) ::sigaddset(&set, number);
    }
    return set;
}

void block_interrupts() noexcept {
    const sigset_t set = interrupt_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    sigpipe_was_ignored = ::signal(SIGPIPE, SIG_IGN) == SIG_IGN;
    sigxfsz_was_ignored = ::signal(SIGXFSZ, SIG_IGN) == SIG_IGN;
    struct sigaction cut{};
    cut.sa_handler = [](int) {}; // without SA_RESTART
    ::sigaction(kCut, &cut, nullptr);
}

posix::StopSource& interrupt_stop() noexcept {
    static posix::StopSource stop;
    return stop;
}

bool forget_ctrl_c() noexcept {
    int ctrl_c = SIGINT;
    if (!interrupt_signal.compare_exchange_strong(ctrl_c, 0)) return false;
    interrupt_stop().reset();
    return true;
}

int latest_interrupt() noexcept {
    if (interrupted()) return interrupt_signal;
    sigset_t pending;
    if (::sigpending(&pending) != 0) return 0;
    for (const int number : kSignals) {
        if (::sigismember(&pending, number) == 1) return number;
    }
    return interrupt_signal; // Watch takes a signal after it has stored it
}

LocalCall::LocalCall() noexcept {
    LocalCalls& calls = local_calls();
    const std::lock_guard lock(calls.mutex);
    calls.threads.push_back(::pthread_self());
}

LocalCall::~LocalCall() {
    LocalCalls& calls = local_calls();
    const std::lock_guard lock(calls.mutex);
    const auto self = std::find_if(calls.threads.begin(), calls.threads.end(),
                                   [](pthread_t thread) { return ::pthread_equal(thread, ::pthread_self()) != 0; });
    calls.threads.erase(self);
}

bool LocalCall::any() noexcept {
    LocalCalls& calls = local_calls();
    const std::lock_guard lock(calls.mutex);
    return !calls.threads.empty();
}

void LocalCall::cut_all() noexcept {
    LocalCalls& calls = local_calls();
    const std::lock_guard lock(calls.mutex);
    for (const pthread_t thread : calls.threads) ::pthread_kill(thread, kCut);
}

void die_of(int signal) noexcept {
    ::signal(signal, SIG_DFL);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    ::raise(signal);
    ::_exit(128 + signal);
}

} // namespace vfsproto::cli
