// SPDX-License-Identifier: BSD-2-Clause
// Channel: from an attachment to an open session.
#include "channel_waits.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::posix {

using client::SessionState;

Failure Channel::start() {
    attachment_->on_gone([this] { device_gone(); });
    if (const Failure failure = connect()) return failure;
    const auto memory = attachment_->allocate(client::Session::kMemoryBytes);
    if (!memory) return memory.error();
    session_memory_ = *memory;
    QueueRef control = queues_->request_queue(0).queue;
    const client::SessionOptions session{attachment_->quirks(), control.limits().written};
    connection_.set_trace(options_.trace);
    const Errc errc = connection_.init(session_memory_, session, queues_->hiprio().queue, control);
    if (errc != Errc::ok) return errc;
    if (const Failure failure = make_lane()) return failure;
    const std::size_t lanes = std::min(queues_->request_queues(), kMostRequestQueues);
    for (std::size_t queue = 1; queue < lanes; ++queue) {
        if (const Failure failure = make_side_lane(queue)) return failure;
    }
    if (const Errc why = post_notification_buffers(); why != Errc::ok) return why;
    if (const Failure failure = open_session()) return failure;
    watch_for_silence();
    return {};
}

Failure Channel::connect() {
    auto [queues, why] = attachment_->own_queues();
    if (why != Errc::ok) return why;
    if (queues == nullptr) {
        auto rings = DriverQueues::bring_up(*attachment_, options_.rings, options_.notifications);
        if (!rings) return rings.failure();
        rings_ = rings->get();
        queues = *std::move(rings);
    }
    // device_gone() may come from now on.
    const SharedLane::Lock lock(shared_lane_);
    queues_ = std::move(queues);
    return {};
}

// Names the storage of a lane.
struct Channel::LaneStorage {
    Lane& lane;
    std::vector<Lane::Entry>& slots;
    Region& memory;
};

AnyRing Channel::ring_of(std::size_t queue) noexcept {
    return rings_ != nullptr ? rings_->request_lane_queue(queue) : AnyRing(queues_->request_queue(queue).queue);
}

Errc Channel::allocate_lane(std::size_t queue, const LaneStorage& storage) {
    const std::size_t most = ring_of(queue).limits().max_inflight;
    const std::size_t slots = most < options_.slots ? most : options_.slots;
    const auto memory = attachment_->allocate(Lane::memory_bytes(slots, options_.bounce));
    if (!memory) return memory.error();
    storage.memory = *memory;
    storage.slots.resize(slots);
    return Errc::ok;
}

Errc Channel::init_lane(std::size_t queue, const LaneStorage& storage) noexcept {
    AnyRing ring = ring_of(queue);
    client::LaneOptions options;
    options.index = static_cast<std::uint8_t>(1 + queue);
    options.bounce = options_.bounce;
    options.destroy_reply = attachment_->quirks().destroy_reply;
    options.lengths = ring.limits().written; // whoever asked for IN_ORDER has chosen
    options.trace = options_.trace;
    return storage.lane.init(ring, storage.slots, storage.memory, options);
}

client::Client Channel::client_of(Lane& lane) noexcept {
    return {&lane, &connection_.params(), &connection_.sticky(), options_.ids};
}

Failure Channel::make_lane() {
    const LaneStorage storage{lane_, lane_slots_, lane_memory_};
    if (const Errc errc = allocate_lane(0, storage); errc != Errc::ok) return errc;
    const SharedLane::Lock lock(shared_lane_);
    Errc errc = init_lane(0, storage);
    if (errc == Errc::ok) errc = connection_.add_lane(lane_);
    if (errc != Errc::ok) return errc;
    if (!shared_lane_.attach(client_of(lane_), lane_, queues_->request_queue(0).wait_fd)) return Errc::transport_failed;
    return {};
}

// device_gone() may run meanwhile, on another thread: a lane is complete before it is added.
Failure Channel::make_side_lane(std::size_t queue) {
    auto made = std::make_unique<SideLane>(*this, &Channel::after_drain_beside, options_.waiting);
    SideLane& side = *made;
    side.queue = queue;
    const LaneStorage storage{side.lane, side.slots, side.memory};
    if (const Errc errc = allocate_lane(queue, storage); errc != Errc::ok) return errc;
    const SharedLane::Lock lock(shared_lane_);
    {
        const SharedLane::Lock side_lock(side.shared);
        if (const Errc errc = init_lane(queue, storage); errc != Errc::ok) return errc;
        const int interrupt_fd = queues_->request_queue(queue).wait_fd;
        if (!side.shared.attach(client_of(side.lane), side.lane, interrupt_fd)) return Errc::transport_failed;
    }
    side_lanes_.add(std::move(made));
    return {};
}

Failure Channel::open_session() {
    {
        const SharedLane::Lock lock(shared_lane_);
        if (failed_ != Errc::ok) return failed_;
        if (const Errc errc = connection_.open(options_.init); errc != Errc::ok) return errc;
    }
    if (!pump_until([this] { return connection_.is_settled(); })) return Errc::transport_failed;
    {
        const SharedLane::Lock lock(shared_lane_); // device_gone() may come now
        const client::Session& session = connection_.session();
        if (session.state() != SessionState::ready) return {session.failure(), session.server_error()};
    }
    settle_limits();
    return {};
}

// A transfer may take any lane, so the limits are those of the lane that carries least.
void Channel::settle_limits() noexcept {
    using client::Payload;
    const auto limits_of = [](const client::Client& client, wire::Opcode op) noexcept {
        return PieceLimits{client::piece_limit(client, op, Payload::bounced),
                           client::piece_limit(client, op, Payload::registered)};
    };
    const auto lower = [](PieceLimits& limits, const PieceLimits& other) noexcept {
        limits.bounced = std::min(limits.bounced, other.bounced);
        limits.registered = std::min(limits.registered, other.registered);
    };
    read_limits_ = limits_of(shared_lane_.client(), wire::Opcode::read);
    write_limits_ = limits_of(shared_lane_.client(), wire::Opcode::write);
    for (const auto& side : side_lanes_.all()) {
        lower(read_limits_, limits_of(side->shared.client(), wire::Opcode::read));
        lower(write_limits_, limits_of(side->shared.client(), wire::Opcode::write));
    }
}

void Channel::watch_for_silence() {
    constexpr std::chrono::minutes kUsual{2};
    std::chrono::milliseconds limit = options_.silence;
    if (limit.count() == 0 && attachment_->end() == backends::Attachment::End::may_be_silent) limit = kUsual;
    if (limit.count() == 0) return;
    silence_.emplace(limit, [this] { return progress(); }, [this] { device_silent(); });
}

} // namespace vfsproto::posix
