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
    const std::uint64_t unique = unique_of(call);
    if (unique == 0 || connection_.interrupt(unique) != Errc::ok) return;
    call.interrupted_ = unique;
    ++interrupted_;
    pump();
}

void Channel::end_interrupt(std::uint64_t unique) noexcept {
    connection_.end_interrupt(unique);
    --interrupted_;
}

std::uint64_t Channel::unique_of(const LimitedCall& call) noexcept {
    if (call.side_ == nullptr) return call.table_->unique(*call.operation_);
    const SharedLane::Lock lock(call.side_->shared);
    return call.operation_ == nullptr ? 0 : call.table_->unique(*call.operation_);
}

bool Channel::let_go(LimitedCall& call, Errc why) noexcept {
    shared_lane_.mutex().assert_held();
    SideLane* const side = call.side_;
    if (call.waits_ != nullptr) {
        Waiter& waiter = *call.waits_;
        end_wait(call);
        end_wait_of(call, waiter);
        lane_of(side).nudge();
        return true;
    }
    bool is_let_go = false;
    if (side == nullptr) {
        is_let_go = abandon(call, why);
    } else {
        const SharedLane::Lock lock(side->shared);
        is_let_go = abandon(call, why);
    }
    if (!is_let_go) return false;
    if (call.was_in_flight_) pump(); // the call may be gone then
    lane_of(side).nudge();
    return true;
}

void Channel::end_wait_of(LimitedCall& call, Waiter& waiter) noexcept {
    if (call.side_ == nullptr) return shared_lane_.satisfy(waiter);
    const SharedLane::Lock lock(call.side_->shared);
    call.is_over_ = true;
    call.side_->shared.satisfy(waiter);
}

bool Channel::abandon(LimitedCall& call, Errc why) noexcept {
    call.is_over_ = true; // for one that has not started yet
    if (call.operation_ == nullptr) return false;
    std::unique_ptr<AbandonedCall> abandoned(new (std::nothrow) AbandonedCall(*this, call.side_));
    DetachedPoller& poller = poller_of(call.side_);
    if (abandoned == nullptr || !poll_for_late(poller)) return false; // it is waited for as any other
    const std::uint64_t interrupted = std::exchange(call.interrupted_, 0);
    const std::uint64_t current = call.table_->unique(*call.operation_);
    if (call.table_->abandon(*call.operation_, abandoned->replies(), why) != Errc::ok) {
        call.interrupted_ = interrupted;
        poller.finished();
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
    return true;
}

// Prepares for the late replies of the requests that were let go of just now. True if there will be any: then pump()
// has to send their INTERRUPTs. The lane's lock keeps the caller in its call, so the payload is still its own.
bool Channel::take_over(AbandonedCall& abandoned, const Region* payload) noexcept {
    abandoned.count_in_flight();
    late_work_.expect();
    if (abandoned.in_flight() == 0) {
        poller_of(abandoned.side()).finished();
        return false;
    }
    if (payload != nullptr) abandoned.keep(*payload);
    abandoned.next_uninterrupted = std::exchange(uninterrupted_, &abandoned);
    return true;
}

Errc Channel::abandon(AbandonedCall& abandoned, client::Transfer& transfer, Errc why) noexcept {
    DetachedPoller& poller = poller_of(abandoned.side());
    if (!poll_for_late(poller)) return Errc::no_memory;
    client::ErasedLane& lane = *lane_of(abandoned.side()).client().lane;
    const Errc errc = lane.abandon(transfer, abandoned.replies()[0], why);
    if (errc != Errc::ok) poller.finished();
    return errc;
}

Errc Channel::give_up(SideLane* side, client::Transfer& transfer, const Region* payload, Held&& held, Errc why) {
    want_limits();
    auto abandoned = std::make_unique<AbandonedCall>(*this, side);
    abandoned->leave(std::move(held), {}); // what it holds may be given back once the locks are free, and not before
    const SharedLane::Lock lock(shared_lane_);
    Errc errc = Errc::ok;
    bool is_awaited = false;
    if (side == nullptr) {
        errc = abandon(*abandoned, transfer, why);
        if (errc == Errc::ok) is_awaited = take_over(*abandoned, payload);
    } else {
        const SharedLane::Lock side_lock(side->shared);
        errc = abandon(*abandoned, transfer, why);
        if (errc == Errc::ok) is_awaited = take_over(*abandoned, payload);
    }
    if (errc != Errc::ok) return errc;
    if (is_awaited) {
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

// Asks the session to interrupt each abandoned request. It takes a few at a time, and none for a server that must not
// be sent an INTERRUPT.
void Channel::interrupt_abandoned() noexcept {
    while (uninterrupted_ != nullptr) {
        AbandonedCall& call = *uninterrupted_;
        if (call.side() == nullptr) {
            if (!interrupt_all_of(call)) return;
        } else {
            const SharedLane::Lock lock(call.side()->shared);
            if (!interrupt_all_of(call)) return;
        }
        uninterrupted_ = call.next_uninterrupted;
    }
}

// False if the session has no room for more.
bool Channel::interrupt_all_of(AbandonedCall& call) noexcept {
    while (const std::uint64_t unique = call.next_to_interrupt()) {
        if (connection_.interrupt(unique) == Errc::no_slot) return false;
        call.note_interrupted(unique);
    }
    return true;
}

// Starts a thread that polls for the late replies, because no other thread may be waiting. False if there is none to be
// had.
bool Channel::poll_for_late(DetachedPoller& poller) noexcept {
    try {
        poller.adopt();
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

// Ends a call that is over. Does at once what never waits, because the thread of the late work may be waiting for the
// server.
void Channel::end_abandoned(std::unique_ptr<AbandonedCall> call) noexcept {
    call->note_over();
    late_work_.give(std::move(call));
}

void Channel::handle_late(AbandonedCall& call, client::LateReply& reply) noexcept {
    if (call.side() != nullptr) return note_late(*call.side(), call, reply);
    shared_lane_.mutex().assert_held();
    connection_.end_interrupt(reply.unique);
    if (!call.take(reply)) return;
    forget_uninterrupted(call);
    detached_.finished();
    if (call.is_over()) end_abandoned(std::unique_ptr<AbandonedCall>(&call));
}

// Takes a call off the list, if it stands there.
void Channel::forget_uninterrupted(const AbandonedCall& call) noexcept {
    AbandonedCall** at = &uninterrupted_;
    while (*at != nullptr && *at != &call) at = &(*at)->next_uninterrupted;
    if (*at != nullptr) *at = call.next_uninterrupted;
}

void Channel::leave(AbandonedCall& call, Held&& held, AfterLate&& after) noexcept {
    const SharedLane::Lock lock(shared_lane_);
    bool is_over = false;
    if (call.side() == nullptr) {
        call.leave(std::move(held), std::move(after));
        is_over = call.is_over();
    } else {
        const SharedLane::Lock side_lock(call.side()->shared);
        call.leave(std::move(held), std::move(after));
        is_over = call.is_over();
    }
    if (is_over) end_abandoned(std::unique_ptr<AbandonedCall>(&call));
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
    }
    static_cast<void>(late_work_.settle(options_.patience));
}

} // namespace vfsproto::posix
