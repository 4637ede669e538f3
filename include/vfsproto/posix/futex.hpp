// SPDX-License-Identifier: BSD-2-Clause
// A mutex of one word, and sleeping on a word (futex(2)). The mutex can tell its holder that somebody waits, so that a
// thread may poll a queue while it holds the lock and still let others in.
#pragma once

#include <atomic>
#include <cstdint>

namespace vfsproto::posix {

// Sleeps while the word is `expected`; returns early now and then.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
// Wakes one sleeper. The word may be gone already: it is only an address here.
void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept;
// How many futex calls this process has made through here.
[[nodiscard]] std::uint64_t futex_calls() noexcept;

class Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept {
        std::uint32_t expected = kFree;
        if (word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return;
        lock_contended();
    }
    void unlock() noexcept {
        if (word_.exchange(kFree, std::memory_order_release) == kContended) futex_wake_one(word_);
    }
    // For the holder: does another thread wait?
    [[nodiscard]] bool contended() const noexcept { return word_.load(std::memory_order_relaxed) == kContended; }

private:
    static constexpr std::uint32_t kFree = 0;
    static constexpr std::uint32_t kHeld = 1;
    static constexpr std::uint32_t kContended = 2;

    void lock_contended() noexcept;

    std::atomic<std::uint32_t> word_{kFree};
};

} // namespace vfsproto::posix
