// SPDX-License-Identifier: BSD-2-Clause
// A real virtiofsd for a test: started on a directory of its own, ended with the test, its words shown when the test
// fails.
#pragma once

#include "support/scratch_directory.hpp"
#include "support/skip.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
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

// The one in C, of QEMU's sources (package qemu-system-common), and the one in Rust that came after it (tools/peers.sh).
// Both take the "-o" options.
enum class Daemon { c, rust };

class Virtiofsd {
public:
    // Nothing if there is none or we are not root, which its sandbox needs.
    [[nodiscard]] static std::optional<std::filesystem::path> find(Daemon daemon = Daemon::c) {
        if (::geteuid() != 0) return std::nullopt;
        const std::filesystem::path fetched = std::filesystem::path(VFSPROTO_SOURCE_DIR) / "build/peers/virtiofsd-rust";
        const std::filesystem::path path = daemon == Daemon::c ? "/usr/lib/qemu/virtiofsd" : fetched;
        if (::access(path.c_str(), X_OK) != 0) return std::nullopt;
        return path;
    }
    // True when it cannot be had, which is said then: return from the test case.
    [[nodiscard]] static bool missing(Daemon daemon = Daemon::c) {
        if (find(daemon)) return false;
        skip(::geteuid() != 0      ? "virtiofsd's sandbox needs root"
             : daemon == Daemon::c ? "no C virtiofsd here (package qemu-system-common)"
                                   : "no Rust virtiofsd here (tools/peers.sh fetches it)");
        return true;
    }

    // `options` are its "-o" options, as "cache=none". It serves `source`, or a directory of its own that starts empty.
    explicit Virtiofsd(const std::vector<std::string>& options = {}, std::filesystem::path source = {})
        : Virtiofsd(Daemon::c, options, std::move(source)) {}
    explicit Virtiofsd(Daemon daemon, const std::vector<std::string>& options = {}, std::filesystem::path source = {})
        : source_(std::move(source)) {
        if (source_.empty()) {
            source_ = scratch_.path() / "shared";
            std::filesystem::create_directory(source_);
        }
        std::vector<std::string> arguments = {find(daemon).value().string(),
                                              "-f",
                                              "--socket-path=" + socket(),
                                              "-o",
                                              "source=" + source_.string(),
                                              "-o",
                                              "sandbox=chroot"};
        for (const std::string& option : options) {
            arguments.emplace_back("-o");
            arguments.push_back(option);
        }
        start(arguments);
        await_socket();
    }
    ~Virtiofsd() {
        kill();
        if (std::uncaught_exceptions() > 0) std::cerr << "virtiofsd said:\n" << words() << std::flush;
    }
    Virtiofsd(const Virtiofsd&) = delete;
    Virtiofsd& operator=(const Virtiofsd&) = delete;

    // It is bound; the daemon takes exactly one connection, so that only a front end may try whether it listens yet.
    [[nodiscard]] std::string socket() const { return (scratch_.path() / "socket").string(); }
    [[nodiscard]] const std::filesystem::path& source() const { return source_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    // Returns what the daemon wrote to its standard error so far.
    [[nodiscard]] std::string words() const {
        std::ostringstream text;
        text << std::ifstream(log()).rdbuf();
        return text.str();
    }

    // Holds it in the middle of whatever it does. Returns when every thread of it stands still.
    void stop() const {
        ::kill(pid_, SIGSTOP);
        int status = 0;
        ::waitpid(pid_, &status, WUNTRACED);
    }
    // Lets it go on after stop().
    void go_on() const { ::kill(pid_, SIGCONT); }
    // Ends it at once, as a crash would. Returns when it is gone.
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        static_cast<void>(collect());
    }
    // No front end came: it would wait for one for ever. True when it was so.
    bool kill_unless_connected() {
        // It listens for one connection only: whoever still gets through is the first.
        const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket().copy(address.sun_path, sizeof address.sun_path - 1);
        const bool first = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(probe);
        if (first) kill();
        return first;
    }
    // Waits until it ends by itself, which it does when its front end leaves. Its exit status, or minus the signal.
    [[nodiscard]] int wait() {
        if (!ends_within(std::chrono::seconds(10))) {
            kill();
            throw std::runtime_error("virtiofsd did not end");
        }
        return collect();
    }

private:
    [[nodiscard]] std::filesystem::path log() const { return scratch_.path() / "stderr"; }

    void start(const std::vector<std::string>& arguments) {
        std::vector<char*> argv;
        for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        const std::string log_path = log().string();
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // should the test itself die
            const int out = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(out, STDOUT_FILENO);
            ::dup2(out, STDERR_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
    }

    void await_socket() {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!std::filesystem::exists(socket())) {
            if (ends_within(std::chrono::milliseconds(2)) || std::chrono::steady_clock::now() > until) {
                kill();
                throw std::runtime_error("virtiofsd did not start:\n" + words());
            }
        }
    }

    // Waits for the process, so that a daemon that cannot start is seen at once.
    [[nodiscard]] bool ends_within(std::chrono::milliseconds time) const {
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

    ScratchDirectory scratch_;
    std::filesystem::path source_;
    pid_t pid_ = -1;
};

} // namespace vfsproto::test
