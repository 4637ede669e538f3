// SPDX-License-Identifier: BSD-2-Clause
// The command watch prints what others change below a path, a line each, until Ctrl-C.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/json_schema.hpp"
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

// Holds back who makes changes until a line about them was read, so that no more happens than is told one by one. A change that
// nothing is told of holds up the next one for a moment only.
class Pace {
public:
    void count_line() {
        {
            const std::lock_guard lock(mutex_);
            ++lines_;
        }
        came_.notify_all();
    }
    void wait() {
        constexpr std::chrono::milliseconds kMost{10};
        std::unique_lock lock(mutex_);
        came_.wait_for(lock, kMost, [this, before = lines_] { return lines_ != before; });
    }

private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::uint64_t lines_ = 0;
};

// Does something at the host again and again: nobody knows when the program begins to watch.
class Busy {
public:
    Busy(Pace& pace, std::function<void()> change)
        : thread_([this, &pace, change = std::move(change)] {
              while (!over_) {
                  change();
                  pace.wait();
              }
          }) {}
    ~Busy() {
        over_ = true;
        thread_.join();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    std::atomic<bool> over_{false};
    std::thread thread_;
};

void come_and_go(const fs::path& path) {
    std::ofstream(path) << "x";
    fs::remove(path);
}
void go_and_come(const fs::path& path, const fs::path& other) {
    fs::rename(path, other);
    fs::rename(other, path);
}

// The program, whose lines are read as they come.
class Watching {
public:
    Watching(const Share& share, std::vector<std::string> words) : fifo_(share.beside("lines")) {
        REQUIRE(::mkfifo(fifo_.c_str(), 0600) == 0);
        in_ = ::open(fifo_.c_str(), O_RDWR | O_CLOEXEC);
        REQUIRE(in_ >= 0);
        words.insert(words.begin(), {"--device", "dir:" + share.path().string(), "watch"});
        program.emplace(words, fifo_.string());
    }
    ~Watching() { ::close(in_); }

    // Waits for the next line.
    std::string line() {
        std::size_t end = 0;
        while ((end = read_.find('\n')) == std::string::npos) {
            std::array<char, 4096> block; // NOLINT: filled by the program
            const ssize_t size = ::read(in_, block.data(), block.size());
            if (size <= 0) throw std::runtime_error("no more lines can be read");
            read_.append(block.data(), static_cast<std::size_t>(size));
        }
        std::string text = read_.substr(0, end);
        read_.erase(0, end + 1);
        pace.count_line();
        return text;
    }
    // Waits for this line, while something happens again and again.
    void await(const std::string& wanted, std::function<void()> change) {
        const Busy busy(pace, std::move(change));
        while (line() != wanted) {}
    }

    std::optional<RunningProgram> program;
    Pace pace;

private:
    fs::path fifo_;
    int in_ = -1;
    std::string read_; // and not taken yet
};

} // namespace

TEST_CASE("watch prints names and files that others change, and ends by Ctrl-C", "[cli][watch]") {
    const Watchdog watchdog("the program that watches");
    const Share share(Server::embedded);
    const fs::path dir = share.path() / "dir";
    fs::create_directories(dir / "below");
    share.write("dir/below/file", "content");
    Watching watching(share, {});
    watching.await("name /dir/below/new name", [&] { come_and_go(dir / "below/new name"); });
    watching.await("file /dir/below/file", [&] { std::ofstream(dir / "below/file", std::ios::app) << "more"; });
    watching.await("name /dir/below", [&] { go_and_come(dir / "below", dir / "moved"); });
    watching.await("name /dir/moved", [&] { go_and_come(dir / "below", dir / "moved"); });
    fs::rename(dir / "below", dir / "moved");
    watching.await("name /dir/moved/new", [&] { come_and_go(dir / "moved/new"); }); // by its new name
    watching.program->signal(SIGINT);
    const Ran ran = watching.program->wait();
    CHECK(ran.status == -SIGINT);
    CHECK(ran.err == "");
}

TEST_CASE("watch prints what is below its path alone", "[cli][watch]") {
    const Watchdog watchdog("the program that watches a directory");
    const Share share(Server::embedded);
    fs::create_directory(share.path() / "dir");
    share.write("file", "x");
    const std::string path = GENERATE("dir", "/dir/", "./dir/../dir");
    Watching watching(share, {path});
    const Busy busy(watching.pace, [&] {
        come_and_go(share.path() / "directory"); // the beginning of its name is that of the path
        std::ofstream(share.path() / "file") << "x";
        come_and_go(share.path() / "dir/f");
    });
    const std::vector<std::string> allowed{"name /dir/f", "file /dir/f", "everything /dir", "file (unknown)",
                                           "name (unknown)/f"};
    for (int i = 0; i < 20; ++i) {
        const std::string line = watching.line();
        INFO(line);
        CHECK(std::find(allowed.begin(), allowed.end(), line) != allowed.end());
    }
}

TEST_CASE("watch tells of the file that it is given, and of its name", "[cli][watch]") {
    const Watchdog watchdog("the program that watches a file");
    const Share share(Server::embedded);
    share.write("file", "x");
    const fs::path file = share.path() / "file";
    Watching watching(share, {"file"});
    watching.await("file /file", [&] { std::ofstream(file, std::ios::app) << "x"; });
    watching.await("name /file", [&] { go_and_come(file, share.path() / "other"); });
}

TEST_CASE("watch looks into directories that come later", "[cli][watch]") {
    const Watchdog watchdog("the program that watches a new directory");
    const Share share(Server::embedded);
    Watching watching(share, {});
    watching.await("name /first", [&] { come_and_go(share.path() / "first"); });
    fs::create_directories(share.path() / "new/below");
    watching.await("name /new/below/file", [&] { come_and_go(share.path() / "new/below/file"); });
}

TEST_CASE("watch ends after as many lines as it was told, and with --json they have the keys of the page",
          "[cli][watch]") {
    const Watchdog watchdog("the program that watches for some lines");
    const Share share(Server::embedded);
    share.write("file", "x");
    Pace pace; // no line is read before the program ends
    const Busy busy(pace, [&] {
        std::ofstream(share.path() / "file", std::ios::app) << "x";
        come_and_go(share.path() / "bad\xff");
    });
    const std::string lines = share.output({"--json", "watch", "-n", "50"});
    CHECK(json_lines(lines).size() == 50);
    JsonLines printed;
    printed.add(lines);
    CHECK(printed.difference(JsonSchema().keys("watch"), {}) == "");
}

TEST_CASE("watch says in one line that a device tells of nothing", "[cli][watch]") {
    const Share share(GENERATE(Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    CHECK(contains(share.complaint({"watch"}), "this device tells of no changes"));
}

TEST_CASE("watch is no command among others on one connection", "[cli][watch]") {
    const Share share(Server::embedded);
    const Ran ran = share.run({"run", "-"}, "ls\nwatch\n");
    CHECK(ran.status == 1);
    CHECK(contains(ran.err, "call watch by itself"));
}

TEST_CASE("watch of what is not there, or behind a link, is refused", "[cli][watch]") {
    const Share share(Server::embedded);
    fs::create_directory(share.path() / "dir");
    fs::create_directory_symlink("dir", share.path() / "link");
    fs::create_directory(share.path() / "dir/below");
    CHECK(contains(share.complaint({"watch", "missing"}), "ENOENT"));
    CHECK(contains(share.complaint({"watch", "link/below"}), "without links"));
}
