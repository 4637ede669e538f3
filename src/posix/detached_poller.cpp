// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/detached_poller.hpp"

namespace vfsproto::posix {

DetachedPoller::~DetachedPoller() {
    VFSPROTO_ASSERT(count_ == 0); // a call that outlived its mount
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

void DetachedPoller::add() {
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    if (count_++ == 0) ring();
}

void DetachedPoller::finished() noexcept {
    lane_.mutex().assert_held();
    if (--count_ == 0) lane_.satisfy(waiter_);
}

void DetachedPoller::run() noexcept {
    for (;;) {
        lane_.mutex().lock();
        if (closing_) return lane_.mutex().unlock();
        if (count_ != 0) {
            waiter_.reset();
            lane_.wait_and_unlock(waiter_);
            continue;
        }
        const std::uint32_t seen = bell_.load(std::memory_order_acquire);
        lane_.mutex().unlock();
        futex_wait(bell_, seen);
    }
}

} // namespace vfsproto::posix
