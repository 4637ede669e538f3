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

LimitedCall::LimitedCall(Channel& channel, const CallLimits& limits, const Region* payload)
    : channel_(channel), limits_(limits), payload_(payload) {
    if (limits_.stop != nullptr) limits_.stop->add(*this);
}

LimitedCall::~LimitedCall() {
    if (limits_.stop != nullptr) limits_.stop->remove(*this);
    if (abandoned_ != nullptr) leave({});
}

void LimitedCall::leave(Held&& held, AfterLate&& after) noexcept {
    channel_.leave(*std::exchange(abandoned_, nullptr), std::move(held), std::move(after));
}

void LimitedCall::look_again() noexcept { channel_.call_watch().look_again(); }

CallWatch::~CallWatch() {
    {
        const SharedLane::Lock lock(lane_);
        VFSPROTO_RULE(first_ == nullptr, "a call outlived its Mount");
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
    lane_.mutex().assert_held();
    if (!thread_.joinable()) thread_ = backends::start_signal_free_thread([this] { run(); });
}

void CallWatch::add(LimitedCall& call) noexcept {
    lane_.mutex().assert_held();
    call.previous_ = nullptr;
    call.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &call;
    first_ = &call;
    if (call.limits_.deadline && *call.limits_.deadline < next_) ring();
}

void CallWatch::remove(LimitedCall& call) noexcept {
    lane_.mutex().assert_held();
    (call.previous_ == nullptr ? first_ : call.previous_->next_) = call.next_;
    if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
}

// True if the call was stopped just now, and is given the time to be answered.
bool CallWatch::begins_grace(LimitedCall& call, Errc why) noexcept {
    if (why != Errc::abandoned || call.limits_.grace.count() == 0 || call.let_go_at_) return false;
    call.let_go_at_ = Clock::now() + call.limits_.grace;
    if (const auto& deadline = call.limits_.deadline) call.let_go_at_ = std::min(*call.let_go_at_, *deadline);
    channel_.interrupt(call);
    return true;
}

// True if the list may be another now: a call was let go of, or the session's messages were moved.
bool CallWatch::expire() noexcept {
    const Clock::time_point now = Clock::now();
    next_ = Clock::time_point::max();
    for (LimitedCall* call = first_; call != nullptr; call = call->next_) {
        const Failure reached = call->limits_.reached();
        if (!reached) {
            call->let_go_at_.reset(); // a stop that was taken back
            if (call->limits_.deadline) next_ = std::min(next_, *call->limits_.deadline);
            continue;
        }
        if (begins_grace(*call, reached.errc)) return true;
        if (call->let_go_at_ && now < *call->let_go_at_) {
            next_ = std::min(next_, *call->let_go_at_);
        } else if (channel_.let_go(*call, reached.errc)) {
            return true;
        }
    }
    return false;
}

// While a call is abandoned or interrupted, the session's messages are moved from time to time: an INTERRUPT that overtook its
// target has to be sent again, and no answer of a lane may come by which that is noticed.
void CallWatch::run() noexcept {
    std::chrono::milliseconds pause = kFirstPause;
    std::size_t left_before = 0;
    for (;;) {
        const std::uint32_t seen = bell_.load(std::memory_order_acquire);
        Clock::time_point next{};
        std::size_t left = 0;
        {
            const SharedLane::Lock lock(lane_);
            while (expire()) {}
            if (closing_) return;
            left = channel_.late_work().left() + channel_.interrupted();
            if (left != 0) {
                pause = left != left_before ? kFirstPause : std::min(pause * 2, kLongestPause);
                next_ = std::min(next_, Clock::now() + pause);
            }
            left_before = left;
            next = next_;
        }
        if (left != 0) static_cast<void>(channel_.forget_now({}));
        if (next == Clock::time_point::max()) {
            futex_wait(bell_, seen);
        } else {
            futex_wait_for(bell_, seen, next - Clock::now());
        }
    }
}

} // namespace vfsproto::posix
