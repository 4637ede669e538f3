// SPDX-License-Identifier: BSD-2-Clause
#include "processes.hpp"

#include "suite.hpp"

#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace posix_suite {

namespace {

constexpr unsigned kSecondsPerChild = 60;

struct Outcome {
    long result;
    int error;
};

void begin_child() {
    static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
    ::alarm(kSecondsPerChild);
}

int status_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

long in_child(const std::function<long()>& call) {
    int ends[2];
    Suite::need(::pipe(ends) == 0, "a pipe");
    const pid_t child = ::fork();
    Suite::need(child >= 0, "a child");
    if (child == 0) {
        begin_child();
        errno = 0;
        Outcome mine{};
        mine.result = call();
        mine.error = errno;
        const bool is_told = ::write(ends[1], &mine, sizeof mine) == sizeof mine;
        std::_Exit(is_told ? 0 : 1);
    }
    ::close(ends[1]);
    Outcome its{};
    const bool is_heard = ::read(ends[0], &its, sizeof its) == sizeof its;
    ::close(ends[0]);
    Suite::need(status_of(child) == 0 && is_heard, "the child's answer");
    errno = its.error;
    return its.result;
}

Companion::Companion(const std::function<void(Companion&)>& work) {
    int sides[2];
    Suite::need(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sides) == 0, "a socket pair");
    child_ = ::fork();
    Suite::need(child_ >= 0, "a child");
    side_ = sides[child_ == 0 ? 1 : 0];
    ::close(sides[child_ == 0 ? 0 : 1]);
    if (child_ == 0) {
        begin_child();
        work(*this);
        std::_Exit(0);
    }
}

Companion::~Companion() { static_cast<void>(join()); }

void Companion::say(char word) const {
    Suite::need(::send(side_, &word, 1, MSG_NOSIGNAL) == 1, "the companion to be there");
}

char Companion::hear() const {
    char word = 0;
    for (;;) {
        const ssize_t got = ::recv(side_, &word, 1, 0);
        if (got < 0 && errno == EINTR) continue;
        return got == 1 ? word : '\0';
    }
}

char Companion::hear_after(int signal) const {
    pollfd answer{side_, POLLIN, 0};
    do {
        Suite::need(::kill(child_, signal) == 0, "a signal");
    } while (::poll(&answer, 1, 1) == 0);
    return hear();
}

int Companion::join() {
    if (side_ >= 0) ::close(side_);
    side_ = -1;
    if (child_ <= 0) return -1;
    const int status = status_of(child_);
    child_ = -1;
    return status;
}

void interrupt_calls_at(int signal) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    Suite::need(::sigaction(signal, &action, nullptr) == 0, "sigaction");
}

std::string read_at(int fd, std::size_t size, off_t at) {
    std::string all(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::pread(fd, all.data() + done, size - done, at + static_cast<off_t>(done));
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    all.resize(done);
    return all;
}

void* forbidden_address() {
    constexpr std::size_t kBytes = 1 << 16;
    void* const found = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Suite::need(found != MAP_FAILED, "a forbidden address");
    return found;
}

} // namespace posix_suite
