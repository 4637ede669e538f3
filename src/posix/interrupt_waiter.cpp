// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/interrupt_waiter.hpp"

#include "clock.hpp"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

namespace vfsproto::posix {

namespace {

constexpr std::uint64_t kAlarmPeriod = 1'000'000;  // ns
constexpr std::uint64_t kLongestBound = 2'000'000; // ns: half of the most a completion not waited for may be late
constexpr std::uint64_t kPatienceFactor = 4;       // times the measured time of n completions

} // namespace

bool InterruptWaiter::attach(int interrupt_fd) noexcept {
    interrupt_fd_ = interrupt_fd;
    epoll_ = backends::FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
    alarm_ = backends::FileDescriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    return epoll_ && alarm_ && watch(interrupt_fd_) && watch(alarm_.get());
}

bool InterruptWaiter::watch(int fd) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// The alarm ends the sleep when one of the requests is late. It is set at most once in kAlarmPeriod, because setting a
// timer for each sleep would cost more than the sleep.
bool InterruptWaiter::wait_bounded(std::uint16_t completions) noexcept {
    const std::uint64_t expected = ns_per_completion_ * completions * kPatienceFactor;
    const std::uint64_t bound = expected < kLongestBound ? expected : kLongestBound;
    const std::uint64_t start = now_ns();
    std::uint64_t now = start;
    do {
        if (now >= alarm_time_) set_alarm(now + (bound > kAlarmPeriod ? bound : kAlarmPeriod));
        if (wait_for_interrupt_or_alarm()) {
            const std::uint64_t each = (now_ns() - start) / completions;
            ns_per_completion_ = (ns_per_completion_ * 7 + each) / 8 + 1;
            return true;
        }
        now = now_ns();
    } while (now - start < bound); // the alarm was that of an earlier sleep
    // Larger requests than the last ones take longer: the next bound is more patient, within its limit.
    if (expected < kLongestBound) ns_per_completion_ *= 2;
    return false;
}

void InterruptWaiter::set_alarm(std::uint64_t at) noexcept {
    alarm_time_ = at;
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(at / kNsPerSecond);
    when.it_value.tv_nsec = static_cast<long>(at % kNsPerSecond);
    ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

// Makes one system call: with edge-triggered epoll neither descriptor need be read. True when there was an interrupt.
bool InterruptWaiter::wait_for_interrupt_or_alarm() noexcept {
    epoll_event events[2];
    // Avoids the C library's cancellation point, as backends::wait_event() does.
    const long count = ::syscall(SYS_epoll_pwait, epoll_.get(), events, 2, -1, nullptr, 0);
    for (long i = 0; i < count; ++i) {
        if (events[i].data.fd == interrupt_fd_) return true;
    }
    return false;
}

} // namespace vfsproto::posix
