// SPDX-License-Identifier: BSD-2-Clause
// The lock of the lanes: who gives up, and who is woken.
#include "support/catch.hpp"

#include "vfsproto/posix/detail/futex.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using vfsproto::posix::Mutex;
using namespace std::chrono_literals;

TEST_CASE("who tries a held lock for a time gives up then, and takes nothing from its holder", "[mutex]") {
    Mutex mutex;
    const bool is_taken = mutex.try_lock_for(0ns);
    REQUIRE(is_taken);
    if (!is_taken) return; // for clang, which follows the lock
    std::thread([&] {
        CHECK_FALSE(mutex.try_lock_for(0ns));
        const auto start = std::chrono::steady_clock::now();
        CHECK_FALSE(mutex.try_lock_for(20ms));
        CHECK(std::chrono::steady_clock::now() - start >= 20ms);
    }).join();
    mutex.unlock();
    const bool is_taken_again = mutex.try_lock_for(0ns);
    CHECK(is_taken_again);
    if (is_taken_again) mutex.unlock();
}

TEST_CASE("who tries a held lock takes it as soon as its holder lets go", "[mutex]") {
    Mutex mutex;
    mutex.lock();
    std::atomic<bool> has_it = false;
    std::thread other([&] {
        if (!mutex.try_lock_for(1h)) return;
        has_it = true;
        mutex.unlock();
    });
    mutex.unlock();
    other.join();
    CHECK(has_it);
}

TEST_CASE("a lock that some take and some only try guards a counter", "[mutex]") {
    constexpr int kThreads = 4;
    constexpr int kTurns = 20'000;
    Mutex mutex;
    long counter = 0;
    std::atomic<long> taken = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            for (int turn = 0; turn < kTurns; ++turn) {
                if (i % 2 == 0) {
                    mutex.lock();
                } else if (!mutex.try_lock_for(1us)) {
                    continue;
                }
                ++counter;
                ++taken;
                mutex.unlock();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(counter == taken);
    CHECK(taken >= kThreads / 2 * kTurns);
}
