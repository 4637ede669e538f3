// SPDX-License-Identifier: BSD-2-Clause
// Sleeping until a device interrupts: on an eventfd alone, or on it and an alarm when the sleep has a bound.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <cstdint>

namespace vfsproto::posix {

// One thread waits at a time; only nudge() may be called beside it. A wait needs no lock.
class InterruptWaiter {
public:
    // Takes the eventfd that is signalled by interrupts, which stays the caller's. False when the system has no descriptor
    // left for the alarm.
    [[nodiscard]] bool attach(int interrupt_fd) noexcept;

    // Sleeps until the next interrupt or nudge. False when a signal handler ended the sleep.
    [[gnu::always_inline, nodiscard]] bool wait() noexcept { return backends::wait_event(interrupt_fd_); }
    // Sleeps until the interrupt that was asked for after `completions` requests, at most a few times as long as so many
    // took before, and never more than 2 ms. False when that time ran out.
    [[nodiscard]] bool wait_bounded(std::uint16_t completions) noexcept;
    // Ends the sleep of the thread that waits, or the next one. Any thread.
    void nudge() noexcept { backends::signal_unless_full(interrupt_fd_); }

private:
    [[nodiscard]] bool watch(int fd) noexcept;
    void set_alarm(std::uint64_t at) noexcept;
    [[nodiscard]] bool wait_for_interrupt_or_alarm() noexcept;

    int interrupt_fd_ = -1;
    backends::FileDescriptor epoll_;         // edge-triggered on the other two: a bounded sleep is one system call
    backends::FileDescriptor alarm_;         // a timerfd
    std::uint64_t alarm_time_ = 0;           // when it goes off, or went off: CLOCK_MONOTONIC, ns
    std::uint64_t ns_per_completion_ = 2000; // measured by bounded sleeps
};

} // namespace vfsproto::posix
