// SPDX-License-Identifier: BSD-2-Clause
// Polling for operations that no thread waits for. A thread of its own takes part in the shared lane like any other
// waiting thread, for as long as there are such operations; in between it sleeps, and may make one late call.
#pragma once

#include "vfsproto/posix/detail/shared_lane.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

namespace vfsproto::posix {

// A function that is called a while after it was asked for, once for all who asked in that while.
struct LateCall {
    enum class Next : std::uint8_t { nothing, again };
    Next (*call)(void* owner) noexcept = nullptr; // again: once more after the same delay
    void* owner = nullptr;
    std::chrono::milliseconds delay{0};
};

class DetachedPoller {
public:
    // The lane outlives the poller.
    explicit DetachedPoller(SharedLane& lane) noexcept : lane_(lane) {}
    // Every operation must have finished.
    ~DetachedPoller();
    DetachedPoller(const DetachedPoller&) = delete;
    DetachedPoller& operator=(const DetachedPoller&) = delete;

    // Starts and publishes an operation. Its on_finish is called with the lane's lock held, by any thread, and must call
    // finished(). The arguments are those of its start() after the client. Any thread; throws std::system_error when
    // the first such operation finds no thread to be had, and then starts nothing.
    template <class Op, class... Args> void start(Op& op, Args&&... args) VFSPROTO_EXCLUDES(lane_.mutex()) {
        const SharedLane::Lock lock(lane_);
        add();
        lane_.start_locked(op, std::forward<Args>(args)...);
        lane_.publish();
    }
    // Polls for one request more, which was started already, until finished(). Called with the lane's lock held; throws as start().
    void adopt() {
        lane_.mutex().assert_held();
        add();
    }
    // Takes one operation off the count. Called from its on_finish, so with the lane's lock held.
    void finished() noexcept;

    // Has the poller's thread make the call `delay` from now, without a lock; whoever asks again puts it off. It is made early
    // when an operation starts. There is one late call at a time, always the same. Never sleeps; any thread. False if the
    // thread polls for operations, or none is to be had: the caller does itself what it wants done.
    [[nodiscard]] bool call_late(const LateCall& call) noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    // Takes back the call that was asked for, or waits until it is over. Not from the call itself.
    void end_late_call() noexcept VFSPROTO_EXCLUDES(lane_.mutex());

private:
    using Clock = std::chrono::steady_clock;

    void start_thread() VFSPROTO_REQUIRES(lane_.mutex());
    void add() VFSPROTO_REQUIRES(lane_.mutex());
    void ring() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void run() noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    [[nodiscard]] bool is_late_call_due() const noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void make_late_call() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void sleep() noexcept VFSPROTO_RELEASE(lane_.mutex());

    SharedLane& lane_;
    std::uint32_t count_ VFSPROTO_GUARDED_BY(lane_.mutex()) = 0; // operations under way
    bool closing_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false;
    enum class Late : std::uint8_t { none, asked_for, to_repeat } late_ VFSPROTO_GUARDED_BY(lane_.mutex()) = Late::none;
    bool calling_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false; // the late call is under way
    LateCall late_call_ VFSPROTO_GUARDED_BY(lane_.mutex()){};
    Clock::time_point late_due_ VFSPROTO_GUARDED_BY(lane_.mutex()){};
    std::atomic<std::uint32_t> late_ended_{0}; // counts late calls; who waits for the end of one sleeps on this word
    Waiter waiter_;
    std::atomic<std::uint32_t> bell_{0}; // changes when the thread has something to do; it sleeps on this word
    std::thread thread_;                 // started with the first operation or late call
};

} // namespace vfsproto::posix
