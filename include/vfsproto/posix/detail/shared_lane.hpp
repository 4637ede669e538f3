// SPDX-License-Identifier: BSD-2-Clause
// Lets threads share one lane. Its lock is held to start and kick or to drain, never while
// sleeping. Exactly one of the waiting threads is the poller: it drains for all, and passes the role on when its own
// request is done. A lone thread makes no futex call.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/posix/detail/any_ring.hpp"
#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/interrupt_waiter.hpp"
#include "vfsproto/posix/detail/wait_policy.hpp"

#include <atomic>
#include <cstdint>
#include <span>
#include <utility>

namespace vfsproto::posix {

class SharedLane;
template <wire::Opcode Op> class QueuedTransfer;

// A thread that waits until satisfy() is called for it. On its stack.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // Makes it ready for another wait. Called with the lane's lock held.
    void reset() noexcept {
        state_.store(waiting, std::memory_order_relaxed);
        satisfied_ = false;
    }

private:
    friend class SharedLane;
    enum State : std::uint32_t { waiting, done, promoted };

    std::atomic<std::uint32_t> state_{waiting}; // the thread sleeps on this word while it is listed
    // The rest is guarded by the lane's lock.
    bool satisfied_ = false;
    bool listed_ = false;
    Waiter* previous_; // once listed
    Waiter* next_;
};

// One READ or WRITE that a thread waits for. On its stack.
class RunningTransfer : public client::Transfer {
    friend class SharedLane;
    SharedLane* lane_;
    Waiter waiter_;
};

// Names an operation to be started, whose only argument is a node. `start` knows its type.
struct StagedStart {
    client::Operation* operation;
    std::uint64_t nodeid;
    void (*start)(client::Operation&, client::Client&, const client::Caller&, std::uint64_t nodeid) noexcept;
};
// Lists what an IoQueue starts together, under one lock and with one doorbell. Transfers are linked, first to last.
struct Staged {
    const client::Caller& caller;
    QueuedTransfer<wire::Opcode::read>* reads = nullptr;
    QueuedTransfer<wire::Opcode::write>* writes = nullptr;
    std::span<const StagedStart> starts{};
};

// The owner of a lane is called after a drain, with the lock held: always when the lane has latched an error, and after
// every drain while it has asked for that.
struct AfterDrain {
    void (*call)(void* owner) noexcept;
    void* owner;
};
enum class CallAfterDrain : std::uint8_t { on_failure, always };

// Counts since the start.
struct SharedLaneCounters {
    std::uint64_t sleeps = 0;         // system calls to wait for an interrupt
    std::uint64_t interrupts = 0;     // sleeps that an interrupt ended
    std::uint64_t spins = 0;          // waits that ended without a sleep
    std::uint64_t yields = 0;         // system calls that gave the CPU to others
    std::uint64_t roles_passed = 0;   // one futex call each
    std::uint64_t sleepers_woken = 0; // one futex call each
};

class SharedLane {
public:
    // Holds the lock while it lives.
    class VFSPROTO_SCOPED_CAPABILITY Lock {
    public:
        explicit Lock(SharedLane& lane) noexcept VFSPROTO_ACQUIRE(lane.mutex_) : mutex_(lane.mutex_) { mutex_.lock(); }
        ~Lock() VFSPROTO_RELEASE() { mutex_.unlock(); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

    private:
        Mutex& mutex_;
    };

    // Lets go of the lock while it lives, for a holder that must wait for something else.
    class VFSPROTO_SCOPED_CAPABILITY Unlocked {
    public:
        explicit Unlocked(SharedLane& lane) noexcept VFSPROTO_RELEASE(lane.mutex_) : mutex_(lane.mutex_) {
            mutex_.unlock();
        }
        ~Unlocked() VFSPROTO_RELEASE() { mutex_.lock(); } // ends the scope: the lock is held again
        Unlocked(const Unlocked&) = delete;
        Unlocked& operator=(const Unlocked&) = delete;

    private:
        Mutex& mutex_;
    };

    SharedLane(AfterDrain after_drain, Waiting waiting) noexcept : after_drain_(after_drain), policy_(waiting) {}
    ~SharedLane();
    SharedLane(const SharedLane&) = delete;
    SharedLane& operator=(const SharedLane&) = delete;

    // Called before all others. The client's lane is this one; `interrupt_fd` is its queue's eventfd, which stays the
    // caller's. False when the system has no descriptors left.
    [[nodiscard]] bool attach(const client::Client& client, Lane& lane, int interrupt_fd) VFSPROTO_REQUIRES(mutex_);

    // Runs one operation to its end. Any thread; sleeps. The arguments are those of its start() after the client.
    template <class Op, class... Args> void run(Op& op, Args&&... args) VFSPROTO_EXCLUDES(mutex_) {
        Ended ended{*this, {}};
        op.user = &ended;
        op.on_finish = [](client::Operation& finished) noexcept {
            auto& end = *static_cast<Ended*>(finished.user);
            end.lane.satisfy(end.waiter);
        };
        mutex_.lock();
        op.start(client_, std::forward<Args>(args)...);
        publish_and_wait(ended.waiter);
    }

    // Runs one READ or WRITE (Op) to its end, as run() does an operation; sets its on_done. `span` is at most what one request
    // may carry. The body is inlined into its callers: src/posix/run_transfer.hpp.
    template <wire::Opcode Op>
    [[gnu::always_inline]] void run(RunningTransfer& transfer, const client::TransferSpan& span,
                                    const client::Caller& caller) noexcept VFSPROTO_EXCLUDES(mutex_);

    // Starts an operation of an owner of several. Its own on_finish is called with the lock held, by any thread. It is
    // published by flush() or wait().
    template <class Op, class... Args> void start(Op& op, Args&&... args) VFSPROTO_EXCLUDES(mutex_) {
        const Lock lock(*this);
        start_locked(op, std::forward<Args>(args)...);
    }
    void start(std::span<const StagedStart> staged, const client::Caller& caller) noexcept VFSPROTO_EXCLUDES(mutex_) {
        const Lock lock(*this);
        start_all(staged, caller);
    }
    template <class Op, class... Args> void start_locked(Op& op, Args&&... args) VFSPROTO_REQUIRES(mutex_) {
        op.start(client_, std::forward<Args>(args)...);
    }
    // Starts what is staged and publishes everything that was started.
    void flush(const Staged& staged) noexcept VFSPROTO_EXCLUDES(mutex_) {
        const Lock lock(*this);
        start_and_publish(staged);
    }
    void publish() noexcept VFSPROTO_REQUIRES(mutex_) { lane_->kick(); }
    // Starts what is staged, publishes, then sleeps until satisfy() was called for this waiter, unless `ready()` says that
    // there is no need; calls `take()` last. Both are called with the lock held.
    template <class Ready, class Take> void wait(const Staged& staged, Waiter& waiter, Ready&& ready, Take&& take)
        VFSPROTO_EXCLUDES(mutex_) {
        mutex_.lock();
        start_and_publish(staged);
        waiter.state_.store(Waiter::waiting, std::memory_order_relaxed);
        waiter.satisfied_ = ready();
        if (!waiter.satisfied_) {
            wait_and_unlock(waiter);
            mutex_.lock();
        }
        take();
        mutex_.unlock();
    }
    // Waits until satisfy() was called for this waiter. Returns without the lock, which a thread that slept needs no more.
    // Hot, so that the linker places it beside Mount::read(): after a sleep the instruction cache is cold.
    [[gnu::hot]] void wait_and_unlock(Waiter& waiter) noexcept VFSPROTO_RELEASE(mutex_);
    // Ends the wait of this waiter. Called from an on_finish, so with the lock held.
    void satisfy(Waiter& waiter) noexcept {
        mutex_.assert_held();
        waiter.satisfied_ = true;
        if (waiter.listed_) wake(waiter);
    }

    // Ends every operation with `why`, and every later one as well.
    void fail_all(Errc why) noexcept VFSPROTO_REQUIRES(mutex_) { lane_->fail_all(why); }
    void set_after_drain(CallAfterDrain when) noexcept VFSPROTO_REQUIRES(mutex_) { call_after_drain_ = when; }
    // Wakes the poller from its sleep to look around. Any thread.
    void nudge() noexcept { interrupt_.nudge(); }

    [[nodiscard]] Mutex& mutex() noexcept VFSPROTO_RETURN_CAPABILITY(mutex_) { return mutex_; }
    // Constant from attach() on.
    [[nodiscard]] const client::Client& client() const noexcept { return client_; }
    [[nodiscard]] const SharedLaneCounters& counters() const noexcept VFSPROTO_REQUIRES(mutex_) { return counters_; }

private:
    struct Ended {
        SharedLane& lane;
        Waiter waiter;
    };

    void start_and_publish(const Staged& staged) noexcept VFSPROTO_REQUIRES(mutex_);
    template <wire::Opcode Op> void start_all(QueuedTransfer<Op>* first, const client::Caller& caller) noexcept
        VFSPROTO_REQUIRES(mutex_);
    void start_all(std::span<const StagedStart> staged, const client::Caller& caller) noexcept
        VFSPROTO_REQUIRES(mutex_) {
        for (const StagedStart& each : staged) each.start(*each.operation, client_, caller, each.nodeid);
    }
    void publish_and_wait(Waiter& waiter) noexcept VFSPROTO_RELEASE(mutex_);

    // True if another poller satisfied it; false if it is the poller now, and then the caller takes the lock again.
    [[nodiscard]] bool sleep_for_role_unlocked(Waiter& waiter) noexcept VFSPROTO_RELEASE(mutex_);
    void serve_as_poller(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    void pass_role() noexcept VFSPROTO_REQUIRES(mutex_);
    void wake(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    void enlist(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    void delist(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);

    // The poller calls these. Those that sleep or yield let go of the lock meanwhile.
    [[nodiscard]] std::size_t step() noexcept VFSPROTO_REQUIRES(mutex_);
    void tell_owner() noexcept VFSPROTO_REQUIRES(mutex_); // of a drain
    void idle(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] bool spin_as_measured(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] bool spin(Waiter& waiter, std::uint64_t limit) noexcept VFSPROTO_REQUIRES(mutex_);
    void count_spin(std::uint64_t start) noexcept VFSPROTO_REQUIRES(mutex_); // start: ns
    enum class Pause : std::uint8_t { relax, yield };
    [[nodiscard]] bool pause(Waiter& waiter, Pause how) noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] bool lend_lock(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] bool yield_cpu(Waiter& waiter) noexcept VFSPROTO_REQUIRES(mutex_);
    void sleep() noexcept VFSPROTO_REQUIRES(mutex_);
    void sleep_for_one() noexcept VFSPROTO_REQUIRES(mutex_);
    void sleep_till_interrupt() noexcept VFSPROTO_REQUIRES(mutex_);

    Mutex mutex_;
    AfterDrain after_drain_;
    Lane* lane_ VFSPROTO_PT_GUARDED_BY(mutex_) = nullptr;
    client::Client client_{};
    InterruptWaiter interrupt_; // the poller's
    WaitPolicy policy_ VFSPROTO_GUARDED_BY(mutex_);
    CallAfterDrain call_after_drain_ VFSPROTO_GUARDED_BY(mutex_) = CallAfterDrain::on_failure;
    bool polling_ VFSPROTO_GUARDED_BY(mutex_) = false; // some thread has the role
    Spun spun_ VFSPROTO_GUARDED_BY(mutex_) = Spun::not_in_vain;
    std::uintptr_t finished_before_ VFSPROTO_GUARDED_BY(mutex_) = 0; // the lane's requests, when policy_ was last told
    Waiter* first_ VFSPROTO_GUARDED_BY(mutex_) = nullptr;            // the threads that sleep, in order of arrival
    Waiter* last_ VFSPROTO_GUARDED_BY(mutex_) = nullptr;
    SharedLaneCounters counters_ VFSPROTO_GUARDED_BY(mutex_){};
};

} // namespace vfsproto::posix
