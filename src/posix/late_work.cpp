// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/late_work.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/posix/detail/rule.hpp"

#include <exception>
#include <utility>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

namespace {

thread_local const LateWork* done_here = nullptr; // by this thread

} // namespace

LateWork::~LateWork() {
    {
        const SharedLane::Lock lock(lane_);
        VFSPROTO_RULE(left_ == 0, "a call outlived its Mount");
        if (!thread_.joinable()) return;
        closing_ = true;
        ring();
    }
    thread_.join();
}

void LateWork::ring() noexcept {
    bell_.fetch_add(1, std::memory_order_release);
    futex_wake_one(bell_);
}

void LateWork::prepare() {
    lane_.mutex().assert_held();
    if (!thread_.joinable()) thread_ = backends::start_signal_free_thread([this] { run(); });
}

void LateWork::expect() noexcept {
    lane_.mutex().assert_held();
    ++left_;
}

void LateWork::give(std::unique_ptr<AbandonedCall> call) noexcept {
    lane_.mutex().assert_held();
    AbandonedCall* const given = call.get();
    (last_ == nullptr ? over_ : last_->next_over) = std::move(call);
    last_ = given;
    ring();
}

std::unique_ptr<AbandonedCall> LateWork::take() noexcept {
    std::unique_ptr<AbandonedCall> call = std::move(over_);
    over_ = std::move(call->next_over);
    if (over_ == nullptr) last_ = nullptr;
    return call;
}

// Gives up without memory: what could not be done ends with the session.
void LateWork::finish(std::unique_ptr<AbandonedCall> call) noexcept {
    try {
        call->finish();
    } catch (const std::exception&) {}
    call.reset();
    const SharedLane::Lock lock(lane_);
    if (--left_ != 0) return;
    settled_.fetch_add(1, std::memory_order_release);
    futex_wake_one(settled_);
}

bool LateWork::is_done_here() const noexcept { return done_here == this; }

void LateWork::run() noexcept {
    done_here = this;
    for (;;) {
        const std::uint32_t seen = bell_.load(std::memory_order_acquire);
        std::unique_ptr<AbandonedCall> call;
        {
            const SharedLane::Lock lock(lane_);
            if (over_ != nullptr) {
                call = take();
            } else if (closing_) {
                return;
            }
        }
        call != nullptr ? finish(std::move(call)) : futex_wait(bell_, seen);
    }
}

bool LateWork::settle(std::chrono::nanoseconds time) noexcept {
    const Clock::time_point until = Clock::now() + time;
    for (;;) {
        const std::uint32_t seen = settled_.load(std::memory_order_acquire);
        {
            const SharedLane::Lock lock(lane_);
            if (left_ == 0) return true;
        }
        const std::chrono::nanoseconds rest = until - Clock::now();
        if (rest.count() <= 0) return false;
        futex_wait_for(settled_, seen, rest);
    }
}

} // namespace vfsproto::posix
