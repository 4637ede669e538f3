// SPDX-License-Identifier: BSD-2-Clause
// A command of this host that the program runs and waits for.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vfsproto::cli {

// One command at a time. While it runs it decides what a signal means: SIGTERM and SIGHUP are passed on to it, SIGINT is the
// terminal's to send, and the program ends after it.
class ChildProcess {
public:
    // Starts it, found in PATH, with the signals as a program expects them. Returns 0 or an errno.
    [[nodiscard]] int start(const std::vector<std::string>& words) noexcept;
    // Waits for its end. Returns its exit status, or 128 and the number of the signal that ended it.
    [[nodiscard]] int wait() noexcept;

    [[nodiscard]] static bool any() noexcept { return running_ != 0; }
    // Passes a signal on, as said above. Any thread.
    static void pass_on(int signal) noexcept;

private:
    static inline std::atomic<pid_t> running_{0};
};

} // namespace vfsproto::cli
