// SPDX-License-Identifier: BSD-2-Clause
// Channel: requests go by the lanes beside the first. What such a lane does alone is done under its own lock. What the session has to
// know of it is done under the first lane's lock, by whoever lets go of the side lane's before.
#include "vfsproto/posix/detail/channel.hpp"

#include <utility>

namespace vfsproto::posix {

void Channel::after_drain_beside(void* of) noexcept {
    auto& side = *static_cast<SideLane*>(of);
    side.shared.mutex().assert_held();
    look_after(side);
}

void Channel::look_after(SideLane& side) noexcept {
    const Errc error = side.lane.error();
    const SharedLane::Unlocked unlocked(side.shared);
    side.channel.side_lane_drained(side, error);
}

void Channel::side_lane_drained(SideLane& side, Errc error) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    if (stopping_) {
        // The thread that found the failure holds this lock until the device is stopped, then needs the lane's.
        const SharedLane::Unlocked unlocked(shared_lane_);
        const MutexLock until_stopped(attachment_mutex_);
    }
    if (error != Errc::ok) fail(error);
    tell_of_late(side);
}

bool Channel::begin_beside(SideLane& side, LimitedCall& call, client::Operation& operation) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    if (const Failure reached = call.limits_.reached()) {
        operation.refuse(reached.errc);
        return false;
    }
    call.side_ = &side;
    operation.user = &call;
    operation.on_finish = [](client::Operation& finished) noexcept {
        auto& done = *static_cast<LimitedCall*>(finished.user);
        done.side_->shared.mutex().assert_held();
        done.operation_ = nullptr;
        done.side_->shared.satisfy(done.waiter_);
    };
    call_watch_.add(call);
    return true;
}

// Makes the operation known to the watch. A limit that was reached after begin_beside() had nothing to let go of, so
// the watch looks again.
void Channel::note_started_beside(LimitedCall& call, client::Operation& operation) noexcept {
    call.operation_ = &operation;
    if (call.is_over_) call_watch_.look_again();
}

void Channel::end_beside(LimitedCall& call) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    call_watch_.remove(call);
    if (call.interrupted_ != 0) end_interrupt(std::exchange(call.interrupted_, 0));
}

void Channel::begin_wait_beside(SideLane& side, LimitedCall& call, Waiter& waiter) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    call.side_ = &side;
    call.is_over_ = !begin_wait(call, waiter);
}

// A late reply comes under the side lane's lock alone. The poller of the calls let go of goes on until the session was told, and is
// woken from a sleep that it may be in.
void Channel::note_late(SideLane& side, AbandonedCall& call, client::LateReply& reply) noexcept {
    side.shared.mutex().assert_held();
    for (std::uint64_t& over : call.over) {
        if (over != 0) continue;
        over = reply.unique;
        break;
    }
    static_cast<void>(call.take(reply));
    if (!std::exchange(call.is_untold, true)) call.next_late = std::exchange(side.late, &call);
    side.shared.set_after_drain(CallAfterDrain::always);
    side.shared.nudge();
}

void Channel::tell_of_late(SideLane& side) noexcept {
    for (;;) {
        std::array<std::uint64_t, AbandonedCall::kReplies> over{};
        AbandonedCall* call = nullptr;
        bool was_last = false;
        bool is_over = false;
        {
            const SharedLane::Lock lock(side.shared);
            call = side.late;
            if (call == nullptr) return side.shared.set_after_drain(CallAfterDrain::on_failure);
            side.late = call->next_late;
            call->is_untold = false;
            over = std::exchange(call->over, {});
            was_last = call->in_flight() == 0;
            is_over = call->is_over();
            if (was_last) side.detached.finished();
        }
        for (const std::uint64_t unique : over) {
            if (unique != 0) connection_.end_interrupt(unique);
        }
        if (was_last) forget_uninterrupted(*call);
        if (is_over) end_abandoned(std::unique_ptr<AbandonedCall>(call));
    }
}

void Channel::refuse_beside(Errc why) noexcept {
    for (const auto& side : side_lanes_.all()) {
        const SharedLane::Lock lock(side->shared);
        side->lane.refuse(why);
    }
}

void Channel::fail_beside(Errc why) noexcept {
    for (const auto& side : side_lanes_.all()) {
        {
            const SharedLane::Lock lock(side->shared);
            side->shared.fail_all(why);
        }
        tell_of_late(*side);
        side->shared.nudge();
    }
}

Errc Channel::lane_error() noexcept {
    Errc error = lane_.error();
    for (const auto& side : side_lanes_.all()) {
        if (error != Errc::ok) break;
        const SharedLane::Lock lock(side->shared);
        error = side->lane.error();
    }
    return error;
}

bool Channel::side_lanes_are_idle() noexcept {
    for (const auto& side : side_lanes_.all()) {
        const SharedLane::Lock lock(side->shared);
        if (!side->lane.idle()) return false;
    }
    return true;
}

} // namespace vfsproto::posix
