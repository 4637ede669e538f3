// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "integration/cli/share.hpp"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace vfsproto::test {

// Runs the program on a terminal that a test types at.
class Terminal {
public:
    Terminal(const Share& share, const std::filesystem::path& home) : Terminal("dir:" + share.path().string(), home) {}
    Terminal(const std::string& device, const std::filesystem::path& home) {
        int inside = -1;
        REQUIRE(::openpty(&outside_, &inside, nullptr, nullptr, nullptr) == 0);
        const std::string program = program_path();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::setsid();
            ::ioctl(inside, TIOCSCTTY, 0);
            for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(inside, fd);
            ::close(outside_);
            ::unsetenv("XDG_STATE_HOME");
            ::setenv("HOME", home.c_str(), 1);
            ::setenv("TERM", "dumb", 1);
            ::setenv("LC_ALL", "C.UTF-8", 1);
            ::execl(program.c_str(), program.c_str(), "--device", device.c_str(), "shell", nullptr);
            ::_exit(127);
        }
        ::close(inside);
    }
    ~Terminal() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(outside_);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void type(std::string_view text) const {
        REQUIRE(::write(outside_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void signal(int number) const { ::kill(pid_, number); }
    // Reads until the terminal shows this text behind what was read before. Returns what was read.
    std::string see(std::string_view text) {
        std::string shown;
        char byte = 0;
        while (shown.find(text) == std::string::npos && ::read(outside_, &byte, 1) == 1) shown.push_back(byte);
        INFO(shown);
        CHECK(contains(shown, text));
        return shown;
    }
    // Waits until a line can be typed: the editor shows its prompt just before it takes each key for itself.
    void wait_for_prompt(std::string_view prompt = "vfsproto> ") {
        see(prompt);
        termios modes{};
        do {
            REQUIRE(::tcgetattr(outside_, &modes) == 0);
        } while ((modes.c_lflag & ICANON) != 0);
    }
    int wait() {
        char byte = 0;
        while (::read(outside_, &byte, 1) == 1) {} // until the other side is closed
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    // Waits for the program's end by a signal, and returns the modes that concern a person.
    tcflag_t wait_and_see_modes() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        CHECK(WIFSIGNALED(status));
        termios modes{};
        REQUIRE(::tcgetattr(outside_, &modes) == 0);
        return modes.c_lflag & (ICANON | ECHO | ISIG);
    }

private:
    pid_t pid_ = -1;
    int outside_ = -1;
};

} // namespace vfsproto::test
