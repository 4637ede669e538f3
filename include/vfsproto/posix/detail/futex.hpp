// SPDX-License-Identifier: BSD-2-Clause
// A mutex of one word, and sleeping on a word (futex(2)). The mutex can tell its holder that somebody waits, so that a
// thread may poll a queue while it holds the lock and still let others in.
#pragma once

#include "vfsproto/base/thread_annotations.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace vfsproto::posix {

// Sleeps while the word is `expected`; may also return early.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
// Does as futex_wait(), for `time` at most.
void futex_wait_for(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::chrono::nanoseconds time) noexcept;
// Wakes one sleeper. The word may be gone already: only its address is used.
void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept;
// Returns how many futex calls this process has made through these functions.
[[nodiscard]] std::uint64_t futex_calls() noexcept;

class VFSPROTO_CAPABILITY("mutex") Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept VFSPROTO_ACQUIRE() VFSPROTO_UNCHECKED { // the word is the lock
        std::uint32_t expected = kFree;
        if (word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return;
        lock_contended();
    }
    // Takes the lock, unless its holder keeps it for longer than `time`. Holders that poll let go of it for whoever tries.
    [[nodiscard]] bool try_lock_for(std::chrono::nanoseconds time) noexcept
        VFSPROTO_TRY_ACQUIRE(true) VFSPROTO_UNCHECKED;
    void unlock() noexcept VFSPROTO_RELEASE() VFSPROTO_UNCHECKED {
        if (word_.exchange(kFree, std::memory_order_release) == kContended) futex_wake_one(word_);
    }
    // Tells the compiler that the caller holds the lock, in callbacks that are called with it. Does nothing.
    void assert_held() const noexcept VFSPROTO_ASSERT_HELD() {}
    // True if another thread waits for the lock. Called by the holder.
    [[nodiscard]] bool contended() const noexcept { return word_.load(std::memory_order_relaxed) == kContended; }

private:
    static constexpr std::uint32_t kFree = 0;
    static constexpr std::uint32_t kHeld = 1;
    static constexpr std::uint32_t kContended = 2;

    void lock_contended() noexcept;

    std::atomic<std::uint32_t> word_{kFree};
};

// Holds a mutex while it lives.
class VFSPROTO_SCOPED_CAPABILITY MutexLock {
public:
    explicit MutexLock(Mutex& mutex) noexcept VFSPROTO_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() VFSPROTO_RELEASE() { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

private:
    Mutex& mutex_;
};

} // namespace vfsproto::posix
