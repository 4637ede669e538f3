// SPDX-License-Identifier: BSD-2-Clause
// Polling for operations that no thread waits for. A thread of its own takes part in the shared lane like any other
// waiting thread, for as long as there are such operations; in between it sleeps.
#pragma once

#include "vfsproto/posix/detail/shared_lane.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

namespace vfsproto::posix {

class DetachedPoller {
public:
    // The lane outlives the poller.
    explicit DetachedPoller(SharedLane& lane) noexcept : lane_(lane) {}
    // Every operation must have finished.
    ~DetachedPoller();
    DetachedPoller(const DetachedPoller&) = delete;
    DetachedPoller& operator=(const DetachedPoller&) = delete;

    // Starts and publishes an operation. Its on_finish is called with the lane's lock held, by any thread, and must call
    // finished(). The arguments are those of its start() after client and caller. Any thread; throws std::system_error when
    // the first such operation finds no thread to be had, and then starts nothing.
    template <class Op, class... Args> void start(Op& op, Args&&... args) VFSPROTO_EXCLUDES(lane_.mutex()) {
        const SharedLane::Lock lock(lane_);
        add();
        lane_.start_locked(op, std::forward<Args>(args)...);
        lane_.publish();
    }
    // Takes one operation off the count. Called from its on_finish, so with the lane's lock held.
    void finished() noexcept;

private:
    void add() VFSPROTO_REQUIRES(lane_.mutex());
    void ring() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void run() noexcept VFSPROTO_EXCLUDES(lane_.mutex());

    SharedLane& lane_;
    std::uint32_t count_ VFSPROTO_GUARDED_BY(lane_.mutex()) = 0; // operations under way
    bool closing_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false;
    Waiter waiter_;
    std::atomic<std::uint32_t> bell_{0}; // changes when the thread has something to do; it sleeps on this word
    std::thread thread_;                 // started with the first operation
};

} // namespace vfsproto::posix
