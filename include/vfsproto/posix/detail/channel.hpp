// SPDX-License-Identifier: BSD-2-Clause
// One mounted device: its queues, the connection over them, and the lane its threads share. It waits, and owns memory,
// descriptors and threads; what is sent, and when, the connection knows. Knows operations and nodes, not paths.
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

class Channel {
public:
    // Brings the device up and opens the FUSE session. Failures: what the transport says; version_unsupported;
    // init_refused (with the server's error); transport_failed when the server does not answer in time.
    [[nodiscard]] static Expected<std::unique_ptr<Channel>> open(std::unique_ptr<backends::Attachment> attachment,
                                                                 const ChannelOptions& options);
    // Ends the session (DESTROY) and stops the device. No operation may be under way.
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    [[nodiscard]] SharedLane& shared_lane() noexcept { return shared_lane_; }
    [[nodiscard]] DetachedPoller& detached() noexcept { return detached_; }
    // Runs one operation to its end; any thread. The arguments are those of its start() after the client.
    template <class Op, class... Args> void run(Op& op, Args&&... args) {
        shared_lane_.run(op, std::forward<Args>(args)...);
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
    // Starts an operation that ends as run_limited() has it. Its own on_finish is called then, with the lane's lock held, by any
    // thread: `call` may go when that lock is free again. It calls DetachedPoller::finished(). Throws as run_limited().
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
    // Waits as SharedLane::wait() does, but for no longer than the limits of `call` allow, whose grace is 0. want_limits() was called.
    template <class Ready, class Take>
    void wait_limited(LimitedCall& call, const Staged& staged, Waiter& waiter, Ready&& ready, Take&& take) {
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
    // Lets go of a transfer that is under way: its on_done is called with `why` before this returns. Its late reply keeps `held` and
    // `payload`, the registered region that it moves bytes of (nullptr: none). Errors: wrong_state, for one that is not under
    // way; no_memory. Throws as run_limited().
    [[nodiscard]] Errc give_up(client::Transfer& transfer, const Region* payload, Held&& held, Errc why)
        VFSPROTO_EXCLUDES(shared_lane_.mutex());
    // Has the thread that finishes abandoned calls do this, and keeps `held` until then. Throws as run_limited().
    void do_late(Held&& held, AfterLate&& work);
    // Calls and late replies call these. The first takes the lane's lock, the others are called with it held.
    void leave(AbandonedCall& call, Held&& held, AfterLate&& after) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void handle_late(AbandonedCall& call, client::LateReply& reply) noexcept;
    // The watch calls these, with the lane's lock held. let_go() is false for a call that is not under way, or cannot be let go of.
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
    // Bytes one request or reply can carry of memory the device cannot reach.
    [[nodiscard]] std::uint32_t max_bounced() const noexcept { return lane_.max_bounced(); }
    [[nodiscard]] std::size_t slots() const noexcept { return lane_slots_.size(); }
    [[nodiscard]] ChannelStats stats();
    // Returns the same and all that is counted here; what nodes and caches hold and knew is left at 0.
    [[nodiscard]] MountStats mount_stats();
    // Returns the caller of requests that nobody asked for, such as RELEASE: user 0, as Linux has it.
    [[nodiscard]] client::Caller own_caller() const noexcept { return {0, 0, options_.init.pid}; }
    // Returns ok, or why nothing works any more.
    [[nodiscard]] Errc failure();
    // Returns the same, but looks at the lane itself first: the thread that polled may have returned with the answer that broke the
    // rules, and told nobody. Stops the device then, which may take seconds.
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
    [[nodiscard]] Failure make_lane();
    [[nodiscard]] Failure open_session();
    void settle_limits() noexcept;
    void watch_for_silence();

    [[nodiscard]] ChannelStats stats_locked() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());

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
    [[nodiscard]] bool poll_for_late() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    [[nodiscard]] bool take_over(AbandonedCall& abandoned, const Region* payload) noexcept
        VFSPROTO_REQUIRES(shared_lane_.mutex());
    void end_abandoned(std::unique_ptr<AbandonedCall> call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    // False if a limit was reached already.
    [[nodiscard]] bool begin_wait(LimitedCall& call, Waiter& waiter) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void end_wait(LimitedCall& call) noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void interrupt_abandoned() noexcept VFSPROTO_REQUIRES(shared_lane_.mutex());
    void prepare_limits() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void end_interrupt(std::uint64_t unique) noexcept;
    void settle_abandoned() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // The server tells something unasked (channel_notifications.cpp).
    struct RetrieveAnswer;
    [[nodiscard]] Errc post_notification_buffers();
    void notifications_broke(Errc why) noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // A slow request is told from a silent device (channel_probe.cpp).
    [[nodiscard]] std::optional<std::uint64_t> progress() VFSPROTO_EXCLUDES(shared_lane_.mutex());
    void finish_own_requests() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());

    // The device's end (channel_end.cpp).
    void close_session() noexcept VFSPROTO_EXCLUDES(shared_lane_.mutex());
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
        0}; // NOTIFY_REPLYs under way. Changed with the lane's lock held; its end sleeps on it
    bool stopping_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = false; // a thread is in stop_device()
    SharedLane shared_lane_;
    DetachedPoller detached_{shared_lane_};
    AbandonedCall*
        uninterrupted_ VFSPROTO_GUARDED_BY(shared_lane_.mutex()) = nullptr; // for want of room in the session
    std::size_t interrupted_ = 0; // calls that were, and are still waited for. Guarded by the lane's lock
    std::atomic<bool> limits_prepared_{false};
    LateWork late_work_{shared_lane_};
    CallWatch call_watch_{*this, shared_lane_};
    std::atomic<std::size_t> lent_{0};
    std::unique_ptr<NotificationWatch> notifications_; // none: the device has no such queue, or nobody wants it
    std::optional<SilenceWatch> silence_;              // last: it looks at all of the above
};

} // namespace vfsproto::posix
