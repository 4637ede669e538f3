// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/detached_poller.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/posix/detail/rule.hpp"

#include <system_error>

namespace vfsproto::posix {

DetachedPoller::~DetachedPoller() {
    VFSPROTO_RULE(count_ == 0, "a call outlived its Mount");
    if (!thread_.joinable()) return;
    {
        const SharedLane::Lock lock(lane_);
        closing_ = true;
        ring();
    }
    thread_.join();
}

void DetachedPoller::ring() noexcept {
    bell_.fetch_add(1, std::memory_order_release);
    futex_wake_one(bell_);
}

void DetachedPoller::start_thread() {
    if (!thread_.joinable()) thread_ = backends::start_signal_free_thread([this] { run(); });
}

void DetachedPoller::add() {
    start_thread();
    if (count_++ == 0) ring();
}

void DetachedPoller::finished() noexcept {
    lane_.mutex().assert_held();
    if (--count_ == 0) lane_.satisfy(waiter_);
}

bool DetachedPoller::call_late(const LateCall& call) noexcept {
    const SharedLane::Lock lock(lane_);
    if (count_ != 0) return false; // it may wait for them without end
    try {
        start_thread();
    } catch (const std::system_error&) {
        return false;
    }
    late_call_ = call;
    late_due_ = Clock::now() + call.delay;
    // A call under way may have looked too early. It is followed by this one.
    if (std::exchange(late_, Late::asked_for) == Late::none) ring();
    return true;
}

void DetachedPoller::end_late_call() noexcept {
    for (;;) {
        const std::uint32_t ended = late_ended_.load(std::memory_order_acquire);
        {
            const SharedLane::Lock lock(lane_);
            late_ = Late::none;
            if (!calling_) return;
        }
        futex_wait(late_ended_, ended);
        futex_wake_one(late_ended_); // another thread may wait for the same end
    }
}

bool DetachedPoller::is_late_call_due() const noexcept {
    if (late_ == Late::none) return false;
    return Clock::now() >= late_due_ || (late_ == Late::asked_for && count_ != 0);
}

void DetachedPoller::make_late_call() noexcept {
    const LateCall call = late_call_;
    late_ = Late::none;
    calling_ = true;
    LateCall::Next next = LateCall::Next::nothing;
    {
        const SharedLane::Unlocked unlocked(lane_);
        next = call.call(call.owner);
    }
    calling_ = false;
    if (next == LateCall::Next::again && late_ == Late::none) {
        late_ = Late::to_repeat;
        late_due_ = Clock::now() + call.delay;
    }
    late_ended_.fetch_add(1, std::memory_order_release);
    futex_wake_one(late_ended_);
}

void DetachedPoller::sleep() noexcept {
    const std::uint32_t seen = bell_.load(std::memory_order_acquire);
    const bool timed = late_ != Late::none;
    const auto left = late_due_ - Clock::now();
    lane_.mutex().unlock();
    timed ? futex_wait_for(bell_, seen, left) : futex_wait(bell_, seen);
}

void DetachedPoller::run() noexcept {
    for (;;) {
        lane_.mutex().lock();
        if (closing_) return lane_.mutex().unlock();
        if (is_late_call_due()) {
            make_late_call();
            lane_.mutex().unlock();
        } else if (count_ != 0) {
            waiter_.reset();
            lane_.wait_and_unlock(waiter_);
        } else {
            sleep();
        }
    }
}

} // namespace vfsproto::posix
