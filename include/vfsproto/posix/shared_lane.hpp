// SPDX-License-Identifier: BSD-2-Clause
// How threads share one lane (docs/design.md section 6): under one lock, held to start and kick or to drain, never while
// sleeping. Of the threads that wait exactly one is the poller: it drains for all, and when its own request is done it
// passes the role on. A lone thread touches no futex.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/posix/any_ring.hpp"
#include "vfsproto/posix/futex.hpp"
#include "vfsproto/posix/wait_policy.hpp"

#include <cstdint>
#include <thread>
#include <utility>

namespace vfsproto::posix {

class SharedLane;

// A thread that waits for something the poller will find. On its stack.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

private:
    friend class SharedLane;
    enum State : std::uint32_t { waiting, done, promoted };

    std::atomic<std::uint32_t> state_{waiting};
    bool satisfied_ = false; // under the lock, as the rest
    bool listed_ = false;
    Waiter* previous_; // once listed
    Waiter* next_;
};

// One READ or WRITE a thread waits for, of memory the device can reach. On its stack.
class PlainRun : public client::PlainAnswer {
    friend class SharedLane;
    SharedLane* shared_lane_;
    Waiter waiter_;
};

// One of many READs or WRITEs (Op) that are started together.
template <wire::Opcode Op> struct StagedTransfer : client::PlainAnswer {
    client::PlainTransfer wanted{};
    StagedTransfer* next_staged = nullptr;
    std::byte* host = nullptr; // where the data lies
    // For when the lane's short way is closed.
    client::Call<Op> call;
    Segment segment{};
};
template <wire::Opcode Op> class StagedList {
public:
    StagedList() noexcept = default;
    StagedList(const StagedList&) = delete;
    StagedList& operator=(const StagedList&) = delete;

    void add(StagedTransfer<Op>& transfer) noexcept {
        *end_ = &transfer;
        end_ = &transfer.next_staged;
    }
    // All of them, first to last, linked by next_staged.
    [[nodiscard]] StagedTransfer<Op>* take() noexcept {
        *end_ = nullptr;
        end_ = &first_;
        return std::exchange(first_, nullptr);
    }

private:
    StagedTransfer<Op>* first_ = nullptr;
    StagedTransfer<Op>** end_ = &first_;
};
// An operation that is started with others; of its arguments but a node none is left to be told.
struct StagedStart {
    client::Operation* operation;
    std::uint64_t nodeid;
    void (*start)(client::Operation&, client::Client&, const client::Caller&, std::uint64_t nodeid) noexcept;
};
struct Staged {
    StagedTransfer<wire::Opcode::read>* reads = nullptr;
    StagedTransfer<wire::Opcode::write>* writes = nullptr;
    std::span<const StagedStart> starts{};
};

// What else wants a turn when the lane was drained: when it said so, and when the lane latched an error. Called under
// the lock.
enum class HostTurns : bool { none, each_drain };
class LaneHost {
public:
    virtual void lane_drained() noexcept = 0;

protected:
    ~LaneHost() = default;
};

struct SharedLaneCounters {
    std::uint64_t sleeps = 0;         // system calls to wait for an interrupt
    std::uint64_t interrupts = 0;     // … that one ended
    std::uint64_t spins = 0;          // waits that ended without one
    std::uint64_t yields = 0;         // system calls to let others have the CPU
    std::uint64_t roles_passed = 0;   // a futex each
    std::uint64_t sleepers_woken = 0; // a futex each
};

class SharedLane {
public:
    // For whoever must look at the lane alone.
    class Lock {
    public:
        explicit Lock(SharedLane& lane) noexcept : mutex_(lane.mutex_) { mutex_.lock(); }
        ~Lock() { mutex_.unlock(); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

    private:
        Mutex& mutex_;
    };

    // Lets go of the lock in its scope, for the holder of a Lock, or a host in lane_drained(), that must wait.
    class Unlocked {
    public:
        explicit Unlocked(SharedLane& share) noexcept : mutex_(share.mutex_) { mutex_.unlock(); }
        ~Unlocked() { mutex_.lock(); }
        Unlocked(const Unlocked&) = delete;
        Unlocked& operator=(const Unlocked&) = delete;

    private:
        Mutex& mutex_;
    };

    SharedLane(LaneHost& host, const client::Caller& caller, Waiting waiting) noexcept
        : host_(host), caller_(caller), policy_(waiting) {}
    ~SharedLane();
    SharedLane(const SharedLane&) = delete;
    SharedLane& operator=(const SharedLane&) = delete;

    // Before any other call. The client's lane is this one; `call_fd` is its queue's eventfd, not owned. False when the
    // system has no epoll for us.
    [[nodiscard]] bool attach(const client::Client& client, Lane& lane, int call_fd);

    // Runs one operation to its end. Any thread. The arguments are those of its start() after client and caller.
    template <class Op, class... Args> void run(Op& op, Args&&... args) {
        Ended ended{*this, {}};
        op.user = &ended;
        op.on_finish = [](client::Operation& finished) noexcept {
            auto& end = *static_cast<Ended*>(finished.user);
            end.lane.satisfy(end.waiter);
        };
        mutex_.lock();
        op.start(client_, caller_, std::forward<Args>(args)...);
        publish_and_wait(ended.waiter);
    }

    // The same for one READ or WRITE (Op) of memory the device can reach; its caller and on_done are set here. False: the
    // lane's short way is closed, and nothing happened. Its body is for those who start nothing else: src/posix/run_plain.hpp.
    template <wire::Opcode Op>
    [[gnu::always_inline, nodiscard]] bool run_plain(const client::PlainTransfer& wanted, PlainRun& run) noexcept;

    // For owners of several operations at once: the operation's own on_finish is called, under the lock, by any thread.
    // What was started is published by flush() or wait().
    template <class Op, class... Args> void start(Op& op, Args&&... args) {
        const Lock lock(*this);
        op.start(client_, caller_, std::forward<Args>(args)...);
    }
    void start(std::span<const StagedStart> staged) noexcept {
        const Lock lock(*this);
        start_all(staged);
    }
    // A transfer whose memory the device cannot reach. The others are staged.
    template <wire::Opcode Op> void start_bounced(StagedTransfer<Op>& transfer) noexcept;
    // Publishes, together with what is staged.
    void flush(const Staged& staged = {}) noexcept {
        const Lock lock(*this);
        start_and_publish(staged);
    }
    // Starts what is staged, publishes, then sleeps until satisfy() was called for this waiter, unless
    // `ready()` says that there is no need; last, `take()` is called. Both are called under the lock.
    template <class Ready, class Take> void wait(const Staged& staged, Waiter& waiter, Ready&& ready, Take&& take) {
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
    // Under the lock, from an on_finish.
    void satisfy(Waiter& waiter) noexcept {
        waiter.satisfied_ = true;
        if (waiter.listed_) wake(waiter);
    }

    // An operation nobody waits for: a thread of ours polls while there are any.
    template <class Op, class... Args> void start_detached(Op& op, Args&&... args) {
        const Lock lock(*this);
        add_detached();
        op.start(client_, caller_, std::forward<Args>(args)...);
        start_and_publish({});
    }
    // Under the lock, from the on_finish of such an operation.
    void detached_finished() noexcept;

    // Under the lock: every operation ends with `why`, and so does every later one.
    void fail_all(Errc why) noexcept { lane_->fail_all(why); }
    // Under the lock, by the host.
    void set_turns(HostTurns turns) noexcept { turns_ = turns; }
    // Wakes the poller from its sleep to look around. Any thread, any time.
    void nudge() noexcept;

    [[nodiscard]] const client::Client& client() const noexcept { return client_; }
    [[nodiscard]] const client::Caller& caller() const noexcept { return caller_; }
    // Under the lock.
    [[nodiscard]] const SharedLaneCounters& counters() const noexcept { return counters_; }

private:
    struct Ended {
        SharedLane& lane;
        Waiter waiter;
    };

    // Under the lock, as all below that does not say otherwise.
    void start_and_publish(const Staged& staged) noexcept;
    template <wire::Opcode Op> void start_all(StagedTransfer<Op>* first) noexcept;
    void start_all(std::span<const StagedStart> staged) noexcept {
        for (const StagedStart& each : staged) each.start(*each.operation, client_, caller_, each.nodeid);
    }
    template <wire::Opcode Op>
    void start_generally(StagedTransfer<Op>& transfer, std::span<const Segment> registered) noexcept;
    void publish_and_wait(Waiter& waiter) noexcept; // without the lock when it returns
    // Without the lock when it returns: a thread that slept needs it no more. Hot, as Mount::read(): the two lie together,
    // which counts for a client that finds its caches cold after every sleep.
    [[gnu::hot]] void wait_and_unlock(Waiter& waiter) noexcept;
    // True: satisfied by another poller, and the lock is not held. False: the role is ours, with the lock.
    [[nodiscard]] bool sleep_for_role(Waiter& waiter) noexcept;
    void serve_as_poller(Waiter& waiter) noexcept;
    void idle(Waiter& waiter) noexcept;
    [[nodiscard]] std::size_t step() noexcept;
    // True: no need to sleep.
    [[nodiscard]] bool spin_as_measured(Waiter& waiter) noexcept;
    [[nodiscard]] bool spin(Waiter& waiter, std::uint64_t limit) noexcept;
    [[nodiscard]] bool yield_cpu(Waiter& waiter) noexcept;
    void sleep() noexcept;
    void sleep_for_one() noexcept;
    void sleep_till_interrupt() noexcept;
    [[nodiscard]] bool sleep_bounded(std::uint16_t completions) noexcept;
    void set_alarm(std::uint64_t at) noexcept;
    [[nodiscard]] bool wait_for_interrupt_or_alarm() noexcept;
    [[nodiscard]] bool watch(int fd) noexcept;
    void wake(Waiter& waiter) noexcept;
    void pass_role() noexcept;
    void enlist(Waiter& waiter) noexcept;
    void delist(Waiter& waiter) noexcept;
    void add_detached();
    void poll_for_detached() noexcept;

    Mutex mutex_;
    LaneHost& host_;
    Lane* lane_ = nullptr;
    client::Client client_{};
    client::Caller caller_{};
    int call_fd_ = -1;
    int epoll_fd_ = -1;       // edge-triggered on the two: one system call for a sleep with a bound
    int alarm_fd_ = -1;       // a timerfd
    std::uint64_t alarm_ = 0; // when it goes off, or went off: CLOCK_MONOTONIC, ns
    WaitPolicy policy_;
    HostTurns turns_ = HostTurns::none;
    bool polling_ = false; // some thread has the role
    Spun spun_ = Spun::not_in_vain;
    std::uintptr_t finished_before_ = 0;     // the lane's requests, when policy_ was last told
    std::uint64_t ns_per_completion_ = 2000; // measured while sleeping
    Waiter* first_ = nullptr;
    Waiter* last_ = nullptr;
    SharedLaneCounters counters_{};

    std::uint32_t detached_ = 0;
    Waiter detached_waiter_;
    std::atomic<std::uint32_t> detached_word_{0}; // the thread sleeps on it while there are none
    bool closing_ = false;
    std::thread detached_thread_;
};

extern template void SharedLane::start_bounced(StagedTransfer<wire::Opcode::read>&) noexcept;
extern template void SharedLane::start_bounced(StagedTransfer<wire::Opcode::write>&) noexcept;

} // namespace vfsproto::posix
