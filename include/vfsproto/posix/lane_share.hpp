// SPDX-License-Identifier: BSD-2-Clause
// How threads share one lane (docs/design.md section 6): under one lock, held to start and kick or to drain, never while
// sleeping. Of the threads that wait exactly one is the poller: it drains for all, and when its own request is done it
// passes the role on. A lone thread touches no futex.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/posix/futex.hpp"
#include "vfsproto/posix/wait_policy.hpp"

#include <cstdint>
#include <thread>
#include <utility>

namespace vfsproto::posix {

// A thread that waits for something the poller will find. On its stack.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

private:
    friend class LaneShare;
    enum State : std::uint32_t { waiting, done, promoted };

    std::atomic<std::uint32_t> state_{waiting};
    bool satisfied_ = false; // under the lock, as the rest
    bool listed_ = false;
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
};

// What else wants its turn whenever the lane was drained. Called under the lock.
class LaneHost {
public:
    virtual void lane_drained() noexcept = 0;

protected:
    ~LaneHost() = default;
};

struct LaneShareCounters {
    std::uint64_t sleeps = 0;         // system calls to wait for an interrupt
    std::uint64_t interrupts = 0;     // … that one ended
    std::uint64_t spins = 0;          // waits that ended without one
    std::uint64_t roles_passed = 0;   // a futex each
    std::uint64_t sleepers_woken = 0; // a futex each
};

class LaneShare {
public:
    // For whoever must look at the lane alone.
    class Lock {
    public:
        explicit Lock(LaneShare& share) noexcept : mutex_(share.mutex_) { mutex_.lock(); }
        ~Lock() { mutex_.unlock(); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

    private:
        Mutex& mutex_;
    };

    LaneShare(LaneHost& host, const client::Caller& caller, Waiting waiting) noexcept
        : host_(host), caller_(caller), policy_(waiting) {}
    ~LaneShare();
    LaneShare(const LaneShare&) = delete;
    LaneShare& operator=(const LaneShare&) = delete;

    // Before any other call. `call_fd` is the queue's eventfd, not owned. False when the system has no epoll for us.
    [[nodiscard]] bool attach(const client::Client& client, int call_fd);

    // Runs one operation to its end. Any thread. The arguments are those of its start() after client and caller.
    template <class Op, class... Args> void run(Op& op, Args&&... args) {
        Ended ended{*this, {}};
        op.user = &ended;
        op.on_finish = [](client::Operation& finished) noexcept {
            auto& end = *static_cast<Ended*>(finished.user);
            end.share.satisfy(end.waiter);
        };
        mutex_.lock();
        op.start(client_, caller_, std::forward<Args>(args)...);
        client_.lane->kick();
        end_of_run(ended.waiter);
    }

    // The same for one READ or WRITE, whose owner and on_done are set here.
    template <wire::Opcode Op> void run_call(client::Call<Op>& call) {
        Ended ended{*this, {}};
        call.caller = caller_;
        call.owner = &ended;
        call.on_done = [](client::Request& request) noexcept {
            auto& end = *static_cast<Ended*>(request.owner);
            end.share.satisfy(end.waiter);
        };
        mutex_.lock();
        client_.lane->template enqueue_as<Op>(call);
        client_.lane->kick();
        end_of_run(ended.waiter);
    }

    // For owners of several operations at once: the operation's own on_finish is called, under the lock, by any thread.
    // What was started is published by flush() or wait().
    template <class Op, class... Args> void start(Op& op, Args&&... args) {
        const Lock lock(*this);
        op.start(client_, caller_, std::forward<Args>(args)...);
    }
    void flush() noexcept {
        const Lock lock(*this);
        client_.lane->kick();
    }
    // Publishes, then sleeps until satisfy() was called for this waiter, unless `ready()` says that there is no need;
    // last, `take()` is called. Both are called under the lock.
    template <class Ready, class Take> void wait(Waiter& waiter, Ready&& ready, Take&& take) {
        mutex_.lock();
        client_.lane->kick();
        waiter.state_.store(Waiter::waiting, std::memory_order_relaxed);
        waiter.satisfied_ = ready();
        if (!waiter.satisfied_) wait_slowly(waiter);
        take();
        mutex_.unlock();
    }
    // Under the lock, from an on_finish.
    void satisfy(Waiter& waiter) noexcept;

    // An operation nobody waits for: a thread of ours polls while there are any.
    template <class Op, class... Args> void start_detached(Op& op, Args&&... args) {
        const Lock lock(*this);
        add_detached();
        op.start(client_, caller_, std::forward<Args>(args)...);
        client_.lane->kick();
    }
    // Under the lock, from the on_finish of such an operation.
    void detached_finished() noexcept;

    // Under the lock: every operation ends with `why`, and so does every later one.
    void fail_all(Errc why) noexcept { client_.lane->fail_all(why); }
    // Wakes the poller from its sleep to look around. Any thread, any time.
    void nudge() noexcept;

    [[nodiscard]] const client::Client& client() const noexcept { return client_; }
    [[nodiscard]] const client::Caller& caller() const noexcept { return caller_; }
    // Under the lock.
    [[nodiscard]] const LaneShareCounters& counters() const noexcept { return counters_; }

private:
    struct Ended {
        LaneShare& share;
        Waiter waiter;
    };

    void end_of_run(Waiter& waiter) noexcept {
        if (waiter.satisfied_) {
            mutex_.unlock();
        } else {
            wait_slowly_and_unlock(waiter);
        }
    }
    // Under the lock, which is held again, or still, when it returns.
    void wait_slowly(Waiter& waiter) noexcept;
    // Without the lock when it returns; a thread that slept needs it no more.
    void wait_slowly_and_unlock(Waiter& waiter) noexcept;
    // True: satisfied by another poller, and the lock is not held. False: the role is ours, with the lock.
    [[nodiscard]] bool sleep_for_role(Waiter& waiter) noexcept;
    void serve_as_poller(Waiter& waiter) noexcept;
    void poll_until(Waiter& waiter) noexcept;
    [[nodiscard]] std::size_t step() noexcept;
    void idle(Waiter& waiter) noexcept;
    [[nodiscard]] bool spin(Waiter& waiter, std::uint64_t limit) noexcept;
    void sleep() noexcept;
    [[nodiscard]] bool sleep_bounded(std::uint16_t completions) noexcept;
    void pass_role() noexcept;
    void enlist(Waiter& waiter) noexcept;
    void delist(Waiter& waiter) noexcept;
    void add_detached();
    void poll_for_detached() noexcept;

    Mutex mutex_;
    LaneHost& host_;
    client::Client client_{};
    client::Caller caller_{};
    int call_fd_ = -1;
    int epoll_fd_ = -1; // edge-triggered on call_fd_: one system call for a sleep with a bound
    WaitPolicy policy_;
    bool polling_ = false;     // some thread has the role
    bool single_next_ = false; // the last sleep ran into its bound
    Spun spun_ = Spun::not_in_vain;
    std::uint32_t since_wait_ = 0;           // completions
    std::uint64_t ns_per_completion_ = 2000; // measured while sleeping
    Waiter* first_ = nullptr;
    Waiter* last_ = nullptr;
    LaneShareCounters counters_{};

    std::uint32_t detached_ = 0;
    Waiter detached_waiter_;
    std::atomic<std::uint32_t> detached_word_{0}; // the thread sleeps on it while there are none
    bool closing_ = false;
    std::thread detached_thread_;
};

} // namespace vfsproto::posix
