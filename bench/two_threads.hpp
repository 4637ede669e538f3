// SPDX-License-Identifier: BSD-2-Clause
// System calls for measurements with two threads.
#pragma once

#include "vfsproto/base/fence.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

namespace vfsproto::bench {

// Returns the monotonic time in seconds.
inline double now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}
// Returns the seconds one look at the clock takes, the least of many.
inline double cost_of_clock() noexcept {
    double least = 1;
    for (int i = 0; i < 1000; ++i) {
        const double before = now();
        const double after = now();
        if (after - before < least) least = after - before;
    }
    return least;
}

// The CPUs this process may use.
inline cpu_set_t allowed_cpus() noexcept {
    static const cpu_set_t set = [] {
        cpu_set_t now_allowed;
        CPU_ZERO(&now_allowed);
        ::sched_getaffinity(0, sizeof now_allowed, &now_allowed);
        return now_allowed;
    }();
    return set;
}
inline bool has_two_cpus() noexcept {
    const cpu_set_t set = allowed_cpus();
    return CPU_COUNT(&set) >= 2;
}
// Binds this thread to the nth of them.
inline void pin(int nth) noexcept {
    const cpu_set_t set = allowed_cpus();
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &set) || nth-- != 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
        return;
    }
}

class Event {
public:
    Event() : fd_(::eventfd(0, EFD_CLOEXEC)) {}
    ~Event() { ::close(fd_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    void signal() noexcept {
        const std::uint64_t one = 1;
        if (::write(fd_, &one, sizeof one) != sizeof one) std::abort();
    }
    void wait() noexcept {
        std::uint64_t count = 0;
        if (::read(fd_, &count, sizeof count) != sizeof count) std::abort();
    }

private:
    int fd_;
};

// A thread of its own on the nth CPU; it is there when this returns.
template <class Work> [[nodiscard]] std::thread run_on(int nth, Work work) {
    Event arrived;
    std::thread thread([&arrived, nth, work = std::move(work)] {
        pin(nth);
        arrived.signal();
        work();
    });
    arrived.wait();
    return thread;
}

// ns: one thread writes a word, the other answers by another on the same line. The best of many thousands in a row.
inline double cache_line_round_trip(double seconds) {
    struct alignas(64) Line {
        std::uint64_t ping = 0;
        std::uint64_t pong = 0;
    } line;
    std::atomic<bool> is_done{false};
    std::thread answering = run_on(1, [&] {
        for (std::uint64_t seen = 0; !is_done.load(std::memory_order_relaxed);) {
            const std::uint64_t ping = load_acquire(line.ping);
            if (ping != seen) store_release(line.pong, seen = ping);
        }
    });
    constexpr std::uint64_t kBatch = 1000;
    double least = 1;
    std::uint64_t sent = 0;
    for (const double start = now(); now() - start < seconds;) {
        const double before = now();
        for (std::uint64_t i = 0; i < kBatch; ++i) {
            store_release(line.ping, ++sent);
            while (load_acquire(line.pong) != sent) {}
        }
        const double each = (now() - before) / kBatch;
        if (each < least) least = each;
    }
    is_done = true;
    answering.join();
    return least * 1e9;
}

} // namespace vfsproto::bench
