// SPDX-License-Identifier: BSD-2-Clause
// One mounted device: its queues, the connection over them, and the lanes its threads share. It waits, and owns memory,
// descriptors and threads; what is sent, and when, the connection knows. Knows operations and nodes, not paths. "The lane" is the
// first one, whose lock covers the session as well; side_lane.hpp has the others.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/fuse/client/attribute_cache.hpp"
#include "vfsproto/fuse/client/connection.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/detail/call_watch.hpp"
#include "vfsproto/posix/detail/detached_poller.hpp"
#include "vfsproto/posix/detail/driver_queues.hpp"
#include "vfsproto/posix/detail/late_work.hpp"
#include "vfsproto/posix/detail/piece_limits.hpp"
#include "vfsproto/posix/detail/registered_memory.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"
#include "vfsproto/posix/detail/side_lane.hpp"
#include "vfsproto/posix/detail/silence_watch.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vfsproto::wire {
struct Notification;
} // namespace vfsproto::wire

namespace vfsproto::posix {

class NotificationWatch;
struct MountStats;

// Tells what the server of a channel that has ended may still do.
enum class ServerEnd : std::uint8_t {
    over,          // nothing: it has ended, its device was stopped, or it has answered all that it was asked
    may_still_act, // what it was asked and has not answered
};

class Channel {
public:
    // Brings the device up and opens the FUSE session. Failures: what the transport says; version_unsupported;
    // init_refused (with the server's error); transport_failed when the server does not answer in time.
    [[nodiscard]] static Expected<std::unique_ptr<Channel>> open(std::unique_ptr<backends::Attachment> attachment,
                                                                 const ChannelOptions& options);
    // Ends the session (DESTROY) and stops the device. No operation may be under way.
    ~Channel();
    // `told` hears of that, when nothing of the device is left. Before any other thread has the channel.
    void on_end(std::function<void(ServerEnd)> told) { on_end_ = std::move(told); }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    [[nodiscard]] SharedLane& shared_lane() noexcept { return shared_lane_; }
    [[nodiscard]] DetachedPoller& detached() noexcept { return detached_; }
    // True if there are request queues beside the first. Constant from open() on, as lanes() is.
    [[nodiscard]] bool has_side_lanes() const noexcept { return !side_lanes_.empty(); }
    [[nodiscard]] std::size_t lanes() const noexcept { return 1 + side_lanes_.size(); }
    // Returns the lane that the calling thread's requests go by; nullptr: the first. Any thread.
    [[nodiscard]] SideLane* side_lane_of_this_thread() noexcept { return side_lanes_.of_this_thread(); }
    [[nodiscard]] SharedLane& lane_of_this_thread() noexcept { return lane_of(side_lane_of_this_thread()); }
    [[nodiscard]] SharedLane& lane_of(SideLane* side) noexcept { return side == nullptr ? shared_lane_ : side->shared; }
    // Returns the poller of the lane whose turn it is, for an operation that belongs to no thread. Any thread.
    [[nodiscard]] DetachedPoller& detached_in_turn() noexcept {
        SideLane* const side = has_side_lanes() ? side_lanes_.in_turn() : nullptr;
        return side == nullptr ? detached_ : side->detached;
    }
    // Runs one operation to its end; any thread. The arguments are those of its start() after the client.
    template <class Op, class... Args> void run(Op& op, Args&&... args) {
        SharedLane& lane = has_side_lanes() ? lane_of_this_thread() : shared_lane_;
        lane.run(op, std::forward<Args>(args)...);
        if (op.surplus_lookup() != 0) [[unlikely]]
            give_back(op.surplus_lookup());
    }

    // Runs an operation until it ends, by itself or with `abandoned` or `timed_out` because a limit was reached. If it was let go
    // of, its requests stay the server's until that answers, and the caller says what they name (LimitedCall::leave()). Registered
    // memory is that of the call's payload, if it moves any. `Kind` is the operation behind `op`. Throws std::system_error if
    // there is no thread to be had.
    template <class Kind, class Op, class... Args>
    void run_limited(LimitedCall& call, client::Operation& operation, Op& op, Args&&... args) {
        want_limits();
        call.table_ = &kAbandonTable<Kind>;
        if (SideLane* const side = side_lane_of_this_thread()) {
            return run_limited_beside(*side, call, operation, op, std::forward<Args>(args)...);
        }
        const client::Caller nobody{};
        const auto start = [&] {
            if (!begin_limited(call, operation)) return true;
            shared_lane_.mutex().assert_held();
            shared_lane_.start_locked(op, std::forward<Args>(args)...);
            shared_lane_.publish();
            return call.operation_ == nullptr;
        };
        shared_lane_.wait({nobody}, call.waiter_, start, [] {});
    }
    // Starts an operation that ends as run_limited() has it, by the first lane. Its own on_finish is called then, with that lane's
    // lock held, by any thread: `call` may go when the lock is free again. It calls DetachedPoller::finished(). Throws as
    // run_limited().
    template <class Kind, class Op, class... Args>
    void start_limited(LimitedCall& call, client::Operation& operation, Op& op, Args&&... args) {
        want_limits();
        call.table_ = &kAbandonTable<Kind>;
        call.on_finish_ = operation.on_finish;
        call.user_ = operation.user;
        const SharedLane::Lock lock(shared_lane_);
        detached_.adopt();
        if (!begin_limited(call, operation)) return call.on_finish_(operation);
        shared_lane_.start_locked(op, std::forward<Args>(args)...);
        shared_lane_.publish();
    }
    // Starts the threads that look at limits, once. Throws std::system_error if there are none to be had.
    void want_limits() {
        if (!limits_prepared_.load(std::memory_order_relaxed)) prepare_limits();
    }
    // Names who waits, and for what goes by which lane (nullptr: the first).
    struct LaneWait {
        SideLane* side;
        Waiter& waiter;
    };
    // Waits as SharedLane::wait() does, but for no longer than the limits of `call` allow, whose grace is 0. want_limits() was called.
    template <class Ready, class Take>
    void wait_limited(LaneWait wait, LimitedCall& call, const Staged& staged, Ready&& ready, Take&& take) {
        if (wait.side != nullptr) return wait_limited_beside(wait, call, staged, ready, take);
        Waiter& waiter = wait.waiter;
        const auto is_ready = [&] {
            shared_lane_.mutex().assert_held();
            return ready() || !begin_wait(call, waiter);
        };
        const auto end = [&] {
            shared_lane_.mutex().assert_held();
            end_wait(call);
            take();
        };
        shared_lane_.wait(staged, waiter, is_ready, end);
    }
    // Lets go of a transfer that is under way on this lane (nullptr: the first): its on_done is called with `why` before this
    // returns. Its late reply keeps `held` and `payload`, the registered region that it moves bytes of (nullptr: none). Errors:
    // wrong_state, for one that is not under way; no_memory. Throws as run_limited().
    [[nodiscard]] Errc give_up(SideLane* side, client::Transfer& transfer, const Region* payload, Held&& held, Errc why)
        VFSPROTO_EXCLUDES(shared_lane_.mutex());
    // Has the thread that finishes abandoned calls do this, and keeps `held` until then. Throws as run_limited().
    void do_late(Held&& held, AfterLate&& work);
    // Calls and late replies call these. The first takes the lane's lock, the other is called with that of the call's lane held.
    void leave(AbandonedCall& call, Held&& held, AfterLate&& after) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void handle_late(AbandonedCall& call, client::LateReply& reply) noexcept;
    // The watch calls these, with the first lane's lock held. let_go() is false for a call that is not under way, or cannot be let go
    // of.
    [[nodiscard]] bool let_go(LimitedCall& call, Errc why) noexcept;
    void interrupt(LimitedCall& call) noexcept;
    [[nodiscard]] std::size_t interrupted() const noexcept { return interrupted_; }
    [[nodiscard]] CallWatch& call_watch() noexcept { return call_watch_; }
    [[nodiscard]] LateWork& late_work() noexcept { return late_work_; }

    // A node for NodeTable::count_lookup(); freed by forget() or delete_node().
    [[nodiscard]] static client::CachedNode* new_node() { return new client::CachedNode; }
    static void delete_node(client::Node* node) noexcept { delete static_cast<client::CachedNode*>(node); }
    // Gives the lookups of these nodes back to the server and frees them. Sleeps only while the server is behind with
    // earlier ones, on behalf of all threads in one of them, and not again until a server that was stuck has moved.
    void forget(const std::vector<client::Node*>& nodes);
    // Does as forget() but never sleeps. False if the server is behind: some wait in line for a later call, which may bring none.
    [[nodiscard]] bool forget_now(const std::vector<client::Node*>& nodes);
    // Gives back one lookup of a node that is in no table.
    void give_back(std::uint64_t nodeid);

    // Has everything that the server tells unasked given to `told`, on a thread of its own and without a lock, until
    // end_notifications() returns. Nothing comes unless the options ask for it and the device can. Throws std::system_error if
    // there is no thread to be had.
    void take_notifications(std::function<void(const wire::Notification&)> told);
    void end_notifications() noexcept;
    // True if what the server tells unasked is taken: the device has a queue for it. Constant from open() on.
    [[nodiscard]] bool hears_notifications() const noexcept { return notifications_ != nullptr; }
    // Tells the server that nothing of what it wants back is kept here (NOTIFY_REPLY). Never sleeps.
    void answer_retrieve(const wire::NotifyRetrieveOut& asked) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // Memory the device can reach: requests that carry it are not copied. It has one user: its owner. Errors: no_memory and the
    // transport's.
    [[nodiscard]] Result<Region> allocate(std::size_t bytes);
    // Counts one user more: a request whose caller has gone on. Never sleeps. Any thread, while the owner has the memory.
    void keep(const Region& region) noexcept;
    // Takes one user off, and with the last one gives the memory back. That of a device that would not stop is not used again
    // while the channel lives. Not under the lane's lock.
    void release(const Region& region) noexcept VFSPROTO_EXCLUDES(attachment_mutex_, shared_lane_.mutex());
    // Takes the user off that keep() counted, unless it is the last: false then, and release() is due. Never sleeps. Any thread.
    [[nodiscard]] bool release_unless_last(const Region& region) noexcept;
    // True if only the owner uses it: no request that its caller gave up can read or change it any more, nor can a device that would
    // not stop.
    [[nodiscard]] bool is_free(const Region& region) const noexcept {
        return memory_.is_owners_alone(region) && end_ == DeviceEnd::stopped;
    }
    // Count the files, directories and buffers that callers have: all of them end before the channel. Any thread.
    void lend() noexcept { lent_.fetch_add(1, std::memory_order_relaxed); }
    void take_back() noexcept { lent_.fetch_sub(1, std::memory_order_release); }
    [[nodiscard]] const Region* find_registered(const std::byte* data, std::size_t len) const noexcept {
        return memory_.find(data, len);
    }
    [[nodiscard]] const RegisteredMemory& registered_memory() const noexcept { return memory_; }

    // The most bytes one READ or WRITE may carry, with and without registered memory. Constant from open() on.
    template <wire::Opcode Op> [[nodiscard]] std::uint32_t piece_limit(const Region* registered) const noexcept {
        const PieceLimits& limits = piece_limits<Op>();
        return registered != nullptr ? limits.registered : limits.bounced;
    }
    template <wire::Opcode Op> [[nodiscard]] const PieceLimits& piece_limits() const noexcept {
        return Op == wire::Opcode::read ? read_limits_ : write_limits_;
    }
    [[nodiscard]] const client::SessionParams& params() const noexcept { return connection_.params(); }
    [[nodiscard]] backends::Attachment& attachment() noexcept { return *attachment_; }
    [[nodiscard]] const backends::QueueSet& queues() const noexcept { return *queues_; }
    // Returns queues() as rings; nullptr where the attachment brought queues of its own.
    [[nodiscard]] const DriverQueues* rings() const noexcept { return rings_; }
    // Bytes one request or reply can carry of memory the device cannot reach, by whichever lane.
    [[nodiscard]] std::uint32_t max_bounced() const noexcept { return lane_.max_bounced(); }
    // Requests that may be in flight, on all lanes together.
    [[nodiscard]] std::size_t slots() const noexcept;
    [[nodiscard]] ChannelStats stats();
    // Returns the same and all that is counted here; what nodes and caches hold and knew is left at 0.
    [[nodiscard]] MountStats mount_stats();
    // Returns how the ids of callers and files relate to those of the server.
    [[nodiscard]] const abi::IdMap& ids() const noexcept { return options_.ids; }
    // Returns the caller of requests that nobody asked for, such as RELEASE: user 0, as Linux has it.
    [[nodiscard]] client::Caller own_caller() const noexcept { return {0, 0, options_.init.pid}; }
    // Returns ok, or why nothing works any more.
    [[nodiscard]] Errc failure();
    // Returns the same, but looks at the lanes themselves first: one may have failed as a request was started, after which nobody
    // drained it. Stops the device then, which may take seconds.
    [[nodiscard]] Errc find_failure() VFSPROTO_EXCLUDES(shared_lane_.mutex(), attachment_mutex_);
    // True if nothing works any more and the server does nothing of what it was asked either: it has ended, or its device was
    // stopped. Waits while another thread stops it.
    [[nodiscard]] bool is_over() VFSPROTO_EXCLUDES(shared_lane_.mutex(), attachment_mutex_);
    struct Glance {
        std::uint64_t requests = 0; // that ended
        Errc failure = Errc::ok;
    };
    // Tells both without waiting for longer than `patience`. Nothing while a thread keeps the lane's lock for longer, as one does
    // whose trace waits for a reader. Any thread.
    [[nodiscard]] std::optional<Glance> glance(std::chrono::nanoseconds patience);

private:
    Channel(std::unique_ptr<backends::Attachment> attachment, const ChannelOptions& options);

    // These lead from an attachment to an open session (channel_start.cpp).
    [[nodiscard]] Failure start();
    [[nodiscard]] Failure connect();
    struct LaneStorage;
    [[nodiscard]] AnyRing ring_of(std::size_t queue) noexcept; // of the request queues
    [[nodiscard]] client::Client client_of(Lane& lane) noexcept;
    [[nodiscard]] Errc allocate_lane(std::size_t queue, const LaneStorage& storage);
    [[nodiscard]] Errc init_lane(std::size_t queue, const LaneStorage& storage) noexcept;
    [[nodiscard]] Failure make_lane();
    [[nodiscard]] Failure make_side_lane(std::size_t queue);
    [[nodiscard]] Failure open_session();
    void settle_limits() noexcept;
    void watch_for_silence();

    [[nodiscard]] ChannelStats stats_locked() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    // These are called with the lane's lock held; `queue` is its number.
    [[nodiscard]] QueueStats queue_stats(std::size_t queue, const Lane& lane,
                                         const SharedLaneCounters& waits) const noexcept;
    static void add_lane(ChannelStats& stats, const QueueStats& queue, const Lane& lane,
                         const SharedLaneCounters& waits) noexcept;
    static void add_lane(MountStats& stats, const QueueStats& queue, const Lane& lane);

    // The session's messages are moved, and waited for (channel.cpp, channel_waits.hpp).
    static void after_drain(void* owner) noexcept;
    void after_drain() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void pump() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void after_pump() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    template <class Done> [[nodiscard]] bool pump_until(Done&& done) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    [[nodiscard]] bool wait_for_interrupt(client::SessionWaits waits,
                                          std::chrono::steady_clock::time_point until) noexcept
        VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // Nodes go back to the server (channel_forgets.cpp).
    void await_forgets() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void free_forgotten() noexcept; // with the lock held, or when there is no other thread any more

    // Calls end before their requests (channel_limits.cpp).
    [[nodiscard]] bool begin_limited(LimitedCall& call, client::Operation& operation);
    // These are called with the lock of the call's lane as well.
    [[nodiscard]] bool abandon(LimitedCall& call, Errc why) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    [[nodiscard]] Errc abandon(AbandonedCall& abandoned, client::Transfer& transfer, Errc why) noexcept
        VFSPROTO_REQUIRES(shared_lane_.mutex());
    [[nodiscard]] bool take_over(AbandonedCall& abandoned, const Region* payload) noexcept
        VFSPROTO_REQUIRES(shared_lane_.mutex());
    [[nodiscard]] static bool poll_for_late(DetachedPoller& poller) noexcept;
    [[nodiscard]] DetachedPoller& poller_of(SideLane* side) noexcept {
        return side == nullptr ? detached_ : side->detached;
    }
    [[nodiscard]] bool interrupt_all_of(AbandonedCall& call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    // The lock of the call's lane is not held here, where that is a side lane.
    [[nodiscard]] std::uint64_t unique_of(const LimitedCall& call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void forget_uninterrupted(const AbandonedCall& call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void end_abandoned(std::unique_ptr<AbandonedCall> call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    // False if a limit was reached already.
    [[nodiscard]] bool begin_wait(LimitedCall& call, Waiter& waiter) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void end_wait(LimitedCall& call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void end_wait_of(LimitedCall& call, Waiter& waiter) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void interrupt_abandoned() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void prepare_limits() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void end_interrupt(std::uint64_t unique) noexcept;
    void settle_abandoned() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // Requests go by the lanes beside the first (channel_side_lanes.cpp). The lock of a side lane is not held where the first one's
    // is asked for.
    template <class Op, class... Args>
    void run_limited_beside(SideLane& side, LimitedCall& call, client::Operation& operation, Op& op, Args&&... args)
        VFSPROTO_EXCLUDES(shared_lane_.mutex()) {
        if (!begin_beside(side, call, operation)) return;
        const client::Caller nobody{};
        const auto start = [&] {
            side.shared.mutex().assert_held();
            note_started_beside(call, operation);
            side.shared.start_locked(op, std::forward<Args>(args)...);
            side.shared.publish();
            return call.operation_ == nullptr;
        };
        side.shared.wait({nobody}, call.waiter_, start, [] {});
        end_beside(call);
    }
    template <class Ready, class Take>
    void wait_limited_beside(LaneWait wait, LimitedCall& call, const Staged& staged, Ready&& ready, Take&& take)
        VFSPROTO_EXCLUDES(shared_lane_.mutex()) {
        begin_wait_beside(*wait.side, call, wait.waiter);
        wait.side->shared.wait(staged, wait.waiter, [&] { return ready() || call.is_over_; }, take);
        const SharedLane::Lock lock(shared_lane_);
        end_wait(call);
    }
    // False if a limit was reached already: the operation has ended.
    [[nodiscard]] bool begin_beside(SideLane& side, LimitedCall& call, client::Operation& operation) noexcept
        VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void note_started_beside(LimitedCall& call,
                             client::Operation& operation) noexcept; // with the side lane's lock held
    void end_beside(LimitedCall& call) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void begin_wait_beside(SideLane& side, LimitedCall& call, Waiter& waiter) noexcept
        VFSPROTO_EXCLUDES(shared_lane_.mutex());
    static void after_drain_beside(void* side) noexcept; // with the side lane's lock held
    static void look_after(SideLane& side) noexcept VFSPROTO_REQUIRES(side.shared.mutex());
    void side_lane_drained(SideLane& side, Errc error) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void note_late(SideLane& side, AbandonedCall& call, client::LateReply& reply) noexcept;
    void tell_of_late(SideLane& side) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void refuse_beside(Errc why) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void fail_beside(Errc why) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    // Returns ok, or what a lane or its queue latched.
    [[nodiscard]] Errc lane_error() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    [[nodiscard]] bool side_lanes_are_idle() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());

    // The server tells something unasked (channel_notifications.cpp).
    struct RetrieveAnswer;
    [[nodiscard]] Errc post_notification_buffers();
    void end_answer() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex()); // takes one off answers_
    void notifications_broke(Errc why) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // A slow request is told from a silent device (channel_probe.cpp).
    [[nodiscard]] std::optional<std::uint64_t> progress() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void send_probe() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    struct LanesLook;
    [[nodiscard]] LanesLook look_at_side_lanes() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void finish_own_requests() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // The device's end (channel_end.cpp).
    void close_session() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    [[nodiscard]] bool is_ready() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    [[nodiscard]] std::unique_ptr<backends::QueueSet> take_queues() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    [[nodiscard]] ServerEnd server_end() noexcept VFSPROTO_EXCLUDES(attachment_mutex_);
    void fail(Errc why) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void stop_device() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void note_end(Errc stopped) noexcept VFSPROTO_EXCLUDES(attachment_mutex_); // what stopping the device said
    void device_gone() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void device_silent() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void wake_all() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());

    ChannelOptions options_;
    std::unique_ptr<backends::Attachment> attachment_;
    Mutex attachment_mutex_;   // its calls are made by one thread at a time
    std::mutex forgets_mutex_; // taken before the shared lane's lock
    std::unique_ptr<backends::QueueSet> queues_;
    DriverQueues* rings_ = nullptr; // queues_, if they are a virtio device's
    RegisteredMemory memory_;
    Region lane_memory_{};
    Region session_memory_{};
    Region notification_memory_{};
    std::vector<Lane::Entry> lane_slots_;
    Lane lane_;
    client::Connection connection_; // under the shared lane's lock, as the lane
    PieceLimits read_limits_{};
    PieceLimits write_limits_{};
    Errc failed_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = Errc::ok;
    // A device that would not stop may still write to memory of ours: none of it is used for anything else.
    enum class DeviceEnd : std::uint8_t { stopped, may_still_write };
    std::atomic<DeviceEnd> end_{DeviceEnd::stopped}; // changes before the requests that were in flight end
    bool was_stopped_ VFSPROTO_GUARDED_BY(attachment_mutex_) = false; // by a reset: a stream is merely closed
    // Completions of the hiprio queue, when a wait for one was given up.
    std::optional<std::uintptr_t> hiprio_used_when_stuck_ VFSPROTO_GUARDED_BY(shared_lane_.mutex());
    client::Single<wire::Opcode::statfs> probe_;
    bool probing_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = false; // probe_ is under way
    std::atomic<std::uint32_t> answers_{
        0}; // requests of its own that the detached poller polls for. Changed with the lane's lock held; its end sleeps on it
    bool stopping_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = false; // a thread is in stop_device()
    SharedLane shared_lane_;
    DetachedPoller detached_{shared_lane_};
    SideLanes side_lanes_{};
    std::uint64_t looks_ = 0; // of the silence watch, whose thread alone uses this and the next
    SeenLane seen_{};         // of the first lane
    AbandonedCall*
        uninterrupted_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = nullptr; // for want of room in the session
    std::size_t interrupted_ = 0; // calls that were, and are still waited for. Guarded by the lane's lock
    std::atomic<bool> limits_prepared_{false};
    LateWork late_work_{shared_lane_};
    CallWatch call_watch_{*this, shared_lane_};
    std::atomic<std::size_t> lent_{0};
    std::function<void(ServerEnd)> on_end_{};
    std::unique_ptr<NotificationWatch> notifications_; // none: the device has no such queue, or nobody wants it
    std::optional<SilenceWatch> silence_;              // last: it looks at all of the above
};

} // namespace vfsproto::posix
