// SPDX-License-Identifier: BSD-2-Clause
// Channel: calls that end before the server has answered them.
#include "vfsproto/posix/detail/channel.hpp"

#include <new>
#include <system_error>
#include <utility>

namespace vfsproto::posix {

void Channel::prepare_limits() {
    const SharedLane::Lock lock(shared_lane_);
    late_work_.prepare();
    call_watch_.prepare();
    limits_prepared_.store(true, std::memory_order_relaxed);
}

bool Channel::begin_limited(LimitedCall& call, client::Operation& operation) {
    shared_lane_.mutex().assert_held();
    if (const Failure reached = call.limits_.reached()) {
        operation.refuse(reached.errc);
        return false;
    }
    call_watch_.add(call);
    call.operation_ = &operation;
    operation.user = &call;
    operation.on_finish = [](client::Operation& finished) noexcept {
        auto& done = *static_cast<LimitedCall*>(finished.user);
        Channel& channel = done.channel_;
        channel.shared_lane_.mutex().assert_held();
        done.operation_ = nullptr;
        channel.call_watch_.remove(done);
        if (done.interrupted_ != 0) channel.end_interrupt(std::exchange(done.interrupted_, 0));
        if (done.on_finish_ == nullptr) return channel.shared_lane_.satisfy(done.waiter_);
        finished.user = done.user_;
        done.on_finish_(finished);
    };
    return true;
}

void Channel::interrupt(LimitedCall& call) noexcept {
    shared_lane_.mutex().assert_held();
    if (call.interrupted_ != 0) end_interrupt(std::exchange(call.interrupted_, 0)); // of a stop that was taken back
    const std::uint64_t unique = call.table_->unique(*call.operation_);
    if (unique == 0 || connection_.interrupt(unique) != Errc::ok) return;
    call.interrupted_ = unique;
    ++interrupted_;
    pump();
}

void Channel::end_interrupt(std::uint64_t unique) noexcept {
    connection_.end_interrupt(unique);
    --interrupted_;
}

bool Channel::let_go(LimitedCall& call, Errc why) noexcept {
    shared_lane_.mutex().assert_held();
    if (call.operation_ == nullptr) return false;
    std::unique_ptr<AbandonedCall> abandoned(new (std::nothrow) AbandonedCall(*this));
    if (abandoned == nullptr || !poll_for_late()) return false; // it is waited for as any other
    const std::uint64_t interrupted = std::exchange(call.interrupted_, 0);
    const std::uint64_t current = call.table_->unique(*call.operation_);
    if (call.table_->abandon(*call.operation_, abandoned->replies(), why) != Errc::ok) {
        call.interrupted_ = interrupted;
        detached_.finished();
        return false;
    }
    if (interrupted != 0) {
        --interrupted_;
        if (interrupted != current) connection_.end_interrupt(interrupted); // an earlier request of it
    }
    call.why_ = why;
    abandoned->count_in_flight();
    abandoned->note_interrupted(interrupted);
    call.was_in_flight_ = abandoned->in_flight() != 0;
    // The caller is in its call until this lock is free, so that the memory still is its own.
    if (call.was_in_flight_ && call.payload_ != nullptr) abandoned->keep(*call.payload_);
    late_work_.expect();
    call.abandoned_ = abandoned.release(); // the late work ends its life
    if (call.was_in_flight_) {
        call.abandoned_->next_uninterrupted = std::exchange(uninterrupted_, call.abandoned_);
        pump();
    } else {
        detached_.finished();
    }
    shared_lane_.nudge();
    return true;
}

// Wants every abandoned request interrupted that the session takes; it takes a few at a time, and none for servers that must
// not be sent an INTERRUPT.
void Channel::interrupt_abandoned() noexcept {
    while (uninterrupted_ != nullptr) {
        AbandonedCall& call = *uninterrupted_;
        while (const std::uint64_t unique = call.next_to_interrupt()) {
            if (connection_.interrupt(unique) == Errc::no_slot) return;
            call.note_interrupted(unique);
        }
        uninterrupted_ = call.next_uninterrupted;
    }
}

// Has a thread poll for the late replies: nobody else may wait for anything.
bool Channel::poll_for_late() noexcept {
    try {
        detached_.adopt();
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

void Channel::handle_late(AbandonedCall& call, client::LateReply& reply) noexcept {
    shared_lane_.mutex().assert_held();
    connection_.end_interrupt(reply.unique);
    if (!call.take(reply)) return;
    AbandonedCall** at = &uninterrupted_;
    while (*at != nullptr && *at != &call) at = &(*at)->next_uninterrupted;
    if (*at != nullptr) *at = call.next_uninterrupted;
    detached_.finished();
    if (call.is_over()) late_work_.give(std::unique_ptr<AbandonedCall>(&call));
}

void Channel::leave(AbandonedCall& call, Held&& held, AfterLate&& after) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    call.leave(std::move(held), std::move(after));
    if (call.is_over()) late_work_.give(std::unique_ptr<AbandonedCall>(&call));
}

void Channel::do_late(Held&& held, AfterLate&& work) {
    auto call = std::make_unique<AbandonedCall>(*this);
    call->leave(std::move(held), std::move(work));
    if (!limits_prepared_.load(std::memory_order_relaxed)) prepare_limits();
    const SharedLane::Lock lock(shared_lane_);
    late_work_.expect();
    late_work_.give(std::move(call));
}

// A server that still has abandoned requests, and does not answer them, is stuck.
void Channel::settle_abandoned() noexcept {
    if (late_work_.settle(options_.patience)) return;
    {
        const SharedLane::Lock lock(shared_lane_);
        fail(Errc::transport_failed);
        wake_all();
    }
    static_cast<void>(late_work_.settle(options_.patience));
}

} // namespace vfsproto::posix
