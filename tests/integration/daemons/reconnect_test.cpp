// SPDX-License-Identifier: BSD-2-Clause
// A ReconnectingMount against the real daemons, which are killed and started again under it.
#include "support/catch.hpp"
#include "support/crash_writers.hpp"
#include "support/virtiofsd.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/vhost_user.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace {

using namespace vfsproto;
using test::CrashWriters;
using test::Daemon;
using test::Virtiofsd;
using test::Watchdog;

// A directory, and the daemon that serves it now. The thread that respawns it lives as long: a daemon dies with the one that
// started it.
class RespawnedDaemon {
public:
    explicit RespawnedDaemon(Daemon kind) : kind_(kind) { start(); }

    // Kills the daemon as a crash would, and starts another one.
    void respawn() {
        const std::lock_guard lock(mutex_);
        daemon_->kill();
        start();
        started_.notify_all();
    }
    // Waits until the daemon has ended by itself. Returns its exit status.
    [[nodiscard]] int wait() {
        const std::lock_guard lock(mutex_);
        return daemon_->wait();
    }
    // Waits for a daemon that nobody has connected to: each takes one connection.
    [[nodiscard]] std::unique_ptr<backends::Attachment> connect() {
        backends::VhostUserOptions options;
        {
            std::unique_lock lock(mutex_);
            if (!started_.wait_for(lock, kPatience, [this] { return is_free_; })) return nullptr;
            is_free_ = false;
            options.socket_path = daemon_->socket();
        }
        return backends::VhostUser::open(std::move(options)).device;
    }

private:
    static constexpr std::chrono::seconds kPatience{20};

    void start() {
        daemon_.emplace(kind_, std::vector<std::string>{}, directory_.path());
        is_free_ = true;
    }

    test::ScratchDirectory directory_;
    Daemon kind_;
    std::mutex mutex_;
    std::condition_variable started_;
    std::optional<Virtiofsd> daemon_;
    bool is_free_ = false; // nobody has connected to it yet
};

} // namespace

TEST_CASE("eight threads write through open files while the daemon is killed twenty times", "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("eight threads and a daemon that dies", std::chrono::seconds(120));
    constexpr unsigned kKills = 20;
    constexpr std::uint64_t kCallsBetween = 400; // more than can end without a daemon
    RespawnedDaemon daemon(kind);
    posix::ReconnectOptions options;
    options.open_device = [&] { return daemon.connect(); };
    options.repeats = kKills; // the daemon may die as often while one thread gets no turn
    std::mutex mutex;
    std::size_t lost = 0;
    options.on_reconnect = [&](const posix::Reconnection& told) {
        const std::lock_guard lock(mutex);
        lost += told.lost.size();
    };
    auto mount = posix::ReconnectingMount::open(options);
    if (!mount) FAIL("cannot mount: " << mount.failure().text());
    CrashWriters writers(**mount);
    for (unsigned i = 0; i < kKills; ++i) {
        const std::uint64_t before = writers.calls();
        test::until([&] { return writers.calls() >= before + kCallsBetween; });
        daemon.respawn();
    }
    writers.check();
    CHECK((*mount)->sessions() == kKills + 1);
    CHECK(lost == 0);
}

TEST_CASE("a mount is suspended, its daemon ends by itself, and another one goes on with its open files",
          "[integration]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("suspended under a daemon", std::chrono::seconds(120));
    constexpr unsigned kSuspensions = 3;
    constexpr std::uint64_t kCallsBetween = 100;
    RespawnedDaemon daemon(kind);
    posix::ReconnectOptions options;
    options.open_device = [&] { return daemon.connect(); };
    posix::Reconnection last;
    options.on_reconnect = [&](const posix::Reconnection& told) { last = told; };
    auto mount = posix::ReconnectingMount::open(options);
    if (!mount) FAIL("cannot mount: " << mount.failure().text());
    CrashWriters writers(**mount);
    for (unsigned i = 0; i < kSuspensions; ++i) {
        const std::uint64_t before = writers.calls();
        test::until([&] { return writers.calls() >= before + kCallsBetween; });
        const posix::Suspension suspended = (*mount)->suspend();
        if (suspended.why.happened()) FAIL("cannot suspend: " << suspended.why.text());
        CHECK(daemon.wait() == 0);
        daemon.respawn();
        const posix::Failure resumed = (*mount)->resume();
        if (resumed.happened()) FAIL("cannot resume: " << resumed.text());
        CHECK(last.ended == Errc::suspended);
        CHECK(last.reopened == CrashWriters::kThreads);
        CHECK(last.lost.empty());
    }
    writers.check();
    CHECK((*mount)->sessions() == 1 + kSuspensions);
}
