// SPDX-License-Identifier: BSD-2-Clause
// A file system of libfuse's on a socket, for a test: nothing of ours is in it but the files (support/libfuse_server/).
// Started and ended by the test; its words are shown when the test fails.
#pragma once

#include "support/scratch_directory.hpp"
#include "support/skip.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace vfsproto::test {

class LibfuseServer {
public:
    // True when it was not built, which is said then: return from the test case.
    [[nodiscard]] static bool missing() {
        if (!std::string(VFSPROTO_LIBFUSE_SERVER).empty()) return false;
        skip("no libfuse 3.14 here when the tests were built (package libfuse3-dev)");
        return true;
    }

    LibfuseServer() {
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // should the test itself die
            const int out = ::open(log().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(out, STDOUT_FILENO);
            ::dup2(out, STDERR_FILENO);
            ::execl(VFSPROTO_LIBFUSE_SERVER, VFSPROTO_LIBFUSE_SERVER, socket().c_str(), nullptr);
            ::_exit(127);
        }
        await_socket();
    }
    ~LibfuseServer() {
        kill();
        if (std::uncaught_exceptions() > 0) std::cerr << "the libfuse server said:\n" << words() << std::flush;
    }
    LibfuseServer(const LibfuseServer&) = delete;
    LibfuseServer& operator=(const LibfuseServer&) = delete;

    [[nodiscard]] std::string socket() const { return (scratch_.path() / "socket").string(); }
    // Returns what it printed so far.
    [[nodiscard]] std::string words() const {
        std::ostringstream text;
        text << std::ifstream(log()).rdbuf();
        return text.str();
    }
    // Ends it at once, as a crash would. Returns when it is gone.
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    // Waits until it ends by itself, which it does when its client leaves. Returns what it printed.
    [[nodiscard]] std::string wait() {
        if (!ends_within(std::chrono::seconds(10))) throw std::runtime_error("the libfuse server did not end");
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "it failed: " + words();
        return words();
    }

private:
    [[nodiscard]] std::string log() const { return (scratch_.path() / "words").string(); }
    void await_socket() const {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!std::filesystem::exists(socket())) {
            if (ends_within(std::chrono::milliseconds(2)) || std::chrono::steady_clock::now() > until) {
                throw std::runtime_error("the libfuse server did not start:\n" + words());
            }
        }
    }
    [[nodiscard]] bool ends_within(std::chrono::milliseconds time) const {
        pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
        const bool ended = ::poll(&process, 1, static_cast<int>(time.count())) > 0;
        ::close(process.fd);
        return ended;
    }

    ScratchDirectory scratch_;
    pid_t pid_ = -1;
};

} // namespace vfsproto::test
