// SPDX-License-Identifier: BSD-2-Clause
// Channel: from an attachment to an open session.
#include "channel_waits.hpp"

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

Failure Channel::make_lane() {
    AnyRing queue = rings_ != nullptr ? rings_->request_lane_queue(0) : AnyRing(queues_->request_queue(0).queue);
    const QueueLimits limits = queue.limits();
    const std::size_t slots = limits.max_inflight < options_.slots ? limits.max_inflight : options_.slots;
    const auto memory = attachment_->allocate(Lane::memory_bytes(slots, options_.bounce));
    if (!memory) return memory.error();
    lane_memory_ = *memory;
    lane_slots_.resize(slots);
    client::LaneOptions options;
    options.bounce = options_.bounce;
    options.destroy_reply = attachment_->quirks().destroy_reply;
    options.lengths = limits.written; // whoever asked for IN_ORDER has chosen
    options.trace = options_.trace;
    const SharedLane::Lock lock(shared_lane_);
    Errc errc = lane_.init(queue, lane_slots_, lane_memory_, options);
    if (errc == Errc::ok) errc = connection_.add_lane(lane_);
    if (errc != Errc::ok) return errc;
    if (!shared_lane_.attach({&lane_, &connection_.params(), &connection_.sticky()}, lane_,
                             queues_->request_queue(0).wait_fd))
        return Errc::transport_failed;
    return {};
}

Failure Channel::open_session() {
    {
        const SharedLane::Lock lock(shared_lane_);
        if (failed_ != Errc::ok) return failed_;
        if (const Errc errc = connection_.open(options_.init); errc != Errc::ok) return errc;
    }
    if (!pump_until([this] { return connection_.is_settled(); })) return Errc::transport_failed;
    const client::Session& session = connection_.session();
    if (session.state() != SessionState::ready) return {session.failure(), session.server_error()};
    settle_limits();
    return {};
}

void Channel::settle_limits() noexcept {
    const client::Client& client = shared_lane_.client();
    using client::Payload;
    const auto limits_of = [&](wire::Opcode op) noexcept {
        return PieceLimits{client::piece_limit(client, op, Payload::bounced),
                           client::piece_limit(client, op, Payload::registered)};
    };
    read_limits_ = limits_of(wire::Opcode::read);
    write_limits_ = limits_of(wire::Opcode::write);
}

void Channel::watch_for_silence() {
    constexpr std::chrono::minutes kUsual{2};
    std::chrono::milliseconds limit = options_.silence;
    if (limit.count() == 0 && attachment_->end() == backends::Attachment::End::may_be_silent) limit = kUsual;
    if (limit.count() == 0) return;
    silence_.emplace(limit, [this] { return progress(); }, [this] { device_silent(); });
}

} // namespace vfsproto::posix
