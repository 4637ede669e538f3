// SPDX-License-Identifier: BSD-2-Clause
// Locks that are asked for without a thread: waiting at the server and asking again, and how either is ended.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"
#include "unit/posix/runner.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/use_future.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <tuple>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using asio::use_future;
using posix::AsyncMount;
using posix::CallLimits;
using posix::Failure;
using posix::File;
using posix::LockType;
using posix::StopSource;
using posix::WhenLocked;
using test::Errno;
using test::error_of;
using test::Runner;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

using Clock = std::chrono::steady_clock;
using Future = std::future<Failure>;

constexpr posix::WantedLock kAll{LockType::exclusive, {}, 0};
constexpr posix::WantedLock kNone{LockType::unlock, {}, 0};

enum class Kind { records, whole };

// Counts what it is asked.
class Counting : public backends::Memfs {
public:
    using backends::Memfs::handle;
    void handle(In<Op::setlkw> request, Out<Op::setlkw> reply) noexcept {
        ++waits;
        backends::Memfs::handle(request, reply);
    }
    void handle(In<Op::setlk> request, Out<Op::setlk> reply) noexcept {
        ++tries;
        backends::Memfs::handle(request, reply);
    }
    void handle(In<Op::interrupt> request, Out<Op::interrupt> reply) noexcept {
        ++interrupts;
        backends::Memfs::handle(request, reply);
    }

    std::atomic<int> waits{0};
    std::atomic<int> tries{0};
    std::atomic<int> interrupts{0};
};

// A file that is open twice: `holder` takes its lock on this thread, `file` without one.
struct Contended {
    explicit Contended(client::LockWaits waits = client::LockWaits::by_server,
                       client::InterruptUse interrupts = client::InterruptUse::allowed)
        : mount(test::mount_of(backends::make_loopback(fs, device_with(waits, interrupts)))) {
        holder = value_of(mount->open_file("/file", kOCreat | kORdwr, 0644));
        file = value_of(mount->open_file("/file", kORdwr));
    }
    ~Contended() {
        CHECK(files.outstanding() == 0);
        holder = File();
        file = File();
    }
    Contended(const Contended&) = delete;
    Contended& operator=(const Contended&) = delete;

    [[nodiscard]] static backends::LoopbackOptions device_with(client::LockWaits waits,
                                                               client::InterruptUse interrupts) {
        backends::LoopbackOptions device;
        device.service = backends::LoopbackService::threads;
        device.quirks.lock_waits = waits;
        device.quirks.interrupts = interrupts;
        return device;
    }
    void hold(Kind kind) {
        succeeds(kind == Kind::whole ? mount->flock(holder, LockType::exclusive) : mount->lock(holder, kAll));
    }
    void let_go(Kind kind) {
        succeeds(kind == Kind::whole ? mount->flock(holder, LockType::unlock) : mount->lock(holder, kNone));
    }
    [[nodiscard]] Future take(Kind kind, WhenLocked when, const CallLimits& limits = {}) {
        return kind == Kind::whole ? files.flock(file, LockType::exclusive, when, limits, use_future)
                                   : files.lock(file, kAll, when, limits, use_future);
    }
    void await_waiting(std::size_t locks) const {
        while (fs.waiting_locks() != locks) std::this_thread::yield();
    }
    // Waits until the lock can be had: one that was granted late is given up by another thread.
    void await_free(Kind kind) {
        for (;;) {
            const Failure failure =
                kind == Kind::whole ? mount->flock(holder, LockType::exclusive) : mount->lock(holder, kAll);
            if (error_of(failure) == Errno::none) return;
            std::this_thread::yield();
        }
    }

    Counting fs;
    std::unique_ptr<posix::Mount> mount;
    File holder;
    File file;
    Runner runner;
    AsyncMount files{*mount, runner.io.get_executor()};
};

} // namespace

TEST_CASE("an asynchronous lock is refused, or waited for at the server until it is given up", "[locks][async]") {
    const Watchdog watchdog("a lock");
    Contended over;
    const Kind kind = GENERATE(as<Kind>{}, Kind::records, Kind::whole);
    over.hold(kind);
    CHECK(error_of(over.take(kind, WhenLocked::fail).get()) == Errno::eagain);
    CHECK(over.fs.waits == 0);
    Future waits = over.take(kind, WhenLocked::wait);
    over.await_waiting(1);
    over.let_go(kind);
    succeeds(waits.get());
    CHECK(over.fs.waits == 1);
    const Failure taken =
        kind == Kind::whole ? over.mount->flock(over.holder, LockType::shared) : over.mount->lock(over.holder, kAll);
    CHECK(error_of(taken) == Errno::eagain);
}

TEST_CASE("an asynchronous test_lock tells who stands in the way, and a lock that makes no sense is refused",
          "[locks][async]") {
    const Watchdog watchdog("a test of a lock");
    Contended over;
    auto [failure, held] = over.files.test_lock(over.file, kAll, use_future).get();
    succeeds(failure);
    CHECK_FALSE(held.has_value());
    succeeds(over.mount->lock(over.holder, {LockType::shared, {5, 10}, 0}));
    std::tie(failure, held) = over.files.test_lock(over.file, kAll, use_future).get();
    succeeds(failure);
    REQUIRE(held.has_value());
    CHECK(held->type == LockType::shared);
    CHECK(held->range.start == 5);
    CHECK(held->range.length == 10);
    const posix::WantedLock beyond{LockType::shared, {kLockToEof, 2}, 0};
    CHECK(error_of(over.files.lock(over.file, beyond, WhenLocked::wait, {}, use_future).get()) == Errno::eoverflow);
    const File none;
    CHECK(error_of(over.files.lock(none, kAll, WhenLocked::wait, {}, use_future).get()) == Errno::ebadf);
    CHECK(error_of(over.files.flock(none, LockType::shared, WhenLocked::wait, {}, use_future).get()) == Errno::ebadf);
    CHECK(error_of(std::get<0>(over.files.test_lock(none, kAll, use_future).get())) == Errno::ebadf);
}

TEST_CASE("a stop ends an asynchronous wait, and the server is told where that is safe", "[locks][async][limits]") {
    const Watchdog watchdog("a stop");
    const auto interrupts =
        GENERATE(as<client::InterruptUse>{}, client::InterruptUse::allowed, client::InterruptUse::never);
    const Kind kind = GENERATE(as<Kind>{}, Kind::records, Kind::whole);
    Contended over(client::LockWaits::by_server, interrupts);
    StopSource stop;
    over.hold(kind);
    Future waits = over.take(kind, WhenLocked::wait, {.stop = &stop});
    over.await_waiting(1);
    stop.stop();
    CHECK(waits.get().as_errno() == Errno::eintr);
    CHECK(over.take(kind, WhenLocked::wait, {.stop = &stop}).get().errc == Errc::abandoned); // and sends nothing
    CHECK(over.fs.waits == 1);
    if (interrupts == client::InterruptUse::allowed) {
        over.await_waiting(0);
        CHECK(over.fs.interrupts >= 1);
    } else {
        CHECK(over.fs.waiting_locks() == 1);
        CHECK(over.fs.interrupts == 0);
    }
    over.let_go(kind);
    over.await_free(kind); // what was granted late is given up again
}

TEST_CASE("an asynchronous wait ends at its deadline", "[locks][async][limits]") {
    const Watchdog watchdog("a deadline");
    const auto waits = GENERATE(as<client::LockWaits>{}, client::LockWaits::by_server, client::LockWaits::by_client);
    Contended over(waits);
    over.hold(Kind::records);
    const auto deadline = Clock::now() + 20ms;
    CHECK(over.take(Kind::records, WhenLocked::wait, {.deadline = deadline}).get().errc == Errc::timed_out);
    CHECK(Clock::now() >= deadline);
    over.let_go(Kind::records);
    over.await_free(Kind::records);
}

TEST_CASE("a server that does not wait for locks is asked again, without a thread that waits", "[locks][async]") {
    const Watchdog watchdog("tries");
    const Kind kind = GENERATE(as<Kind>{}, Kind::records, Kind::whole);
    Contended over(client::LockWaits::by_client);
    over.hold(kind);
    Future waits = over.take(kind, WhenLocked::wait);
    const int before = over.fs.tries;
    while (over.fs.tries < before + 2) std::this_thread::yield();
    over.let_go(kind);
    succeeds(waits.get());
    CHECK(over.fs.waits == 0);
}

TEST_CASE("a stop ends the pause before a server is asked again", "[locks][async][limits]") {
    const Watchdog watchdog("a stop between tries");
    Contended over(client::LockWaits::by_client);
    constexpr int kCalls = 20; // they are at different places of their pauses
    StopSource stop;
    over.hold(Kind::records);
    std::vector<Future> calls;
    for (int i = 0; i < kCalls; ++i) calls.push_back(over.take(Kind::records, WhenLocked::wait, {.stop = &stop}));
    while (over.fs.tries < 2 * kCalls) std::this_thread::yield();
    stop.stop();
    for (Future& call : calls) CHECK(call.get().errc == Errc::abandoned);
    CHECK(over.fs.waits == 0);
    over.let_go(Kind::records);
    over.await_free(Kind::records);
}

TEST_CASE("an asynchronous lock waits for what a process of the host has", "[locks][async]") {
    const Watchdog watchdog("a lock of the host");
    test::MountedOptions options;
    options.device.service = GENERATE(as<backends::LoopbackService>{}, backends::LoopbackService::threads,
                                      backends::LoopbackService::inline_in_doorbell);
    test::OverDirectory over(options);
    Runner runner;
    AsyncMount files(*over, runner.io.get_executor());
    File file = value_of(over->open_file("/file", kOCreat | kORdwr, 0644));
    const backends::FileDescriptor process(::open((over.directory.path() / "file").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(process.get(), LOCK_EX) == 0);
    Future waits = files.flock(file, LockType::exclusive, WhenLocked::wait, {}, use_future);
    while (over.fs.counters().parked_locks == 0) std::this_thread::yield();
    REQUIRE(::flock(process.get(), LOCK_UN) == 0);
    succeeds(waits.get());
    CHECK(::flock(process.get(), LOCK_SH | LOCK_NB) != 0);
    // A stop is sent to the server as an INTERRUPT, which ends the wait there.
    succeeds(over->flock(file, LockType::unlock));
    REQUIRE(::flock(process.get(), LOCK_EX) == 0);
    StopSource stop;
    waits = files.flock(file, LockType::exclusive, WhenLocked::wait, {.stop = &stop, .grace = 1h}, use_future);
    while (over.fs.counters().parked_locks == 0) std::this_thread::yield();
    stop.stop();
    CHECK(waits.get().as_errno() == Errno::eintr);
    CHECK(over.fs.counters().parked_locks == 0);
    succeeds(over->close(std::move(file)));
}
