// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/call_watch.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/rule.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{128};

} // namespace

LimitedCall::LimitedCall(Channel& channel, const CallLimits& limits, std::unique_ptr<AbandonedCall> late) noexcept
    : channel_(channel), limits_(limits), late_(std::move(late)) {
    if (limits_.stop != nullptr) limits_.stop->add(*this);
}

LimitedCall::~LimitedCall() {
    if (limits_.stop != nullptr) limits_.stop->remove(*this);
}

void LimitedCall::look_again() noexcept { channel_.call_watch().look_again(); }

CallWatch::~CallWatch() {
    {
        const SharedLane::Lock lock(lane_);
        VFSPROTO_RULE(first_ == nullptr && out_ == 0, "a call outlived its Mount");
        if (!thread_.joinable()) return;
        closing_ = true;
        ring();
    }
    thread_.join();
}

void CallWatch::ring() noexcept {
    bell_.fetch_add(1, std::memory_order_release);
    futex_wake_one(bell_);
}

void CallWatch::prepare() {
    const SharedLane::Lock lock(lane_);
    if (!thread_.joinable()) thread_ = backends::start_signal_free_thread([this] { run(); });
}

void CallWatch::add(LimitedCall& call) noexcept {
    lane_.mutex().assert_held();
    call.previous_ = nullptr;
    call.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &call;
    first_ = &call;
    if (call.limits_.deadline) ring();
}

void CallWatch::remove(LimitedCall& call) noexcept {
    lane_.mutex().assert_held();
    (call.previous_ == nullptr ? first_ : call.previous_->next_) = call.next_;
    if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
}

void CallWatch::abandoned() noexcept {
    lane_.mutex().assert_held();
    ++out_;
}

void CallWatch::ended(std::unique_ptr<AbandonedCall> call) noexcept {
    lane_.mutex().assert_held();
    call->next_ended = std::move(ended_);
    ended_ = std::move(call);
    ring();
}

bool CallWatch::settle(std::chrono::nanoseconds time) noexcept {
    const Clock::time_point until = Clock::now() + time;
    for (;;) {
        const std::uint32_t seen = settled_.load(std::memory_order_acquire);
        {
            const SharedLane::Lock lock(lane_);
            if (out_ == 0) return true;
        }
        const std::chrono::nanoseconds left = until - Clock::now();
        if (left.count() <= 0) return false;
        futex_wait_for(settled_, seen, left);
    }
}

// True if one was let go of: the list may be another now.
bool CallWatch::expire() noexcept {
    const Clock::time_point now = Clock::now();
    next_ = Clock::time_point::max();
    for (LimitedCall* call = first_; call != nullptr; call = call->next_) {
        const Failure reached = call->limits_.reached();
        if (reached && channel_.let_go(*call, reached.errc)) return true;
        const auto& deadline = call->limits_.deadline;
        if (deadline && *deadline > now) next_ = std::min(next_, *deadline);
    }
    return false;
}

void CallWatch::undo_ended() noexcept {
    while (ended_ != nullptr) {
        std::unique_ptr<AbandonedCall> call = std::move(ended_);
        ended_ = std::move(call->next_ended);
        {
            const SharedLane::Unlocked unlocked(lane_);
            if (call->verdict.succeeded() && call->undo) call->undo(channel_);
            call.reset();
        }
        if (--out_ != 0) continue;
        settled_.fetch_add(1, std::memory_order_release);
        futex_wake_one(settled_);
    }
}

// While a call is abandoned, the session's messages are moved from time to time: an INTERRUPT that overtook its target has to be
// sent again, and no answer of a lane may come by which that is noticed.
void CallWatch::run() noexcept {
    std::chrono::milliseconds pause = kFirstPause;
    std::size_t out_before = 0;
    for (;;) {
        const std::uint32_t seen = bell_.load(std::memory_order_acquire);
        Clock::time_point next{};
        std::size_t out = 0;
        {
            const SharedLane::Lock lock(lane_);
            undo_ended();
            while (expire()) {}
            if (ended_ != nullptr) continue;
            if (closing_) return;
            next = next_;
            out = out_;
        }
        if (out != 0) {
            static_cast<void>(channel_.forget_now({}));
            pause = out != out_before ? kFirstPause : std::min(pause * 2, kLongestPause);
            next = std::min(next, Clock::now() + pause);
        }
        out_before = out;
        if (next == Clock::time_point::max()) {
            futex_wait(bell_, seen);
        } else {
            futex_wait_for(bell_, seen, next - Clock::now());
        }
    }
}

} // namespace vfsproto::posix
