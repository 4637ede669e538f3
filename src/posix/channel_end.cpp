// SPDX-License-Identifier: BSD-2-Clause
// Channel: the ends of a device. The session is closed, the device is gone, silent, or broke the rules and is stopped.
#include "channel_waits.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/detail/notification_watch.hpp"
#include "vfsproto/posix/detail/rule.hpp"

namespace vfsproto::posix {

using client::SessionState;

Channel::~Channel() {
    settle_abandoned();
    VFSPROTO_RULE(lent_.load(std::memory_order_acquire) == 0, "a File, a Directory or a Buffer outlived its Mount");
    silence_.reset();
    end_notifications();
    finish_own_requests();
    if (is_ready()) close_session();
    std::unique_ptr<backends::QueueSet> queues = take_queues();
    if (queues != nullptr) note_end(queues->stop());
    queues.reset();
    // A device that has stopped touches no memory, so the memory is released. Else it is left to the attachment,
    // because the device may still write to it.
    if (end_ == DeviceEnd::stopped) {
        for (const Region& memory : {lane_memory_, session_memory_, notification_memory_}) {
            if (memory.size() != 0) attachment_->release(memory);
        }
        for (const auto& side : side_lanes_.all()) attachment_->release(side->memory);
    }
    free_forgotten();
    const ServerEnd end = server_end();
    attachment_.reset();
    if (on_end_) on_end_(end);
}

bool Channel::is_ready() noexcept {
    const SharedLane::Lock lock(shared_lane_);
    return queues_ != nullptr && !stopping_ && connection_.session().state() == SessionState::ready;
}

// A thread that polls for operations nobody waits for may still be within the drain that ended the last of them, or stop the device
// for what it found there. The queues are in use until it has. It may come back to fail the channel, as device_gone() may as long as
// there is an attachment: without queues that does nothing.
std::unique_ptr<backends::QueueSet> Channel::take_queues() noexcept {
    for (;;) {
        {
            const SharedLane::Lock lock(shared_lane_);
            if (!stopping_) {
                for (const auto& side : side_lanes_.all()) const SharedLane::Lock after_drain(side->shared);
                return std::move(queues_);
            }
        }
        const MutexLock until_stopped(attachment_mutex_);
    }
}

// After DESTROY was answered nothing is under way. What is under way else ends with the device, or with a server that has ended.
ServerEnd Channel::server_end() noexcept {
    const bool is_closed = [this] {
        const SharedLane::Lock lock(shared_lane_);
        return connection_.session().state() == SessionState::closed;
    }();
    const MutexLock lock(attachment_mutex_);
    const bool is_stopped = end_ == DeviceEnd::stopped && (is_closed || was_stopped_);
    return is_stopped || attachment_->server_has_ended() ? ServerEnd::over : ServerEnd::may_still_act;
}

void Channel::close_session() noexcept {
    {
        const SharedLane::Lock lock(shared_lane_);
        // A request that nobody waits for any more is on its way: DESTROY may not overtake it.
        if (!side_lanes_are_idle()) return fail(Errc::transport_failed);
        if (connection_.close() != Errc::ok) return;
    }
    const bool closed = pump_until([this] { return connection_.is_settled(); });
    if (closed) return;
    // The server is stuck. The FORGETs that still wait for it come back to be freed.
    const SharedLane::Lock lock(shared_lane_);
    fail(Errc::transport_failed);
}

// Fails every request, and wakes the poller of the first lane, unless it is the thread that found the failure.
void Channel::fail(Errc why) noexcept {
    if (failed_ != Errc::ok) return;
    failed_ = why;
    if (queues_ == nullptr) return; // the channel ends: nothing is under way
    // A device that broke the rules may still write to buffers; it must be stopped before they are given back.
    if (why != Errc::device_gone) stop_device();
    connection_.fail(why);
    fail_beside(why);
    free_forgotten();
    wake_all();
}

// Stopping may take seconds. Meanwhile new calls are refused, and no lock of the lane is held. No other thread polls,
// so what is in flight stays so until fail_all().
void Channel::stop_device() noexcept {
    lane_.refuse(failed_);
    refuse_beside(failed_);
    stopping_ = true;
    Errc stopped = Errc::ok;
    {
        const SharedLane::Unlocked unlocked(shared_lane_);
        const MutexLock lock(attachment_mutex_);
        stopped = queues_->stop();
    }
    stopping_ = false;
    note_end(stopped);
}

void Channel::note_end(Errc stopped) noexcept {
    const MutexLock lock(attachment_mutex_);
    if (stopped != Errc::ok && stopped != Errc::device_gone) end_ = DeviceEnd::may_still_write;
    was_stopped_ = stopped == Errc::ok && rings_ != nullptr;
}

Errc Channel::find_failure() {
    const SharedLane::Lock lock(shared_lane_);
    if (const Errc why = lane_error(); failed_ == Errc::ok && why != Errc::ok) fail(why);
    return failed_;
}

bool Channel::is_over() {
    for (;;) {
        {
            const SharedLane::Lock lock(shared_lane_);
            if (failed_ == Errc::ok) return false;
            if (!stopping_) break;
        }
        const MutexLock until_stopped(attachment_mutex_);
    }
    const MutexLock lock(attachment_mutex_);
    return was_stopped_ || attachment_->server_has_ended();
}

// Is called on a thread of the attachment's.
void Channel::device_gone() noexcept {
    const SharedLane::Lock lock(shared_lane_);
    if (queues_ == nullptr || shared_lane_.client().lane == nullptr) {
        failed_ = Errc::device_gone;
        return;
    }
    fail(Errc::device_gone);
}

void Channel::device_silent() noexcept {
    const SharedLane::Lock lock(shared_lane_);
    fail(Errc::transport_failed);
}

void Channel::wake_all() noexcept {
    shared_lane_.nudge();
    backends::signal_unless_full(queues_->hiprio().wait_fd);
}

} // namespace vfsproto::posix
