// SPDX-License-Identifier: BSD-2-Clause
#include "child_process.hpp"

#include "interrupt.hpp"
#include "spawn_attributes.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::cli {

int ChildProcess::start(const std::vector<std::string>& words) noexcept {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const SpawnAttributes attributes;
    if (attributes.error() != 0) return attributes.error();
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, arguments[0], nullptr, attributes.get(), arguments.data(), environ);
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
