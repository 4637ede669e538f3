// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/shared_lane.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/fence.hpp"
#include "vfsproto/fuse/client/lane_body.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto {

template class client::BasicLane<posix::AnyRing>;

namespace posix {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;   // ns
constexpr std::uint64_t kAlarmPeriod = 1'000'000;  // ns
constexpr std::uint64_t kLongestBound = 2'000'000; // ns: half of the most a held-back completion may be late
constexpr std::uint64_t kPatienceFactor = 4;       // times the measured time of n completions
constexpr unsigned kSpinsPerClock = 64;

std::uint64_t now_ns() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * kSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace

bool SharedLane::attach(const client::Client& client, Lane& lane, int call_fd) {
    client_ = client;
    lane_ = &lane;
    call_fd_ = call_fd;
    epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
    alarm_fd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return epoll_fd_ >= 0 && alarm_fd_ >= 0 && watch(call_fd_) && watch(alarm_fd_);
}

bool SharedLane::watch(int fd) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

SharedLane::~SharedLane() {
    VFSPROTO_ASSERT(detached_ == 0 && first_ == nullptr); // a call that outlived its mount
    if (detached_thread_.joinable()) {
        {
            const Lock lock(*this);
            closing_ = true;
            detached_word_.fetch_add(1, std::memory_order_release);
        }
        futex_wake_one(detached_word_);
        detached_thread_.join();
    }
    if (alarm_fd_ >= 0) ::close(alarm_fd_);
    if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

void SharedLane::nudge() noexcept { backends::signal_unless_full(call_fd_); }

// From here to serve_as_poller() stands what every READ goes through. It is inlined into the two functions a thread
// enters: a lone request's way out and back is little more than the ring's own work.

void SharedLane::start_and_publish(const Staged& staged) noexcept {
    if (staged.reads != nullptr) start_all(staged.reads);
    if (staged.writes != nullptr) start_all(staged.writes);
    start_all(staged.starts);
    lane_->kick();
}

template <wire::Opcode Op> inline void SharedLane::start_all(StagedTransfer<Op>* first) noexcept {
    Lane& lane = *lane_;
    do {
        StagedTransfer<Op>& transfer = *first;
        first = transfer.next_staged;
        if (lane.start_plain_here<Op>(transfer.wanted, transfer)) [[likely]]
            continue;
        transfer.segment = {transfer.wanted.data, transfer.wanted.len};
        start_generally(transfer, {&transfer.segment, 1});
    } while (first != nullptr);
}

template <wire::Opcode Op> void SharedLane::start_bounced(StagedTransfer<Op>& transfer) noexcept {
    const Lock lock(*this);
    start_generally(transfer, {});
}
template void SharedLane::start_bounced(StagedTransfer<wire::Opcode::read>&) noexcept;
template void SharedLane::start_bounced(StagedTransfer<wire::Opcode::write>&) noexcept;

template <wire::Opcode Op>
void SharedLane::start_generally(StagedTransfer<Op>& transfer, std::span<const Segment> registered) noexcept {
    const client::PlainTransfer& wanted = transfer.wanted;
    client::Call<Op>& call = transfer.call;
    call.nodeid = wanted.nodeid;
    call.caller = caller_;
    call.args.fh = wanted.fh;
    call.args.offset = wanted.offset;
    call.args.size = wanted.len;
    call.args.flags = wanted.open_flags;
    if constexpr (Op == wire::Opcode::read) {
        call.data_out = {transfer.host, wanted.len, registered};
    } else {
        call.data_in = {transfer.host, wanted.len, registered};
    }
    call.owner = &transfer;
    call.on_done = [](client::Request& request) noexcept {
        auto& done = *static_cast<StagedTransfer<Op>*>(request.owner);
        done.errc = request.errc;
        done.error = request.error;
        done.bytes = request.bytes;
        if constexpr (Op == wire::Opcode::write) {
            if (done.succeeded()) done.errc = wire::check_written(done.call.reply, done.wanted.len);
            done.bytes = done.succeeded() ? done.call.reply.size : 0;
        }
        done.on_done(done);
    };
    lane_->enqueue(call);
}

void SharedLane::publish_and_wait(Waiter& waiter) noexcept {
    lane_->kick();
    if (waiter.satisfied_) return mutex_.unlock(); // it never came to a request
    wait_and_unlock(waiter);
}

void SharedLane::wait_and_unlock(Waiter& waiter) noexcept {
    if (polling_ && sleep_for_role(waiter)) return;
    serve_as_poller(waiter);
    mutex_.unlock();
}

[[gnu::always_inline]] inline void SharedLane::serve_as_poller(Waiter& waiter) noexcept {
    polling_ = true;
    // Nobody comes here satisfied, unless the lane failed; then nothing is in flight. Of a request alone on its way there
    // is nothing to be taken that arming would not see.
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

[[gnu::always_inline]] inline std::size_t SharedLane::step() noexcept {
    Lane& lane = *lane_;
    const std::size_t taken = lane.drain_here();
    if (turns_ != HostTurns::none || lane.error() != Errc::ok) [[unlikely]]
        host_.lane_drained();
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

bool SharedLane::sleep_for_role(Waiter& waiter) noexcept {
    enlist(waiter);
    mutex_.unlock();
    std::uint32_t state = waiter.state_.load(std::memory_order_acquire);
    while (state == Waiter::waiting) {
        futex_wait(waiter.state_, Waiter::waiting);
        state = waiter.state_.load(std::memory_order_acquire);
    }
    if (state == Waiter::done) return true;
    mutex_.lock(); // promoted: the role came with it
    return false;
}

// Polls with the lock held, and lets go of it as soon as somebody wants it, or while others have the CPU. True: something
// came.
bool SharedLane::spin(Waiter& waiter, std::uint64_t limit) noexcept {
    const bool endless = limit == ~std::uint64_t{0};
    const bool yields = policy_.yields();
    const std::uint64_t start = endless ? 0 : now_ns();
    for (unsigned i = 1;; ++i) {
        if (!yields) {
            cpu_relax();
        } else if (yield_cpu(waiter)) {
            return true;
        }
        if (lane_->drain() != 0) {
            ++counters_.spins;
            if (yields && now_ns() - start > WaitPolicy::kCrowded) spun_ = Spun::crowded;
            return true;
        }
        if (mutex_.contended()) {
            mutex_.unlock();
            cpu_relax();
            mutex_.lock();
            if (waiter.satisfied_) return true;
        }
        if (!yields && i % kSpinsPerClock != 0) continue;
        // A latched queue gives nothing more; the host finds out why.
        if (lane_->error() != Errc::ok) return true;
        if (endless) continue;
        const std::uint64_t spent = now_ns() - start;
        if (spent <= limit) continue;
        spun_ = yields && spent > WaitPolicy::kCrowded ? Spun::crowded : Spun::in_vain;
        return false;
    }
}

// True: satisfied meanwhile.
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
    const bool woken = sleep_bounded(arm.completions);
    mutex_.lock();
    if (woken) {
        ++counters_.interrupts;
    } else {
        lane_->waited_in_vain();
    }
}

[[gnu::always_inline]] inline void SharedLane::sleep_for_one() noexcept {
    if (!lane_->queue().arm(1)) sleep_till_interrupt();
}

[[gnu::always_inline]] inline void SharedLane::sleep_till_interrupt() noexcept {
    ++counters_.sleeps;
    mutex_.unlock();
    const bool woken = backends::wait_event(call_fd_);
    mutex_.lock();
    if (woken) [[likely]]
        ++counters_.interrupts;
}

// The interrupt comes after `completions` of them, unless something holds one back: then the alarm ends the sleep. It is
// set anew once a period at most, since a timer a sleep would cost more than the sleep.
bool SharedLane::sleep_bounded(std::uint16_t completions) noexcept {
    const std::uint64_t expected = ns_per_completion_ * completions * kPatienceFactor;
    const std::uint64_t bound = expected < kLongestBound ? expected : kLongestBound;
    const std::uint64_t start = now_ns();
    std::uint64_t now = start;
    do {
        if (now >= alarm_) set_alarm(now + (bound > kAlarmPeriod ? bound : kAlarmPeriod));
        if (wait_for_interrupt_or_alarm()) {
            const std::uint64_t each = (now_ns() - start) / completions;
            ns_per_completion_ = (ns_per_completion_ * 7 + each) / 8 + 1;
            return true;
        }
        now = now_ns();
    } while (now - start < bound); // an alarm of an earlier sleep's
    // Larger requests than the last ones take longer: the next bound is more patient, within its limit.
    if (expected < kLongestBound) ns_per_completion_ *= 2;
    return false;
}

void SharedLane::set_alarm(std::uint64_t at) noexcept {
    alarm_ = at;
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(at / kSecond);
    when.it_value.tv_nsec = static_cast<long>(at % kSecond);
    ::timerfd_settime(alarm_fd_, TFD_TIMER_ABSTIME, &when, nullptr);
}

// One system call: neither descriptor need be read. True: there was an interrupt.
bool SharedLane::wait_for_interrupt_or_alarm() noexcept {
    epoll_event events[2];
    // Around the C library's cancellation point, as backends::wait_event().
    const long count = ::syscall(SYS_epoll_pwait, epoll_fd_, events, 2, -1, nullptr, 0);
    for (long i = 0; i < count; ++i) {
        if (events[i].data.fd == call_fd_) return true;
    }
    return false;
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

void SharedLane::add_detached() {
    if (!detached_thread_.joinable()) detached_thread_ = std::thread([this] { poll_for_detached(); });
    if (detached_++ != 0) return;
    detached_word_.fetch_add(1, std::memory_order_release);
    futex_wake_one(detached_word_);
}

void SharedLane::detached_finished() noexcept {
    if (--detached_ == 0) satisfy(detached_waiter_);
}

void SharedLane::poll_for_detached() noexcept {
    for (;;) {
        mutex_.lock();
        if (closing_) return mutex_.unlock();
        if (detached_ != 0) {
            detached_waiter_.state_.store(Waiter::waiting, std::memory_order_relaxed);
            detached_waiter_.satisfied_ = false;
            wait_and_unlock(detached_waiter_);
            continue;
        }
        const std::uint32_t seen = detached_word_.load(std::memory_order_acquire);
        mutex_.unlock();
        futex_wait(detached_word_, seen);
    }
}

} // namespace posix
} // namespace vfsproto
