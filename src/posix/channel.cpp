// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/channel.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <poll.h>
#include <unistd.h>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;
using client::SessionState;

Channel::Channel(std::unique_ptr<backends::Attachment> attachment, const ChannelOptions& options)
    : options_(options),
      attachment_(std::move(attachment)),
      shared_lane_({&Channel::after_drain, this}, options.caller, options.waiting) {}

Expected<std::unique_ptr<Channel>> Channel::open(std::unique_ptr<backends::Attachment> attachment,
                                                 const ChannelOptions& options) {
    std::unique_ptr<Channel> channel(new Channel(std::move(attachment), options));
    if (const Failure failure = channel->start()) return failure;
    return channel;
}

Channel::~Channel() {
    silence_.reset();
    finish_probe();
    if (queues_ != nullptr && connection_.session().state() == SessionState::ready) close_session();
    std::unique_ptr<backends::QueueSet> queues;
    {
        // device_gone() may come as long as there is an attachment.
        const SharedLane::Lock lock(shared_lane_);
        queues = std::move(queues_);
    }
    if (queues != nullptr) note_end(queues->stop());
    queues.reset();
    // A device that stopped touches nothing: what it could reach may go. Else the memory is left to the attachment.
    if (end_ == DeviceEnd::stopped) {
        if (lane_memory_.size() != 0) attachment_->release(lane_memory_);
        if (session_memory_.size() != 0) attachment_->release(session_memory_);
    }
    free_forgotten();
    attachment_.reset();
}

Failure Channel::start() {
    attachment_->on_gone([this] { device_gone(); });
    if (Failure failure = connect(); failure.happened()) return failure;
    const auto memory = attachment_->allocate(client::Session::kMemoryBytes);
    if (!memory) return memory.error();
    session_memory_ = *memory;
    QueueRef control = queues_->request_queue(0).queue;
    const client::SessionOptions session{attachment_->quirks(), control.limits().written};
    connection_.set_trace(options_.trace);
    const Errc errc = connection_.init(session_memory_, session, queues_->hiprio().queue, control);
    if (errc != Errc::ok) return errc;
    if (const Failure failure = make_lane()) return failure;
    if (const Failure failure = open_session()) return failure;
    watch_for_silence();
    return {};
}

Failure Channel::connect() {
    auto [queues, why] = attachment_->own_queues();
    if (why != Errc::ok) return why;
    if (queues == nullptr) {
        auto rings = DriverQueues::bring_up(*attachment_, options_.rings);
        if (!rings) return rings.failure();
        rings_ = rings->get();
        queues = *std::move(rings);
    }
    // device_gone() may come from now on.
    const SharedLane::Lock lock(shared_lane_);
    queues_ = std::move(queues);
    return {};
}

void Channel::watch_for_silence() {
    constexpr std::chrono::minutes kUsual{2};
    std::chrono::milliseconds limit = options_.silence;
    if (limit.count() == 0 && attachment_->end() == backends::Attachment::End::may_be_silent) limit = kUsual;
    if (limit.count() == 0) return;
    silence_.emplace(limit, [this] { return progress(); }, [this] { device_silent(); });
}

// Returns what the silence watch compares. A server may rightly take minutes for an FSYNC or a lock: it is asked for a STATFS
// beside them, and owes that answer.
std::optional<std::uint64_t> Channel::progress() {
    std::uint64_t finished = 0;
    {
        const SharedLane::Lock lock(shared_lane_);
        if (lane_.in_flight() == 0) return std::nullopt;
        finished = lane_.finished();
        if (probing_ || failed_ != Errc::ok || lane_.awaits_prompt_reply()) return finished;
        probing_ = true;
    }
    probe_.user = this;
    probe_.on_finish = [](client::Operation& probe) noexcept {
        auto& channel = *static_cast<Channel*>(probe.user);
        channel.shared_lane_.mutex().assert_held();
        channel.probing_ = false;
    };
    shared_lane_.start(probe_, wire::kRootNodeId);
    shared_lane_.flush();
    return finished;
}

// Polls for the probe: nobody else does once the requests it was sent beside are over.
void Channel::finish_probe() noexcept {
    const auto until = Clock::now() + options_.patience;
    for (;;) {
        {
            const SharedLane::Lock lock(shared_lane_);
            while (probing_ && failed_ == Errc::ok && lane_.drain() != 0) {}
            if (!probing_ || failed_ != Errc::ok || lane_.error() != Errc::ok) return;
            if (lane_.arm_each().next == client::ArmOutcome::Next::look_again) continue;
        }
        if (!wait_for_interrupt({.control = true}, until)) return;
    }
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
        client::InitOptions wanted = options_.init;
        wanted.pid = options_.caller.pid;
        if (const Errc errc = connection_.open(wanted); errc != Errc::ok) return errc;
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

void Channel::close_session() noexcept {
    {
        const SharedLane::Lock lock(shared_lane_);
        if (connection_.close() != Errc::ok) return;
    }
    const bool closed = pump_until([this] { return connection_.is_settled(); });
    if (closed) return;
    // The server is stuck. The FORGETs that still wait for it come back to be freed.
    const SharedLane::Lock lock(shared_lane_);
    fail(Errc::transport_failed);
}

// Moves the session's messages until `done`, which is asked with the lock held. False when that takes longer than the
// patience.
template <class Done> bool Channel::pump_until(Done&& done) noexcept {
    const auto until = Clock::now() + options_.patience;
    for (;;) {
        client::SessionWaits waits;
        {
            const SharedLane::Lock lock(shared_lane_);
            pump();
            if (done()) return true;
            if (connection_.arm()) continue;
            waits = connection_.next_wait();
        }
        if (!wait_for_interrupt(waits, until)) return false;
    }
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

void Channel::after_drain(void* owner) noexcept {
    auto& channel = *static_cast<Channel*>(owner);
    channel.shared_lane_.mutex().assert_held();
    channel.lane_drained();
}

void Channel::lane_drained() noexcept {
    if (stopping_) {
        // The thread that found the failure holds this lock until the device is stopped, then needs the lane's.
        const SharedLane::Unlocked unlocked(shared_lane_);
        const MutexLock lock(attachment_mutex_);
    }
    if (const Errc why = connection_.drained(); why != Errc::ok) fail(why);
    after_pump();
}

void Channel::pump() noexcept {
    if (const Errc why = connection_.pump(); why != Errc::ok) fail(why);
    after_pump();
}

void Channel::after_pump() noexcept {
    shared_lane_.set_after_drain(connection_.wants_turns() ? CallAfterDrain::always : CallAfterDrain::on_failure);
    free_forgotten();
}

void Channel::free_forgotten() noexcept {
    static_assert(offsetof(client::Node, forget) == 0);
    while (client::ForgetLink* link = connection_.take_forgotten()) delete_node(reinterpret_cast<client::Node*>(link));
}

void Channel::forget(const std::vector<client::Node*>& nodes) {
    if (nodes.empty() || forget_now(nodes)) return;
    await_forgets();
}

bool Channel::forget_now(const std::vector<client::Node*>& nodes) {
    const SharedLane::Lock lock(shared_lane_);
    for (client::Node* node : nodes) connection_.forget(node->forget);
    pump();
    return !connection_.session().has_waiting_forgets();
}

// The server is behind with the FORGETs. If this was the last call for long, nobody would come by to send the rest.
void Channel::await_forgets() {
    const std::unique_lock waits_for_all(forgets_mutex_, std::try_to_lock); // one reader of the eventfd
    if (!waits_for_all) return;
    const bool sent = pump_until([this] {
        return !connection_.session().has_waiting_forgets() ||
               hiprio_used_when_stuck_ == connection_.counters().hiprio_used;
    });
    if (sent) return;
    // The FORGETs stay in line. Nobody waits for this server again before it has used one.
    const SharedLane::Lock lock(shared_lane_);
    hiprio_used_when_stuck_ = connection_.counters().hiprio_used;
}

void Channel::give_back(std::uint64_t nodeid) {
    client::Node* node = new_node();
    node->forget.nodeid = nodeid;
    node->forget.nlookup = 1;
    forget({node});
}

void Channel::fail(Errc why) noexcept {
    if (failed_ != Errc::ok) return;
    failed_ = why;
    // A device that broke the rules may still write to buffers; it must be stopped before they are given back.
    if (why != Errc::device_gone) stop_device();
    connection_.fail(why);
    free_forgotten();
}

// Stopping may take seconds: meanwhile new calls are refused, and no lock of the lane is held. The thread that found the
// failure is the poller, or nobody is: what is in flight stays so until fail_all().
void Channel::stop_device() noexcept {
    lane_.refuse(failed_);
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
}

// Is called on a thread of the attachment's.
void Channel::device_gone() noexcept {
    const SharedLane::Lock lock(shared_lane_);
    if (queues_ == nullptr || shared_lane_.client().lane == nullptr) {
        failed_ = Errc::device_gone;
        return;
    }
    fail(Errc::device_gone);
    wake_all();
}

void Channel::device_silent() noexcept {
    const SharedLane::Lock lock(shared_lane_);
    fail(Errc::transport_failed);
    wake_all();
}

void Channel::wake_all() noexcept {
    shared_lane_.nudge();
    backends::signal_unless_full(queues_->hiprio().wait_fd);
}

Result<Region> Channel::allocate(std::size_t bytes) {
    const MutexLock lock(attachment_mutex_);
    const auto region = attachment_->allocate(bytes);
    if (!region) return region.error();
    if (memory_.add(*region)) return *region;
    attachment_->release(*region);
    return Errc::no_memory;
}

void Channel::release(const Region& region) {
    const MutexLock lock(attachment_mutex_);
    memory_.remove(region);
    if (end_ == DeviceEnd::stopped) attachment_->release(region);
}

ChannelStats Channel::stats() {
    const SharedLane::Lock lock(shared_lane_);
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
    return stats;
}

Errc Channel::failure() {
    const SharedLane::Lock lock(shared_lane_);
    return failed_;
}

} // namespace vfsproto::posix
