// SPDX-License-Identifier: BSD-2-Clause
#include "child_process.hpp"

#include "interrupt.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::cli {

int ChildProcess::start(const std::vector<std::string>& words) noexcept {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawnattr_t attributes;
    if (const int error = ::posix_spawnattr_init(&attributes); error != 0) return error;
    sigset_t none;
    ::sigemptyset(&none);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    if (!sigpipe_was_ignored) ::sigaddset(&defaults, SIGPIPE);
    if (!sigxfsz_was_ignored) ::sigaddset(&defaults, SIGXFSZ);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) return error;
    running_ = child;
    if (const int signal = interrupt_signal; signal != 0)
        pass_on(signal); // it came before there was anybody to pass it on to
    return 0;
}

// The child is collected after nobody passes signals on to it any more: its number may be another's then.
int ChildProcess::wait() noexcept {
    siginfo_t ended{};
    while (::waitid(P_PID, static_cast<id_t>(running_.load()), &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
    const pid_t child = running_.exchange(0);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    constexpr int kSignalled = 128;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

void ChildProcess::pass_on(int signal) noexcept {
    if (const pid_t child = running_; child != 0 && signal != SIGINT) ::kill(child, signal);
}

} // namespace vfsproto::cli
