// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/notification_watch.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <poll.h>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

Channel::Channel(std::unique_ptr<backends::Attachment> attachment, const ChannelOptions& options)
    : options_(options),
      attachment_(std::move(attachment)),
      shared_lane_({&Channel::after_drain, this}, options.waiting) {}

Expected<std::unique_ptr<Channel>> Channel::open(std::unique_ptr<backends::Attachment> attachment,
                                                 const ChannelOptions& options) {
    if (attachment == nullptr) return Errc::bad_argument;
    std::unique_ptr<Channel> channel(new Channel(std::move(attachment), options));
    if (const Failure failure = channel->start()) return failure;
    return channel;
}

void Channel::after_drain(void* owner) noexcept {
    auto& channel = *static_cast<Channel*>(owner);
    channel.shared_lane_.mutex().assert_held();
    channel.after_drain();
}

void Channel::after_drain() noexcept {
    if (stopping_) {
        // The thread that found the failure holds this lock until the device is stopped, then needs the lane's.
        const SharedLane::Unlocked unlocked(shared_lane_);
        const MutexLock lock(attachment_mutex_);
    }
    if (const Errc why = connection_.drained(); why != Errc::ok) fail(why);
    if (uninterrupted_ != nullptr) [[unlikely]]
        return pump();
    after_pump();
}

// The session has room for more INTERRUPTs once it has taken some back.
void Channel::pump() noexcept {
    if (const Errc why = connection_.pump(); why != Errc::ok) fail(why);
    const AbandonedCall* const before = uninterrupted_;
    interrupt_abandoned();
    if (uninterrupted_ != before) {
        if (const Errc why = connection_.pump(); why != Errc::ok) fail(why);
    }
    after_pump();
}

void Channel::after_pump() noexcept {
    const bool every_time = connection_.wants_turns() || uninterrupted_ != nullptr;
    shared_lane_.set_after_drain(every_time ? CallAfterDrain::always : CallAfterDrain::on_failure);
    free_forgotten();
}

bool Channel::wait_for_interrupt(client::SessionWaits waits, Clock::time_point until) noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd interests[] = {{waits.hiprio ? queues_->hiprio().wait_fd : -1, POLLIN, 0},
                          {waits.control ? queues_->request_queue(0).wait_fd : -1, POLLIN, 0}};
    const int ready = ::poll(interests, std::size(interests), static_cast<int>(left));
    for (const pollfd& interest : interests) {
        if (interest.revents != 0) static_cast<void>(backends::take_event(interest.fd));
    }
    return ready != 0; // a signal: look, then wait for what is left
}

Result<Region> Channel::allocate(std::size_t bytes) {
    const MutexLock lock(attachment_mutex_);
    const auto region = attachment_->allocate(bytes);
    if (!region) return region.error();
    if (memory_.add(*region)) {
        lend();
        return *region;
    }
    attachment_->release(*region);
    return Errc::no_memory;
}

void Channel::keep(const Region& region) noexcept {
    memory_.keep(region);
    lend();
}

void Channel::release(const Region& region) noexcept {
    const MutexLock lock(attachment_mutex_);
    take_back();
    if (memory_.drop(region) && end_ == DeviceEnd::stopped) attachment_->release(region);
}

bool Channel::release_unless_last(const Region& region) noexcept {
    if (!memory_.drop_unless_last(region)) return false;
    take_back();
    return true;
}

ChannelStats Channel::stats() {
    const SharedLane::Lock lock(shared_lane_);
    return stats_locked();
}

ChannelStats Channel::stats_locked() noexcept {
    const RingDriverCounters ring = rings_ != nullptr ? rings_->request_ring().counters() : RingDriverCounters{};
    const auto& lane = lane_.counters();
    const auto& waits = shared_lane_.counters();
    ChannelStats stats;
    stats.requests = lane.finished;
    stats.descriptors = ring.descriptors;
    stats.doorbells = ring.doorbells;
    stats.sleeps = waits.sleeps;
    stats.interrupts = waits.interrupts;
    stats.copies = lane.copies;
    stats.syscalls = attachment_->system_calls() + waits.sleeps + waits.yields + futex_calls();
    stats.waited_for_slot = lane.waited;
    stats.violations = lane.violations;
    if (notifications_) {
        const client::NotificationCounters told = notifications_->counters();
        stats.notifications = told.taken;
        stats.violations += told.malformed;
    }
    return stats;
}

MountStats Channel::mount_stats() {
    MountStats stats;
    stats.operations.reserve(wire::kOpInfo.size());
    const SharedLane::Lock lock(shared_lane_);
    stats.channel = stats_locked();
    for (const wire::OpInfo& op : wire::kOpInfo) {
        const client::RowCounters& row = lane_.operations().of(op.opcode);
        stats.operations.push_back({op.opcode, row.finished, row.errors, row.failures});
    }
    const client::LaneCounters lane = lane_.counters();
    stats.fast_transfers = lane_.fast_transfers();
    stats.lost_transfers = lane.lost_transfers;
    stats.abandoned = lane.abandoned;
    stats.late = lane.late;
    const client::SessionCounters& session = connection_.session().counters();
    stats.forgets = session.forgets;
    stats.batch_forgets = session.batch_forgets;
    stats.forgotten = session.forgotten;
    stats.interrupts_sent = session.interrupts;
    return stats;
}

Errc Channel::failure() {
    const SharedLane::Lock lock(shared_lane_);
    return failed_;
}

std::optional<Channel::Glance> Channel::glance(std::chrono::nanoseconds patience) {
    if (!shared_lane_.mutex().try_lock_for(patience)) return std::nullopt;
    const Glance seen{lane_.counters().finished, failed_};
    shared_lane_.mutex().unlock();
    return seen;
}

} // namespace vfsproto::posix
