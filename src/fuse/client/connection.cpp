// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/connection.hpp"

namespace vfsproto::client {

Errc Connection::init(const Region& memory, const SessionOptions& options, QueueRef hiprio, QueueRef control) noexcept {
    if (const Errc errc = session_.init(memory, options); errc != Errc::ok) return errc;
    memory_ = memory;
    hiprio_ = hiprio;
    control_ = control;
    lock_waits_ = options.quirks.lock_waits;
    trace_.set_lengths(options.lengths);
    return Errc::ok;
}

Errc Connection::open(const InitOptions& wanted) noexcept {
    if (const Errc errc = session_.open(wanted); errc != Errc::ok) return errc;
    sticky_.reset();
    if (lock_waits_ == LockWaits::by_client) sticky_.mark(wire::Opcode::setlkw);
    failed_ = Errc::ok;
    suspends_ = false;
    return Errc::ok;
}

Errc Connection::suspend() noexcept {
    if (const Errc errc = session_.close(); errc != Errc::ok) return errc;
    for (std::size_t i = 0; i < lane_count_; ++i) lanes_[i].suspend(lanes_[i].lane);
    suspends_ = true;
    return Errc::ok;
}

Errc Connection::resume(const InitOptions& wanted) noexcept {
    if (!is_suspended()) return Errc::wrong_state;
    for (std::size_t i = 0; i < lane_count_; ++i) {
        if (lanes_[i].is_suspended(lanes_[i].lane)) return Errc::wrong_state;
    }
    return open(wanted);
}

bool Connection::uses_control() const noexcept {
    return session_.state() == SessionState::init_sent || session_.state() == SessionState::destroy_sent;
}

bool Connection::is_settled() const noexcept { return !uses_control() && session_.state() != SessionState::draining; }

Errc Connection::lane_error() const noexcept {
    for (std::size_t i = 0; i < lane_count_; ++i) {
        const Errc errc = lanes_[i].error(lanes_[i].lane);
        if (errc != Errc::ok) return errc;
    }
    return Errc::ok;
}

bool Connection::lanes_are_idle() const noexcept {
    for (std::size_t i = 0; i < lane_count_; ++i) {
        if (!lanes_[i].idle(lanes_[i].lane)) return false;
    }
    return true;
}

Errc Connection::take_used() noexcept {
    Completion done[kBatch];
    const std::size_t used = hiprio_.poll(done);
    for (std::size_t i = 0; i < used; ++i) {
        session_.handle_completion(wire::QueueKind::hiprio, done[i].token, done[i].written);
        trace_.completed(wire::QueueKind::hiprio, done[i].token, done[i].written, {Errc::ok, abi::Errno::none});
    }
    counters_.hiprio_used += used;
    // A device that broke the rules on one queue is not to be believed on another either.
    if (hiprio_.error() != Errc::ok) return hiprio_.error();
    if (!uses_control()) return Errc::ok;
    if (control_.poll({done, 1}) != 0) {
        session_.handle_completion(wire::QueueKind::request, done[0].token, done[0].written);
        trace_.completed(wire::QueueKind::request, done[0].token, done[0].written,
                         {session_.failure(), session_.server_error()});
    }
    return uses_control() ? control_.error() : Errc::ok;
}

// True if something was sent.
bool Connection::send() noexcept {
    SessionRequest request;
    bool sent = false;
    while (session_.peek_request(request)) {
        QueueRef& queue = request.queue == wire::QueueKind::hiprio ? hiprio_ : control_;
        const std::size_t writable = request.writable.len != 0 ? 1 : 0;
        // A full queue: the message stays first in line until a completion makes room.
        if (queue.submit({&request.readable, 1}, {&request.writable, writable}, request.token) != Errc::ok) break;
        session_.handle_submitted(request.queue, request.token);
        trace_.submitted(request, memory_);
        ++counters_.sent;
        sent = true;
        queue.kick();
    }
    return sent;
}

Errc Connection::pump() noexcept {
    if (failed_ != Errc::ok) return Errc::ok; // it is known already
    session_.handle_turn();
    do {
        if (const Errc errc = take_used(); errc != Errc::ok) return errc;
        if (session_.state() == SessionState::draining && lanes_are_idle()) session_.handle_lanes_idle();
    } while (send());
    return lane_error();
}

Errc Connection::drained() noexcept {
    if (failed_ != Errc::ok) return Errc::ok;
    return wants_turns() ? pump() : lane_error();
}

SessionWaits Connection::next_wait() const noexcept { return {session_.hiprio_in_flight() != 0, uses_control()}; }

bool Connection::arm() noexcept {
    const SessionWaits waits = next_wait();
    // A latched queue is armed at once: pump() says why.
    const bool hiprio = waits.hiprio && hiprio_.arm(1);
    const bool control = waits.control && control_.arm(1);
    return hiprio || control;
}

void Connection::fail(Errc why) noexcept {
    if (failed_ != Errc::ok) return;
    failed_ = why;
    for (std::size_t i = 0; i < lane_count_; ++i) lanes_[i].fail_all(lanes_[i].lane, why);
    Completion lost[kBatch];
    while (hiprio_.evacuate(lost) != 0) {}
    if (uses_control()) {
        while (control_.evacuate(lost) != 0) {}
    }
    trace_.lost(why);
    session_.handle_device_gone(why);
}

} // namespace vfsproto::client
