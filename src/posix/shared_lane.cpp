// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/shared_lane.hpp"

#include "clock.hpp"

#include "vfsproto/base/fence.hpp"
#include "vfsproto/fuse/client/lane_body.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <sched.h>

namespace vfsproto {

template class client::RequestLane<posix::AnyRing>;

namespace posix {

namespace {

constexpr unsigned kSpinsPerClock = 64;

} // namespace

bool SharedLane::attach(const client::Client& client, Lane& lane, int interrupt_fd) {
    client_ = client;
    lane_ = &lane;
    return interrupt_.attach(interrupt_fd);
}

SharedLane::~SharedLane() { VFSPROTO_RULE(first_ == nullptr, "a call outlived its Mount"); }

// From here to serve_as_poller() is what every READ goes through. It is inlined into the two functions a thread enters,
// so that the way out and back of a lone request is little more than the ring's own work.

void SharedLane::start_and_publish(const Staged& staged) noexcept {
    if (staged.reads != nullptr) start_all(staged.reads, staged.caller);
    if (staged.writes != nullptr) start_all(staged.writes, staged.caller);
    start_all(staged.starts, staged.caller);
    lane_->kick();
}

template <wire::Opcode Op>
inline void SharedLane::start_all(QueuedTransfer<Op>* first, const client::Caller& caller) noexcept {
    Lane& lane = *lane_;
    do {
        QueuedTransfer<Op>& transfer = *first;
        first = transfer.next_; // it may be started again as soon as it is done
        lane.start_inline<Op>(transfer, transfer.span_, caller);
    } while (first != nullptr);
}

void SharedLane::publish_and_wait(Waiter& waiter) noexcept {
    lane_->kick();
    if (waiter.satisfied_) return mutex_.unlock(); // it never came to a request
    wait_and_unlock(waiter);
}

void SharedLane::wait_and_unlock(Waiter& waiter) noexcept {
    if (polling_) {
        if (sleep_for_role_unlocked(waiter)) return;
        mutex_.lock();
    }
    serve_as_poller(waiter);
    mutex_.unlock();
}

[[gnu::always_inline]] inline void SharedLane::serve_as_poller(Waiter& waiter) noexcept {
    polling_ = true;
    // No poll is needed before arming with one request in flight: arm() reports a completion that is already there. Nobody
    // comes here satisfied while something is in flight.
    if (lane_->in_flight() == 1 && policy_.waiting() == Waiting::event) sleep_for_one();
    while (!waiter.satisfied_) {
        while (step() == config::kDrainBatch && !waiter.satisfied_) {}
        if (waiter.satisfied_) break;
        idle(waiter);
    }
    polling_ = false;
    if (first_ != nullptr) [[unlikely]]
        pass_role();
}

[[gnu::always_inline]] inline void SharedLane::tell_owner() noexcept {
    if (call_after_drain_ != CallAfterDrain::on_failure || lane_->error() != Errc::ok) [[unlikely]]
        after_drain_.call(after_drain_.owner);
}

[[gnu::always_inline]] inline std::size_t SharedLane::step() noexcept {
    Lane& lane = *lane_;
    const std::size_t taken = lane.drain_inline();
    tell_owner();
    lane.kick();
    return taken;
}

[[gnu::always_inline]] inline void SharedLane::idle(Waiter& waiter) noexcept {
    if (policy_.waiting() != Waiting::event && spin_as_measured(waiter)) return;
    sleep();
}

bool SharedLane::spin_as_measured(Waiter& waiter) noexcept {
    const std::uintptr_t finished = lane_->finished();
    policy_.waited(static_cast<std::uint32_t>(finished - finished_before_), spun_, now_ns);
    finished_before_ = finished;
    spun_ = Spun::not_in_vain;
    const std::uint64_t limit = policy_.spin_limit();
    if (limit == 0) return false;
    return spin(waiter, limit) || waiter.satisfied_;
}

bool SharedLane::sleep_for_role_unlocked(Waiter& waiter) noexcept {
    enlist(waiter);
    mutex_.unlock();
    std::uint32_t state = waiter.state_.load(std::memory_order_acquire);
    while (state == Waiter::waiting) {
        futex_wait(waiter.state_, Waiter::waiting);
        state = waiter.state_.load(std::memory_order_acquire);
    }
    return state == Waiter::done;
}

// Polls with the lock held; lets go of it when another thread wants it, and while it yields the CPU. True if a completion
// came, or the lane failed.
bool SharedLane::spin(Waiter& waiter, std::uint64_t limit) noexcept {
    const bool endless = limit == ~std::uint64_t{0};
    const bool yields = policy_.yields();
    const std::uint64_t start = endless ? 0 : now_ns();
    for (unsigned i = 1;; ++i) {
        if (pause(waiter, yields ? Pause::yield : Pause::relax)) return true;
        if (lane_->drain() != 0) {
            count_spin(start);
            tell_owner(); // it may have been the last that this thread waits for
            return true;
        }
        if (mutex_.contended() && lend_lock(waiter)) return true;
        if (!yields && i % kSpinsPerClock != 0) continue;
        // A latched queue gives nothing more; after_drain_ finds out why.
        if (lane_->error() != Errc::ok) return true;
        if (endless) continue;
        const std::uint64_t spent = now_ns() - start;
        if (spent <= limit) continue;
        spun_ = yields && spent > WaitPolicy::kCrowded ? Spun::crowded : Spun::in_vain;
        return false;
    }
}

void SharedLane::count_spin(std::uint64_t start) noexcept {
    ++counters_.spins;
    if (policy_.yields() && now_ns() - start > WaitPolicy::kCrowded) spun_ = Spun::crowded;
}

bool SharedLane::pause(Waiter& waiter, Pause how) noexcept {
    if (how == Pause::yield) return yield_cpu(waiter);
    cpu_relax();
    return false;
}

// Lets one thread that wants the lock have it. True if the waiter was satisfied meanwhile.
bool SharedLane::lend_lock(Waiter& waiter) noexcept {
    mutex_.unlock();
    cpu_relax();
    mutex_.lock();
    return waiter.satisfied_;
}

// True if the waiter was satisfied meanwhile.
bool SharedLane::yield_cpu(Waiter& waiter) noexcept {
    ++counters_.yields;
    mutex_.unlock();
    ::sched_yield();
    mutex_.lock();
    return waiter.satisfied_;
}

void SharedLane::sleep() noexcept {
    const client::ArmOutcome arm = lane_->arm_burst();
    if (arm.next == client::ArmOutcome::Next::look_again) return;
    if (arm.completions == 1) return sleep_till_interrupt();
    ++counters_.sleeps;
    mutex_.unlock();
    const bool woken = interrupt_.wait_bounded(arm.completions);
    mutex_.lock();
    if (woken) {
        ++counters_.interrupts;
    } else {
        lane_->note_slow();
    }
}

[[gnu::always_inline]] inline void SharedLane::sleep_for_one() noexcept {
    if (!lane_->queue().arm(1)) sleep_till_interrupt();
}

[[gnu::always_inline]] inline void SharedLane::sleep_till_interrupt() noexcept {
    ++counters_.sleeps;
    mutex_.unlock();
    const bool woken = interrupt_.wait();
    mutex_.lock();
    if (woken) [[likely]]
        ++counters_.interrupts;
}

void SharedLane::wake(Waiter& waiter) noexcept {
    delist(waiter);
    ++counters_.sleepers_woken;
    std::atomic<std::uint32_t>& state = waiter.state_;
    // The waiter may be gone as soon as it reads this.
    state.store(Waiter::done, std::memory_order_release);
    futex_wake_one(state);
}

void SharedLane::pass_role() noexcept {
    polling_ = true;
    Waiter& heir = *first_;
    delist(heir);
    ++counters_.roles_passed;
    heir.state_.store(Waiter::promoted, std::memory_order_release);
    futex_wake_one(heir.state_);
}

void SharedLane::enlist(Waiter& waiter) noexcept {
    waiter.listed_ = true;
    waiter.previous_ = last_;
    waiter.next_ = nullptr;
    (last_ == nullptr ? first_ : last_->next_) = &waiter;
    last_ = &waiter;
}

void SharedLane::delist(Waiter& waiter) noexcept {
    (waiter.previous_ == nullptr ? first_ : waiter.previous_->next_) = waiter.next_;
    (waiter.next_ == nullptr ? last_ : waiter.next_->previous_) = waiter.previous_;
    waiter.listed_ = false;
}

} // namespace posix
} // namespace vfsproto
