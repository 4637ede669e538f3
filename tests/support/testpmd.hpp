// SPDX-License-Identifier: BSD-2-Clause
// DPDK's testpmd for a test: one port on a virtual device, each frame that arrives goes out again unchanged. Started
// and ended by the test; its words are shown when the test fails.
#pragma once

#include "support/scratch_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace vfsproto::test {

class Testpmd {
public:
    [[nodiscard]] static std::optional<std::filesystem::path> find() {
        std::istringstream search(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
        for (std::string place; std::getline(search, place, ':');) {
            const auto program = std::filesystem::path(place) / "dpdk-testpmd";
            if (::access(program.c_str(), X_OK) == 0) return program;
        }
        return std::nullopt;
    }

    // `device` as its --vdev takes it, "@" standing for the path of socket(). It starts; nothing is waited for.
    explicit Testpmd(std::string device, const std::vector<std::string>& options = {}) {
        if (const auto at = device.find('@'); at != std::string::npos) device.replace(at, 1, socket());
        // No huge pages, no PCI, nothing left behind in the system. Both threads may run wherever this process may.
        std::vector<std::string> arguments = {find().value().string(),
                                              "--no-huge",
                                              "-m",
                                              "128",
                                              "--no-pci",
                                              "--no-shconf",
                                              "--no-telemetry",
                                              "--lcores",
                                              threads(),
                                              "--vdev",
                                              device,
                                              "--",
                                              "--port-topology=loop",
                                              "--forward-mode=io",
                                              "--auto-start",
                                              "--no-flush-rx",
                                              "--total-num-mbufs=8192"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        start(arguments);
    }
    ~Testpmd() {
        kill();
        if (std::uncaught_exceptions() > 0) std::cerr << "testpmd said:\n" << words() << std::flush;
    }
    Testpmd(const Testpmd&) = delete;
    Testpmd& operator=(const Testpmd&) = delete;

    [[nodiscard]] std::string socket() const { return (scratch_.path() / "socket").string(); }
    // Returns what the program printed so far. It holds words back until it ends.
    [[nodiscard]] std::string words() const {
        std::ostringstream text;
        text << std::ifstream(log()).rdbuf();
        return text.str();
    }

    // Waits until the device's socket is there. For a device on which the program listens.
    void await_socket() const {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!std::filesystem::exists(socket())) {
            if (ended_within(std::chrono::milliseconds(2)) || std::chrono::steady_clock::now() > until) {
                throw std::runtime_error("testpmd did not start:\n" + words());
            }
        }
    }
    [[nodiscard]] bool has_ended() const { return ended_within(std::chrono::milliseconds(0)); }
    // Stops it where it stands, in the middle of anything; returns when it has stopped.
    void pause() {
        ::kill(pid_, SIGSTOP);
        int status = 0;
        ::waitpid(pid_, &status, WUNTRACED);
        if (WIFSTOPPED(status)) return;
        pid_ = -1;
        throw std::runtime_error("testpmd has ended:\n" + words());
    }
    void resume() const { ::kill(pid_, SIGCONT); }
    // Ends the program as a user does who presses enter. It stops its port, which takes the other side's answers, and
    // tells its counts.
    void ask_to_end() {
        if (input_ >= 0) ::close(input_);
        input_ = -1;
    }
    // Waits until it has ended. Its exit status, or minus the signal.
    [[nodiscard]] int wait() {
        if (!ended_within(std::chrono::seconds(30))) throw std::runtime_error("testpmd did not end");
        return collect();
    }
    // One of the counts it tells at the end, by its name: "RX-packets". Of all ports.
    [[nodiscard]] std::uint64_t count(const std::string& name) const {
        const std::string all = words();
        const auto at = all.find(name + ": ", all.find("Accumulated forward statistics"));
        if (at == std::string::npos) throw std::runtime_error("no count " + name + " in:\n" + all);
        return std::stoull(all.substr(at + name.size() + 2));
    }

private:
    [[nodiscard]] std::string log() const { return (scratch_.path() / "words").string(); }

    // "0@(0,1),1@(0,1)": its thread for commands and the one that forwards.
    static std::string threads() {
        cpu_set_t mask;
        CPU_ZERO(&mask);
        ::sched_getaffinity(0, sizeof mask, &mask);
        std::string all;
        for (int cpu = 0; cpu < 128; ++cpu) {
            if (CPU_ISSET(cpu, &mask)) all += (all.empty() ? "" : ",") + std::to_string(cpu);
        }
        return "0@(" + all + "),1@(" + all + ")";
    }

    void start(const std::vector<std::string>& arguments) {
        std::vector<char*> argv;
        for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        const std::string log_path = log();
        int input[2];
        if (::pipe2(input, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // should the test itself die
            const int out = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(input[0], STDIN_FILENO);
            ::dup2(out, STDOUT_FILENO);
            ::dup2(out, STDERR_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(input[0]);
        input_ = input[1];
    }

    [[nodiscard]] bool ended_within(std::chrono::milliseconds time) const {
        if (pid_ <= 0) return true;
        pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
        const bool ended = ::poll(&process, 1, static_cast<int>(time.count())) > 0;
        ::close(process.fd);
        return ended;
    }
    int collect() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    void kill() {
        ask_to_end();
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        static_cast<void>(collect());
    }

    ScratchDirectory scratch_;
    pid_t pid_ = -1;
    int input_ = -1;
};

} // namespace vfsproto::test
