// SPDX-License-Identifier: BSD-2-Clause
// Channel: calls that end before the server has answered them.
#include "vfsproto/posix/detail/channel.hpp"

#include <system_error>
#include <utility>

namespace vfsproto::posix {

bool Channel::begin_limited(LimitedCall& call, client::Operation& operation) {
    shared_lane_.mutex().assert_held();
    if (call.limits_.reached()) return false;
    call_watch_.add(call);
    call.operation_ = &operation;
    operation.user = &call;
    operation.on_finish = [](client::Operation& finished) noexcept {
        auto& done = *static_cast<LimitedCall*>(finished.user);
        Channel& channel = done.channel_;
        channel.shared_lane_.mutex().assert_held();
        done.operation_ = nullptr;
        channel.call_watch_.remove(done);
        channel.shared_lane_.satisfy(done.waiter_);
    };
    return true;
}

bool Channel::let_go(LimitedCall& call, Errc why) noexcept {
    shared_lane_.mutex().assert_held();
    if (call.operation_ == nullptr || call.late_ == nullptr) return false;
    AbandonedCall& late = *call.late_;
    late.channel = this;
    late.unique = call.operation_->unique();
    late.memory = client::HeldMemory::until_late;
    late.on_late = [](client::LateReply& reply) noexcept {
        auto& done = static_cast<AbandonedCall&>(reply);
        done.channel->handle_late(done);
    };
    const bool is_in_flight = late.unique != 0;
    if (is_in_flight && !poll_for_late()) return false; // it is waited for as any other
    if (call.operation_->abandon(late, why) != Errc::ok) {
        if (is_in_flight) detached_.finished();
        return false;
    }
    if (is_in_flight) {
        static_cast<void>(call.late_.release()); // the late reply ends its life
        call_watch_.abandoned();
        late.next_uninterrupted = std::exchange(uninterrupted_, &late);
        pump();
    }
    shared_lane_.nudge();
    return true;
}

// Wants every abandoned request interrupted that the session takes; it takes a few at a time, and none for servers that must
// not be sent an INTERRUPT.
void Channel::interrupt_abandoned() noexcept {
    while (uninterrupted_ != nullptr) {
        const Errc errc = connection_.interrupt(uninterrupted_->unique);
        if (errc == Errc::no_slot) return;
        uninterrupted_ = uninterrupted_->next_uninterrupted;
    }
}

// Has a thread poll for the late reply: nobody else may wait for anything.
bool Channel::poll_for_late() noexcept {
    try {
        detached_.adopt();
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

void Channel::handle_late(AbandonedCall& call) noexcept {
    shared_lane_.mutex().assert_held();
    AbandonedCall** at = &uninterrupted_;
    while (*at != nullptr && *at != &call) at = &(*at)->next_uninterrupted;
    if (*at != nullptr) *at = call.next_uninterrupted;
    connection_.end_interrupt(call.unique);
    detached_.finished();
    call_watch_.ended(std::unique_ptr<AbandonedCall>(&call));
}

// A server that still has abandoned requests, and does not answer them, is stuck.
void Channel::settle_abandoned() noexcept {
    if (call_watch_.settle(options_.patience)) return;
    {
        const SharedLane::Lock lock(shared_lane_);
        fail(Errc::transport_failed);
        wake_all();
    }
    static_cast<void>(call_watch_.settle(options_.patience));
}

} // namespace vfsproto::posix
