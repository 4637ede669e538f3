// SPDX-License-Identifier: BSD-2-Clause
// The line on a terminal that shows how far a copy has come.
#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <string_view>

using namespace vfsproto::test;

namespace {

constexpr std::string_view kClear = "\r\x1b[K"; // stands before each line, and behind the last one

// Runs put on a terminal, from a FIFO that the test fills as long as it wants to see lines.
class SlowPut {
public:
    SlowPut(const Share& share, unsigned short columns) {
        const std::string fifo = share.beside("fifo");
        REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
        fifo_ = ::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        REQUIRE(fifo_ >= 0);
        int inside = -1;
        const winsize size{24, columns, 0, 0};
        REQUIRE(::openpty(&outside_, &inside, nullptr, nullptr, &size) == 0);
        const std::string program = program_path();
        const std::string device = "dir:" + share.path().string();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::setsid();
            ::ioctl(inside, TIOCSCTTY, 0);
            for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(inside, fd);
            ::close(outside_);
            ::execl(program.c_str(), program.c_str(), "--device", device.c_str(), "put", fifo.c_str(), "sent", nullptr);
            ::_exit(127);
        }
        ::close(inside);
    }
    ~SlowPut() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(outside_);
        if (fifo_ >= 0) ::close(fifo_);
    }
    SlowPut(const SlowPut&) = delete;
    SlowPut& operator=(const SlowPut&) = delete;

    // Changes the terminal's width, and forgets what was shown, but for a line that is drawn at this moment.
    void resize(unsigned short columns) {
        const winsize size{24, columns, 0, 0};
        REQUIRE(::ioctl(outside_, TIOCSWINSZ, &size) == 0);
        while (shows_more(0)) {}
        shown_.clear();
        static_cast<void>(next_line());
    }
    // Returns the next line, without what clears the one before.
    std::string next_line() {
        std::size_t end = std::string::npos;
        while ((end = shown_.find(kClear, begin_of_line())) == std::string::npos) {
            constexpr int kPatience = 1; // ms until there is one more byte to copy
            if (::write(fifo_, "x", 1) == 1) ++sent_;
            shows_more(kPatience);
        }
        const std::size_t begin = begin_of_line();
        std::string line = shown_.substr(begin, end - begin);
        shown_.erase(0, end);
        return line;
    }
    // Ends the FIFO. Returns the exit status; `rest` becomes what is still shown.
    int end(std::string& rest) {
        ::close(fifo_);
        fifo_ = -1;
        while (shows_more(-1)) {}
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        rest = shown_;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    [[nodiscard]] std::size_t sent() const { return sent_; }

private:
    // Returns where the text of the first line begins that is not taken yet.
    [[nodiscard]] std::size_t begin_of_line() const {
        const std::size_t clear = shown_.find(kClear);
        return clear == std::string::npos ? shown_.size() : clear + kClear.size();
    }
    bool shows_more(int patience) {
        pollfd ready{outside_, POLLIN, 0};
        if (::poll(&ready, 1, patience) != 1) return false;
        char text[4096];
        const ssize_t count = ::read(outside_, text, sizeof text);
        if (count > 0) shown_.append(text, static_cast<std::size_t>(count));
        return count > 0;
    }

    int fifo_ = -1;
    int outside_ = -1;
    pid_t pid_ = -1;
    std::size_t sent_ = 0;
    std::string shown_; // from the beginning of a line that is not taken yet
};

} // namespace

TEST_CASE("the line that shows how far a copy has come obeys the terminal's width at once", "[cli][waits]") {
    const Share share(Server::embedded);
    SlowPut put(share, 80);
    const std::string wide = put.next_line();
    INFO(wide);
    CHECK(wide.size() < 80);
    CHECK(wide.ends_with(", 0 files"));
    put.resize(20);
    const std::string narrow = put.next_line();
    INFO(narrow);
    CHECK_FALSE(narrow.empty());
    CHECK(narrow.size() < 20);
    CHECK_FALSE(contains(narrow, "files"));
    put.resize(60);
    CHECK(put.next_line().ends_with(", 0 files"));
    std::string rest;
    CHECK(put.end(rest) == 0);
    CHECK(rest.ends_with(kClear)); // the line is taken away
    CHECK(share.read("sent") == std::string(put.sent(), 'x'));
}
