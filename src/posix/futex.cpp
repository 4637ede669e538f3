// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace vfsproto::posix {

namespace {

std::atomic<std::uint64_t> calls{0};

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

} // namespace

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
    calls.fetch_add(1, std::memory_order_relaxed);
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futex_wait_for(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::chrono::nanoseconds time) noexcept {
    if (time.count() <= 0) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec timeout{static_cast<time_t>(seconds.count()), static_cast<long>((time - seconds).count())};
    calls.fetch_add(1, std::memory_order_relaxed);
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &timeout, nullptr, 0);
}

void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept {
    calls.fetch_add(1, std::memory_order_relaxed);
    ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

std::uint64_t futex_calls() noexcept { return calls.load(std::memory_order_relaxed); }

void Mutex::lock_contended() noexcept {
    while (word_.exchange(kContended, std::memory_order_acquire) != kFree) futex_wait(word_, kContended);
}

// A thread that gives up leaves the word as it is: the holder then wakes nobody, once.
bool Mutex::try_lock_for(std::chrono::nanoseconds time) noexcept {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + time;
    while (word_.exchange(kContended, std::memory_order_acquire) != kFree) {
        const std::chrono::nanoseconds rest = end - Clock::now();
        if (rest.count() <= 0) return false;
        futex_wait_for(word_, kContended, rest);
    }
    return true;
}

} // namespace vfsproto::posix
