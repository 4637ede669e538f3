// SPDX-License-Identifier: BSD-2-Clause
// The built program as a user runs it: arguments, standard input, what it prints and how it leaves.
#pragma once

#include "support/scale.hpp"
#include "support/scratch_directory.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

// Returns the program under test: the one built beside the tests, or a sanitizer's (support/scale.hpp).
inline std::string program_path() {
    const char* const sanitized = sanitized_program();
    return sanitized != nullptr ? sanitized : VFSPROTO_PROGRAM;
}

struct Ran {
    int status = -1; // what it left with, or minus the signal that ended it
    std::string out;
    std::string err;
};

class RunningProgram {
public:
    // `out_path` empty: collected for wait().
    explicit RunningProgram(const std::vector<std::string>& arguments, const std::string& out_path = {}) {
        int in[2];
        if (::pipe2(in, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        std::vector<std::string> words{program_path()};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        const std::string out = out_path.empty() ? (scratch_.path() / "out").string() : out_path;
        const std::string err = (scratch_.path() / "err").string();
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("fork failed");
        if (pid_ == 0) {
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
            ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(in[0]);
        in_ = in[1];
        out_ = out_path.empty() ? out : std::string();
        err_ = err;
    }
    ~RunningProgram() {
        close_input();
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    RunningProgram(const RunningProgram&) = delete;
    RunningProgram& operator=(const RunningProgram&) = delete;

    // Blocks while the program does not read. False when it reads no more.
    bool write(std::string_view text) {
        struct sigaction ignore{}, before{};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignore, &before);
        while (!text.empty()) {
            const ssize_t count = ::write(in_, text.data(), text.size());
            if (count <= 0) break;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        ::sigaction(SIGPIPE, &before, nullptr);
        return text.empty();
    }
    void close_input() {
        if (in_ >= 0) ::close(in_);
        in_ = -1;
    }
    void signal(int number) const { ::kill(pid_, number); }
    [[nodiscard]] pid_t pid() const { return pid_; }

    Ran wait() {
        close_input();
        return wait_for_end();
    }
    // Waits with the input left open.
    Ran wait_for_end() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), out_.empty() ? "" : contents(out_),
                contents(err_)};
    }

private:
    static std::string contents(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path, std::ios::binary).rdbuf();
        return text.str();
    }

    ScratchDirectory scratch_;
    std::string out_;
    std::string err_;
    pid_t pid_ = -1;
    int in_ = -1;
};

inline Ran run_program(const std::vector<std::string>& arguments, std::string_view input = {}) {
    RunningProgram program(arguments);
    program.write(input);
    return program.wait();
}

} // namespace vfsproto::test
