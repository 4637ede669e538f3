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
    if (call.waits_ != nullptr) {
        Waiter& waiter = *call.waits_;
        end_wait(call);
        shared_lane_.satisfy(waiter);
        shared_lane_.nudge();
        return true;
    }
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
    abandoned->note_interrupted(interrupted);
    call.was_in_flight_ = take_over(*abandoned, call.payload_);
    call.abandoned_ = abandoned.release(); // the late work ends its life
    if (call.was_in_flight_) pump();
    shared_lane_.nudge();
    return true;
}

// Expects the late replies of what was let go of just now. True if there will be any: then INTERRUPTs are due, by pump(). The caller
// is in its call until the lane's lock is free, so that the payload still is its own.
bool Channel::take_over(AbandonedCall& abandoned, const Region* payload) noexcept {
    abandoned.count_in_flight();
    late_work_.expect();
    if (abandoned.in_flight() == 0) {
        detached_.finished();
        return false;
    }
    if (payload != nullptr) abandoned.keep(*payload);
    abandoned.next_uninterrupted = std::exchange(uninterrupted_, &abandoned);
    return true;
}

Errc Channel::give_up(client::Transfer& transfer, const Region* payload, Held&& held, Errc why) {
    want_limits();
    auto abandoned = std::make_unique<AbandonedCall>(*this);
    const SharedLane::Lock lock(shared_lane_);
    if (!poll_for_late()) return Errc::no_memory;
    if (const Errc errc = shared_lane_.client().lane->abandon(transfer, abandoned->replies()[0], why);
        errc != Errc::ok) {
        detached_.finished();
        return errc;
    }
    abandoned->leave(std::move(held), {});
    if (take_over(*abandoned, payload)) {
        static_cast<void>(abandoned.release()); // the late work ends its life
        pump();
    } else {
        late_work_.give(std::move(abandoned));
    }
    return Errc::ok;
}

bool Channel::begin_wait(LimitedCall& call, Waiter& waiter) noexcept {
    if (call.limits_.reached()) return false;
    call.waits_ = &waiter;
    call_watch_.add(call);
    return true;
}

void Channel::end_wait(LimitedCall& call) noexcept {
    if (std::exchange(call.waits_, nullptr) != nullptr) call_watch_.remove(call);
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

// The call is over. What needs no waiting is done at once: the thread of the late work may wait for the server.
void Channel::end_abandoned(std::unique_ptr<AbandonedCall> call) noexcept {
    call->note_over();
    late_work_.give(std::move(call));
}

void Channel::handle_late(AbandonedCall& call, client::LateReply& reply) noexcept {
    shared_lane_.mutex().assert_held();
    connection_.end_interrupt(reply.unique);
    if (!call.take(reply)) return;
    AbandonedCall** at = &uninterrupted_;
    while (*at != nullptr && *at != &call) at = &(*at)->next_uninterrupted;
    if (*at != nullptr) *at = call.next_uninterrupted;
    detached_.finished();
    if (call.is_over()) end_abandoned(std::unique_ptr<AbandonedCall>(&call));
}

void Channel::leave(AbandonedCall& call, Held&& held, AfterLate&& after) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    call.leave(std::move(held), std::move(after));
    if (call.is_over()) end_abandoned(std::unique_ptr<AbandonedCall>(&call));
}

void Channel::do_late(Held&& held, AfterLate&& work) {
    auto call = std::make_unique<AbandonedCall>(*this);
    call->leave(std::move(held), std::move(work));
    want_limits();
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
