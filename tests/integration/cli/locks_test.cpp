// SPDX-License-Identifier: BSD-2-Clause
// The tests show what flock and lock run, what they leave with, whom they keep out, and how a wait ends.
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

struct HostFile {
    explicit HostFile(const fs::path& path) : fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {}
    ~HostFile() { ::close(fd); }
    HostFile(const HostFile&) = delete;
    HostFile& operator=(const HostFile&) = delete;

    [[nodiscard]] bool lock_whole(int operation = LOCK_EX) const { return ::flock(fd, operation | LOCK_NB) == 0; }
    [[nodiscard]] bool lock_bytes(off_t start, off_t length) const {
        struct ::flock lock{};
        lock.l_type = F_WRLCK;
        lock.l_start = start;
        lock.l_len = length;
        return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
    }

    int fd;
};

std::string device_of(const Share& share) { return "dir:" + share.path().string(); }

} // namespace

TEST_CASE("flock and lock run a command while the lock is held, and leave with its status", "[cli][locks]") {
    const Share share(Server::embedded);
    const bool whole = GENERATE(true, false);
    const std::string command = whole ? "flock" : "lock";
    const std::string probe = whole ? "flock -n '" + (share.path() / "file").string() + "' true"
                                    : "! '" + program_path() + "' --device '" + device_of(share) + "' lock -n file";
    // The lock holds against others while the command runs.
    const std::string check = whole ? "! " + probe : probe;
    CHECK(share.run({command, "file", "--", "sh", "-c", check + " 2>/dev/null && exit 7"}).status == 7);
    CHECK(share.exists("file")); // it was made
    CHECK(share.output({command, "file", "--", "echo", "-n", "done"}) == "done");
    CHECK(share.output({command, "-s", "file"}) == "");
    CHECK(share.run({command, "file", "--", "sh", "-c", "kill -9 $$"}).status == 128 + 9);
    CHECK(contains(share.complaint({command, "file", "--", "/no/such/command"}), "ENOENT"));
    const HostFile host(share.path() / "file");
    CHECK(host.lock_whole());
    CHECK(host.lock_bytes(0, 0));
}

TEST_CASE("a lock that somebody else has is refused, or waited for as long as was said", "[cli][locks]") {
    const Watchdog watchdog("a wait for a lock with a time");
    const Share share(Server::embedded);
    const HostFile host(share.path() / "file");
    const bool whole = GENERATE(true, false);
    const std::string command = whole ? "flock" : "lock";
    REQUIRE((whole ? host.lock_whole() : host.lock_bytes(5, 5)));
    CHECK(contains(share.complaint({command, "-n", "file", "--", "touch", share.beside("ran").string()}), "EAGAIN"));
    CHECK(contains(share.complaint({command, "-w", "0.05", "file", "--", "touch", share.beside("ran").string()}),
                   "ETIMEDOUT"));
    CHECK_FALSE(fs::exists(share.beside("ran")));
    if (whole) return;
    CHECK(share.output({"lock", "-n", "--start", "10", "file", "--", "echo", "ran"}) == "ran\n");
    CHECK(share.output({"lock", "-n", "--length", "5", "file", "--", "echo", "ran"}) == "ran\n");
    CHECK(share.output({"lock", "--test", "file"}) == "file: exclusive, from 5, 5 bytes, pid 0\n");
    CHECK(share.output({"lock", "--test", "--length", "5", "file"}) == "file: free\n");
}

TEST_CASE("a lock that is given up is taken by whoever waits", "[cli][locks]") {
    const Watchdog watchdog("a wait for a lock");
    const Share share(Server::embedded);
    const auto host = std::make_unique<HostFile>(share.path() / "file");
    REQUIRE(host->lock_whole());
    RunningProgram program({"--device", device_of(share), "flock", "file", "--", "echo", "ran"});
    std::this_thread::yield();
    REQUIRE(::flock(host->fd, LOCK_UN) == 0);
    const Ran ran = program.wait();
    CHECK(ran.status == 0);
    CHECK(ran.out == "ran\n");
}

TEST_CASE("a program that waits gets the lock when another one gives it up", "[cli][locks]") {
    const Watchdog watchdog("two programs and one lock");
    const Share share(Server::embedded);
    const std::string command = GENERATE(as<std::string>{}, "flock", "lock");
    const std::string mark = share.beside("mark").string();
    const std::string trace = share.beside("trace").string();
    RunningProgram holder({"--device", device_of(share), command, "file", "--", "sh", "-c",
                           "touch \"$0.runs\"; until [ -e \"$0.end\" ]; do sleep 0.01; done", mark});
    while (!fs::exists(mark + ".runs")) std::this_thread::yield();
    RunningProgram waiter({"--device", device_of(share), "--trace", trace, command, "file", "--", "echo", "ran"});
    while (!contains(Share::contents(trace), "SETLKW")) std::this_thread::yield();
    std::ofstream(mark + ".end") << "now";
    CHECK(holder.wait().status == 0);
    const Ran ran = waiter.wait();
    CHECK(ran.status == 0);
    CHECK(ran.out == "ran\n");
    CHECK_FALSE(contains(Share::contents(trace), "EAGAIN")); // it was not asked again: the server waited
}

TEST_CASE("a signal ends the wait for a lock, and the program with it", "[cli][locks]") {
    const Watchdog watchdog("a wait for a lock after a signal");
    const Share share(Server::embedded);
    const HostFile host(share.path() / "file");
    REQUIRE(host.lock_whole());
    const int number = GENERATE(SIGINT, SIGTERM);
    const std::string trace = share.beside("trace").string();
    RunningProgram program(
        {"--device", device_of(share), "--trace", trace, "flock", "file", "--", "touch", share.beside("ran").string()});
    // It waits once it has asked for the lock.
    while (!contains(Share::contents(trace), "SETLK")) std::this_thread::yield();
    program.signal(number);
    const Ran ran = program.wait();
    CHECK(ran.status == -number);
    CHECK(ran.err == "");
    CHECK_FALSE(fs::exists(share.beside("ran")));
}

TEST_CASE("a signal is the command's while it runs, and the lock stays until that ends", "[cli][locks]") {
    const Watchdog watchdog("a command under a lock after a signal");
    const Share share(Server::embedded);
    const HostFile host(share.path() / "file");
    // The command takes its time after the signal; the lock is held meanwhile.
    const std::string script =
        "trap 'flock -n \"$0\" true && touch \"$1.free\"; touch \"$1.ended\"; exit 0' TERM; touch "
        "\"$1.runs\"; while :; do sleep 0.01; done";
    const std::string mark = share.beside("mark").string();
    RunningProgram program({"--device", device_of(share), "flock", "file", "--", "sh", "-c", script,
                            (share.path() / "file").string(), mark});
    while (!fs::exists(mark + ".runs")) std::this_thread::yield();
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGTERM);
    CHECK(fs::exists(mark + ".ended"));
    CHECK_FALSE(fs::exists(mark + ".free"));
    CHECK(host.lock_whole());
}

TEST_CASE("flock works through virtiofsd that keeps locks, and says so of one that does not", "[cli][locks]") {
    if (Virtiofsd::missing()) return;
    const Share share(Server::embedded);
    {
        Virtiofsd daemon({"flock", "posix_lock"}, share.path());
        const std::string device = "vhost-user:" + daemon.socket();
        const Ran ran = run_program({"--device", device, "flock", "file", "--", "echo", "ran"});
        CHECK(ran.status == 0);
        CHECK(ran.out == "ran\n");
    }
    Virtiofsd daemon({}, share.path());
    const Ran ran = run_program({"--device", "vhost-user:" + daemon.socket(), "lock", "file", "--", "echo", "ran"});
    CHECK(ran.status == 1);
    CHECK(ran.out == "");
    CHECK(contains(ran.err, "keeps no such locks"));
}
