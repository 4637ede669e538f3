// SPDX-License-Identifier: BSD-2-Clause
#include "guarded_copy.hpp"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <mutex>

namespace vfsproto::posix {
namespace {

// Describes the guarded copy that this thread is in.
struct Guard {
    sigjmp_buf out;
    sigset_t mask; // of the thread, when it faulted
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};
thread_local Guard* current_guard = nullptr;

struct sigaction bus_before{};
struct sigaction segv_before{};

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
    const struct sigaction& before = signal == SIGBUS ? bus_before : segv_before;
    if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
    // The faulting instruction runs once more when this returns, and ends the program as it would have.
    static_cast<void>(::sigaction(signal, &before, nullptr));
}

void on_fault(int signal, siginfo_t* info, void* context) noexcept {
    Guard* const guard = current_guard;
    const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
    const bool is_a_fault = info->si_code > 0; // and no kill(2)
    if (guard == nullptr || !is_a_fault || at < guard->begin || at >= guard->end) return pass_on(signal, info, context);
    guard->mask = static_cast<const ucontext_t*>(context)->uc_sigmask;
    ::siglongjmp(guard->out, 1);
}

} // namespace

void guard_copies() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action{};
        action.sa_sigaction = on_fault;
        ::sigemptyset(&action.sa_mask);
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        static_cast<void>(::sigaction(SIGBUS, &action, &bus_before));
        static_cast<void>(::sigaction(SIGSEGV, &action, &segv_before));
    });
}

[[gnu::noinline]] Copied copy_guarded(std::byte* to, const std::byte* from,
                                      std::span<const std::byte> mapped) noexcept {
    Guard guard;
    guard.begin = reinterpret_cast<std::uintptr_t>(mapped.data());
    guard.end = guard.begin + mapped.size();
    if (sigsetjmp(guard.out, 0) != 0) {
        current_guard = nullptr;
        // The jump restores no mask: a copy that does not fault would pay a system call for it.
        static_cast<void>(::pthread_sigmask(SIG_SETMASK, &guard.mask, nullptr));
        return Copied::faulted;
    }
    current_guard = &guard;
    // Keeps the compiler from moving the copy out of the guarded part.
    __asm__ volatile("" ::: "memory");
    std::memcpy(to, from, mapped.size());
    __asm__ volatile("" ::: "memory");
    current_guard = nullptr;
    return Copied::all;
}

} // namespace vfsproto::posix
