// SPDX-License-Identifier: BSD-2-Clause
#include "background.hpp"

#include "interrupt.hpp"
#include "spawn_attributes.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace vfsproto::cli {

namespace {

constexpr const char* kReadyVariable = "VFSPROTO_READY"; // there is a pipe to be told at kReadyPipe
constexpr int kReadyPipe = 3;

std::vector<std::string> own_words() {
    std::ifstream line("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(line, word, '\0');) words.push_back(word);
    return words;
}

// Returns 0 or an errno.
int start(std::vector<std::string> words, int ready, pid_t& child) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::string variable = fmt::format("{}=1", kReadyVariable);
    std::vector<char*> environment;
    for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
    environment.push_back(variable.data());
    environment.push_back(nullptr);
    const SpawnAttributes attributes(POSIX_SPAWN_SETSID);
    if (attributes.error() != 0) return attributes.error();
    posix_spawn_file_actions_t actions;
    if (const int error = ::posix_spawn_file_actions_init(&actions); error != 0) return error;
    ::posix_spawn_file_actions_adddup2(&actions, ready, kReadyPipe);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    const int error =
        ::posix_spawn(&child, "/proc/self/exe", &actions, attributes.get(), arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    return error;
}

// True if the child said that it is ready; false if it ended, or the program is to end.
bool hears_ready(int pipe) noexcept {
    const LocalCall call;
    char byte = 0;
    while (!interrupted()) {
        const ssize_t got = ::read(pipe, &byte, 1);
        if (got >= 0) return got == 1;
        if (errno != EINTR) return false;
    }
    return false;
}

} // namespace

ExitCode run_in_background(Program& program) {
    program.leave_trace_to_child();
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        program.report("", local_failure(errno));
        return ExitCode::failed;
    }
    const backends::FileDescriptor from(ends[0]);
    backends::FileDescriptor to(ends[1]);
    pid_t child = 0;
    if (const int error = start(own_words(), to.get(), child); error != 0) {
        program.report("", local_failure(error));
        return ExitCode::failed;
    }
    to.close();
    if (hears_ready(from.get())) return ExitCode::done;
    if (interrupted()) ::kill(child, SIGTERM);
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(child, &status, 0)) < 0 && errno == EINTR) {}
    program.check();
    // It was not ready, so that it failed, even if nobody can tell how, because SIGCHLD is ignored.
    if (ended == child && WIFSIGNALED(status)) program.report("", fmt::format("ended by signal {}", WTERMSIG(status)));
    return ended == child && WIFEXITED(status) ? static_cast<ExitCode>(WEXITSTATUS(status)) : ExitCode::failed;
}

bool is_in_background() noexcept {
    struct stat info{};
    return std::getenv(kReadyVariable) != nullptr && ::fstat(kReadyPipe, &info) == 0 && S_ISFIFO(info.st_mode);
}

void say_ready() noexcept {
    if (!is_in_background()) return;
    ::unsetenv(kReadyVariable);
    [[maybe_unused]] const int moved = ::chdir("/");
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, fd);
    ::close(nothing);
    [[maybe_unused]] const ssize_t said = ::write(kReadyPipe, "", 1);
    ::close(kReadyPipe);
}

} // namespace vfsproto::cli
