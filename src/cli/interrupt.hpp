// SPDX-License-Identifier: BSD-2-Clause
// SIGINT, SIGTERM and SIGHUP end the program, with that signal's own exit status. They are blocked in every thread: Watch
// takes them, and asks the program to end in order.
#pragma once

#include <atomic>
#include <csignal>

namespace vfsproto::posix {
class StopSource;
}

namespace vfsproto::cli {

inline std::atomic<int> interrupt_signal{0}; // the first that came

inline bool sigpipe_was_ignored = false; // by whoever started the program: then a reader that goes is a failed write
inline bool sigxfsz_was_ignored = false; // by whoever started the program: a child of ours is to find it so

// Blocks the three signals, and lets writing to a closed pipe say EPIPE, and writing beyond the size that a file may have here
// (RLIMIT_FSIZE) EFBIG: a copy that fails of it removes what it made. Called by main() before there is another thread.
void block_interrupts() noexcept;
// Returns the three, without those that whoever started the program had ignored.
[[nodiscard]] sigset_t interrupt_signals() noexcept;

// True if the program is to end. Any thread. Inline, because a benchmark asks between two requests.
[[nodiscard]] inline bool interrupted() noexcept { return interrupt_signal.load(std::memory_order_relaxed) != 0; }

// Returns what ends the calls that wait for a device when one of the signals comes. Any thread.
[[nodiscard]] posix::StopSource& interrupt_stop() noexcept;

// Forgets SIGINT, so that the program goes on; false if another signal came, or none. Main thread, when what the signal was to
// end has ended.
[[nodiscard]] bool forget_ctrl_c() noexcept;

// Returns the signal that ends the program, also one that came just now and that Watch has not taken yet; 0: none. A system
// call, for where something becomes final.
[[nodiscard]] int latest_interrupt() noexcept;

// Lives around a call of this host's system that may wait for ever: reading a pipe, opening a FIFO. After an interrupt
// the call fails with EINTR.
class LocalCall {
public:
    LocalCall() noexcept;
    ~LocalCall();
    LocalCall(const LocalCall&) = delete;
    LocalCall& operator=(const LocalCall&) = delete;

    // True if a thread is in such a call.
    [[nodiscard]] static bool any() noexcept;
    // Interrupts every call under way. A call that begins at the same time is missed: say it again.
    static void cut_all() noexcept;
};

// Ends the process as this signal ends a program that does not catch it.
[[noreturn]] void die_of(int signal) noexcept;

} // namespace vfsproto::cli
