// SPDX-License-Identifier: BSD-2-Clause
// One signal ends the program at once, whatever it waits for, and nothing temporary is left over. A device that does not
// answer is given up in the time the user said.
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

fs::path make_fifo(const Share& share) {
    const fs::path fifo = share.beside("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    return fifo;
}

std::string device_of(const Share& share) { return "dir:" + share.path().string(); }

bool is_temporary(const fs::path& path) { return path.filename().string().starts_with(".vfsproto-"); }

bool has_temporary(const fs::path& directory) {
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (is_temporary(entry.path())) return true;
    }
    return false;
}

} // namespace

TEST_CASE("a signal ends a program that waits for a writer", "[cli]") {
    const Watchdog watchdog("the program that reads a FIFO after a signal");
    const Share share(Server::embedded);
    const fs::path fifo = make_fifo(share);
    const int number = GENERATE(from_range(std::begin(kSignals), std::end(kSignals)));
    RunningProgram program({"--device", device_of(share), "put", fifo.string(), "/copy"});
    const int writer = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC); // returns when the program has opened it
    program.signal(number);
    const Ran ran = program.wait();
    ::close(writer);
    CHECK(ran.status == -number);
    CHECK(ran.err == "");
    CHECK(fs::is_empty(share.path()));
}

TEST_CASE("a signal ends a program whose output nobody takes", "[cli]") {
    const Watchdog watchdog("the program that writes to a full pipe after a signal");
    const Share share(Server::embedded);
    share.write("large", std::string(1 << 20, 'x'));
    const fs::path fifo = make_fifo(share);
    const int both_ends = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);
    const int room = ::fcntl(both_ends, F_GETPIPE_SZ);
    RunningProgram program({"--device", device_of(share), "cat", "large"}, fifo.string());
    for (int taken = 0; taken < room; ::ioctl(both_ends, FIONREAD, &taken)) std::this_thread::yield();
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    ::close(both_ends);
    CHECK(ran.status == -SIGTERM);
    CHECK(ran.err == "");
}

TEST_CASE("a signal that was ignored when the program started stays ignored", "[cli]") {
    const Watchdog watchdog("the program under nohup");
    const Share share(Server::embedded);
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGHUP, &ignore, &before);
    RunningProgram program({"--device", device_of(share), "put", "-", "/copy"});
    ::sigaction(SIGHUP, &before, nullptr);
    program.write(std::string(1 << 20, 'x'));
    program.signal(SIGHUP);
    CHECK(program.wait().status == 0);
    CHECK(fs::file_size(share.path() / "copy") == 1 << 20);
}

TEST_CASE("a signal ends a program whose daemon stands still, and no temporary file stays here", "[cli]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the program with a stopped daemon after a signal");
    const Share share(Server::embedded);
    share.write("large", "");
    constexpr off_t kSize = 300 << 20; // more than is copied before the daemon is stopped
    REQUIRE(::truncate((share.path() / "large").c_str(), kSize) == 0);
    {
        const int file = ::open((share.path() / "large").c_str(), O_WRONLY | O_CLOEXEC);
        REQUIRE(::posix_fallocate(file, 0, kSize) == 0);
        ::close(file);
    }
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    Virtiofsd daemon(kind, {}, share.path());
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "get", "large", (here / "copy").string()});
    while (!has_temporary(here)) std::this_thread::yield();
    daemon.stop();
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGTERM);
    CHECK(ran.err == "");
    CHECK(fs::is_empty(here));
}

TEST_CASE("a put that cannot remove its temporary file at the server says where it is", "[cli][waits]") {
    enum class Ends { by_signal, by_silence, with_daemon };
    const Ends ends = GENERATE(Ends::by_signal, Ends::by_silence, Ends::with_daemon);
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the put to a daemon that stands still or dies");
    const Share share(Server::embedded);
    fs::create_directory(share.path() / "dir");
    Virtiofsd daemon(kind, {}, share.path());
    std::vector<std::string> arguments{"--device", "vhost-user:" + daemon.socket(), "put", "-", "dir/copy"};
    if (ends == Ends::by_silence) arguments.insert(arguments.begin(), {"--silence", "1"});
    RunningProgram program(arguments);
    while (!has_temporary(share.path() / "dir")) std::this_thread::yield();
    ends == Ends::with_daemon ? daemon.kill() : daemon.stop();
    if (ends == Ends::by_signal) program.signal(SIGTERM);
    program.write("content");
    const Ran ran = program.wait();
    CHECK(ran.status == (ends == Ends::by_signal ? -SIGTERM : 3));
    const std::string left = fs::directory_iterator(share.path() / "dir")->path().filename().string();
    const std::string line = "vfsproto: put: dir/" + left + ": this temporary file may be left there\n";
    INFO(ran.err);
    CHECK(ran.err.ends_with(line));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == (ends == Ends::by_signal ? 1 : 2));
}

TEST_CASE("a put that ends in order leaves nothing at the server and says nothing of it", "[cli]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the put after a signal");
    const Share share(Server::embedded);
    Virtiofsd daemon(kind, {}, share.path());
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "put", "-", "copy"});
    while (!has_temporary(share.path())) std::this_thread::yield();
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGTERM);
    CHECK(ran.err == "");
    CHECK(fs::is_empty(share.path()));
}

TEST_CASE("any of the signals ends a bench, which removes what it made", "[cli]") {
    const Watchdog watchdog("the bench after a signal");
    const int number = GENERATE(from_range(std::begin(kSignals), std::end(kSignals)));
    const std::string operation = GENERATE("randread", "readdir");
    const Share share(Server::embedded);
    RunningProgram program({"--device", device_of(share), "bench", "--op", operation, "--seconds", "600"});
    while (fs::is_empty(share.path())) std::this_thread::yield(); // it may still be at making its files
    program.signal(number);
    CHECK(program.wait().status == -number);
    CHECK(fs::is_empty(share.path()));
}

TEST_CASE("--silence ends the program in that time, and says that nothing answered", "[cli][waits]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the program with a stopped daemon and --silence");
    constexpr std::chrono::seconds kMost{5}; // for one second of silence, on a busy machine
    Virtiofsd daemon(kind);
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "--silence", "1", "put", "-", "/copy"});
    REQUIRE(program.write(std::string(16 << 20, 'x')));
    daemon.stop();
    const auto stopped = std::chrono::steady_clock::now();
    static_cast<void>(program.write(std::string(16 << 20, 'x')));
    const Ran ran = program.wait();
    CHECK(std::chrono::steady_clock::now() - stopped < kMost);
    CHECK(ran.status == 3);
    CHECK(ran.err.find("vhost-user:" + daemon.socket() + " has answered nothing for 1 s (--silence)\n") !=
          std::string::npos);
    CHECK(ran.err.ends_with(": this temporary file may be left there\n"));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 2);
}

TEST_CASE("on a terminal the program says after ten seconds that it waits, and for whom", "[cli][waits][heavy]") {
    if (Virtiofsd::missing()) return;
    const Watchdog watchdog("the program that says that it waits");
    int terminal = -1, other_side = -1;
    char name[64] = {};
    REQUIRE(::openpty(&terminal, &other_side, name, nullptr, nullptr) == 0);
    Virtiofsd daemon;
    const std::string command = program_path() + " --device vhost-user:" + daemon.socket() + " bench --seconds 600";
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::dup2(other_side, STDERR_FILENO);
        ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
        ::_exit(127);
    }
    while (fs::is_empty(daemon.source())) std::this_thread::yield();
    daemon.stop();
    std::string said;
    char byte = 0;
    while (said.find('\n') == std::string::npos && ::read(terminal, &byte, 1) == 1) said += byte;
    ::kill(pid, SIGINT);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(terminal);
    ::close(other_side);
    CHECK(said.find("waiting for vhost-user:" + daemon.socket()) != std::string::npos);
    CHECK(WTERMSIG(status) == SIGINT);
}
