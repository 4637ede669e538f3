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

// Interrupts more abandoned requests once the session has room for their INTERRUPTs, which this sends at once.
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

QueueStats Channel::queue_stats(std::size_t queue, const Lane& lane, const SharedLaneCounters& waits) const noexcept {
    const RingDriverCounters ring = rings_ != nullptr ? rings_->request_ring(queue).counters() : RingDriverCounters{};
    return {lane.counters().finished, ring.descriptors, ring.doorbells, waits.sleeps, waits.interrupts};
}

void Channel::add_lane(ChannelStats& stats, const QueueStats& queue, const Lane& lane,
                       const SharedLaneCounters& waits) noexcept {
    const client::LaneCounters counters = lane.counters();
    stats.requests += queue.requests;
    stats.descriptors += queue.descriptors;
    stats.doorbells += queue.doorbells;
    stats.sleeps += queue.sleeps;
    stats.interrupts += queue.interrupts;
    stats.copies += counters.copies;
    stats.syscalls += waits.sleeps + waits.yields;
    stats.waited_for_slot += counters.waited;
    stats.violations += counters.violations;
}

ChannelStats Channel::stats_locked() noexcept {
    ChannelStats stats;
    stats.syscalls = attachment_->system_calls() + futex_calls();
    const SharedLaneCounters& waits = shared_lane_.counters();
    add_lane(stats, queue_stats(0, lane_, waits), lane_, waits);
    for (const auto& side : side_lanes_.all()) {
        const SharedLane::Lock lock(side->shared);
        const SharedLaneCounters& its = side->shared.counters();
        add_lane(stats, queue_stats(side->queue, side->lane, its), side->lane, its);
    }
    if (notifications_) {
        const client::NotificationCounters told = notifications_->counters();
        stats.notifications = told.taken;
        stats.violations += told.malformed;
    }
    return stats;
}

void Channel::add_lane(MountStats& stats, const QueueStats& queue, const Lane& lane) {
    stats.queues.push_back(queue);
    for (OperationStats& operation : stats.operations) {
        const client::RowCounters& row = lane.operations().of(operation.op);
        operation.calls += row.finished;
        operation.errors += row.errors;
        operation.failures += row.failures;
    }
    const client::LaneCounters counters = lane.counters();
    stats.fast_transfers += lane.fast_transfers();
    stats.lost_transfers += counters.lost_transfers;
    stats.abandoned += counters.abandoned;
    stats.late += counters.late;
}

MountStats Channel::mount_stats() {
    MountStats stats;
    stats.operations.reserve(wire::kOpInfo.size());
    for (const wire::OpInfo& op : wire::kOpInfo) stats.operations.push_back({op.opcode});
    stats.queues.reserve(lanes());
    const SharedLane::Lock lock(shared_lane_);
    stats.channel = stats_locked();
    add_lane(stats, queue_stats(0, lane_, shared_lane_.counters()), lane_);
    for (const auto& side : side_lanes_.all()) {
        const SharedLane::Lock side_lock(side->shared);
        add_lane(stats, queue_stats(side->queue, side->lane, side->shared.counters()), side->lane);
    }
    const client::SessionCounters& session = connection_.session().counters();
    stats.forgets = session.forgets;
    stats.batch_forgets = session.batch_forgets;
    stats.forgotten = session.forgotten;
    stats.interrupts_sent = session.interrupts;
    return stats;
}

std::size_t Channel::slots() const noexcept {
    std::size_t slots = lane_slots_.size();
    for (const auto& side : side_lanes_.all()) slots += side->slots.size();
    return slots;
}

Errc Channel::failure() {
    const SharedLane::Lock lock(shared_lane_);
    return failed_;
}

std::optional<Channel::Glance> Channel::glance(std::chrono::nanoseconds patience) {
    if (!shared_lane_.mutex().try_lock_for(patience)) return std::nullopt;
    Glance seen{lane_.counters().finished, failed_};
    shared_lane_.mutex().unlock();
    for (const auto& side : side_lanes_.all()) {
        SideLane& it = *side;
        if (!it.shared.mutex().try_lock_for(patience)) return std::nullopt;
        seen.requests += it.lane.counters().finished;
        it.shared.mutex().unlock();
    }
    return seen;
}

} // namespace vfsproto::posix
