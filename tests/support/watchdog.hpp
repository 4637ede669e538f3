// SPDX-License-Identifier: BSD-2-Clause
// A bound on what must not hang: if its scope is not left in time, the test program says where it is and ends.
#pragma once

#include "support/catch.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace vfsproto::test {

class Watchdog {
public:
    explicit Watchdog(std::string what, std::chrono::seconds patience = std::chrono::seconds(60))
        : what_(Catch::getResultCapture().getCurrentTestName() + ": " + std::move(what)),
          thread_([this, patience] { watch(patience); }) {}
    ~Watchdog() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

private:
    void watch(std::chrono::seconds patience) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, patience, [this] { return over_; })) return;
        std::fprintf(stderr, "hangs: %s\n", what_.c_str());
        std::abort();
    }

    std::string what_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_;
};

// Returns as soon as the condition holds. Within a Watchdog: it is not bounded itself.
template <class Condition> void until(Condition&& condition) {
    while (!condition()) std::this_thread::yield();
}

} // namespace vfsproto::test
