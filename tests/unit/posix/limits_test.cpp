// SPDX-License-Identifier: BSD-2-Clause
// Calls that end before the server has answered them: what their callers hear, what the server hears, what is undone.
#include "unit/posix/mounted.hpp"

#include <array>
#include <chrono>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using posix::CallLimits;
using posix::File;
using posix::LockType;
using posix::StopSource;
using posix::WhenLocked;
using test::Errno;
using test::error_of;
using test::succeeds;
using test::value_of;
using Clock = std::chrono::steady_clock;

namespace {

constexpr posix::WantedLock kAll{LockType::exclusive, {}, 0};

// A server that counts what it is asked to interrupt. It may be deaf, and say nothing of it.
class Counting : public backends::Memfs {
public:
    using backends::Memfs::handle;
    void handle(const server::RequestOf<wire::Opcode::interrupt>& request,
                server::ReplyTo<wire::Opcode::interrupt>& reply) noexcept {
        ++interrupts;
        deaf ? reply.none() : backends::Memfs::handle(request, reply);
    }

    std::atomic<int> interrupts{0};
    bool deaf = false;
};

struct Server {
    explicit Server(client::InterruptUse interrupts = client::InterruptUse::allowed,
                    const posix::MountOptions& mount_options = {}) {
        backends::LoopbackOptions device;
        device.service = backends::LoopbackService::threads;
        device.quirks.interrupts = interrupts;
        mount = test::mount_of(backends::make_loopback(fs, std::move(device)), mount_options);
    }
    File open() { return value_of(mount->open_file("/file", kOCreat | kORdwr, 0644)); }
    // Waits for as many requests to wait for a lock.
    void await_waiting(std::size_t locks) {
        while (fs.waiting_locks() != locks) std::this_thread::yield();
    }
    // Has a thread make a call that waits for a lock, and stops it when the server has its request. Returns what the call said.
    template <class Call> posix::Failure stopped(StopSource& stop, Call&& call) {
        posix::Failure failure;
        std::thread waiter([&] { failure = call(); });
        await_waiting(1);
        stop.stop();
        waiter.join();
        return failure;
    }
    // Waits until nobody has the lock, as an abandoned call has it for a moment.
    void await_free(File& file) {
        while (mount->lock(file, kAll).error == Errno::eagain) std::this_thread::yield();
        CHECK_FALSE(value_of(mount->test_lock(file, kAll)).has_value());
    }

    Counting fs;
    std::unique_ptr<posix::Mount> mount;
};

} // namespace

TEST_CASE("a thread that waits for a lock comes back when it is stopped, and the server is told", "[locks][limits]") {
    Server server;
    File holder = server.open();
    File file = server.open();
    succeeds(server.mount->lock(holder, kAll));
    StopSource stop;
    const posix::Failure failure =
        server.stopped(stop, [&] { return server.mount->lock(file, kAll, WhenLocked::wait, {.stop = &stop}); });
    CHECK(failure.errc == Errc::abandoned);
    CHECK(failure.as_errno() == Errno::eintr);
    server.await_waiting(0);
    CHECK(server.fs.interrupts == 1);
    // Stopped calls send nothing; without a stop they go on.
    CHECK(server.mount->lock(file, {LockType::shared, {}, 0}, WhenLocked::wait, {.stop = &stop}).errc ==
          Errc::abandoned);
    stop.reset();
    succeeds(server.mount->lock(holder, {LockType::unlock, {}, 0}));
    succeeds(server.mount->lock(file, kAll, WhenLocked::wait, {.stop = &stop}));
}

TEST_CASE("a server that must not be interrupted is not, and a lock it grants late is given up", "[locks][limits]") {
    Server server(client::InterruptUse::never);
    const bool whole_file = GENERATE(false, true);
    const auto take = [&](File& file, WhenLocked when, const CallLimits& limits = {}) {
        return whole_file ? server.mount->flock(file, LockType::exclusive, when, limits)
                          : server.mount->lock(file, kAll, when, limits);
    };
    File holder = server.open();
    succeeds(take(holder, WhenLocked::fail));
    StopSource stop;
    {
        File file = server.open();
        const posix::Failure failure =
            server.stopped(stop, [&] { return take(file, WhenLocked::wait, {.stop = &stop}); });
        CHECK(failure.errc == Errc::abandoned);
        // The file may be closed meanwhile. The server still knows its handle.
        succeeds(server.mount->close(std::move(file)));
    }
    CHECK(server.fs.waiting_locks() == 1);
    CHECK(server.fs.open_handles() == 2);
    succeeds(server.mount->close(std::move(holder)));
    holder = server.open();
    while (take(holder, WhenLocked::fail).error == Errno::eagain) std::this_thread::yield();
    while (server.fs.open_handles() != 1) std::this_thread::yield();
    CHECK(server.fs.interrupts == 0);
    CHECK(server.fs.misuse().bad_handles == 0);
    CHECK(server.fs.misuse().stale_nodes == 0);
}

TEST_CASE("a call with a deadline ends at it, whether the server can wait or not", "[locks][limits]") {
    Server server;
    const bool waits_at_server = GENERATE(false, true);
    if (!waits_at_server) {
        server.fs.set_faults([](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode == wire::Opcode::setlkw) fault.error = Errno::eopnotsupp;
            return fault;
        });
    }
    File holder = server.open();
    File file = server.open();
    succeeds(server.mount->lock(holder, kAll));
    const auto start = Clock::now();
    const CallLimits limits{.deadline = start + 30ms};
    const auto failure = server.mount->lock(file, kAll, WhenLocked::wait, limits);
    CHECK(failure.errc == Errc::timed_out);
    CHECK(failure.as_errno() == Errno::etimedout);
    CHECK(Clock::now() - start >= 30ms);
    server.await_waiting(0);
    CHECK(server.mount->lock(file, kAll, WhenLocked::wait, limits).errc == Errc::timed_out);
    succeeds(server.mount->close(std::move(holder)));
    succeeds(server.mount->lock(file, kAll, WhenLocked::wait, {.deadline = Clock::now() + 1h}));
}

TEST_CASE("a stop ends the wait for a server that cannot wait", "[locks][limits]") {
    Server server;
    std::atomic<int> tries{0};
    server.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::setlkw) fault.error = Errno::eopnotsupp;
        if (question.opcode == wire::Opcode::setlk) ++tries;
        return fault;
    });
    File holder = server.open();
    File file = server.open();
    succeeds(server.mount->lock(holder, kAll));
    StopSource stop;
    posix::Failure failure;
    std::thread waiter([&] { failure = server.mount->lock(file, kAll, WhenLocked::wait, {.stop = &stop}); });
    while (tries < 3) std::this_thread::yield();
    stop.stop();
    waiter.join();
    CHECK(failure.errc == Errc::abandoned);
}

// The session has room for fewer INTERRUPTs than that at once.
TEST_CASE("one stop ends many waiting calls, and each request of theirs is interrupted", "[locks][limits]") {
    constexpr std::size_t kCalls = 2 * client::Session::kInterrupts + 1;
    posix::MountOptions options;
    options.channel.slots = 255;
    Server server(client::InterruptUse::allowed, options);
    File holder = server.open();
    succeeds(server.mount->lock(holder, kAll));
    StopSource stop;
    std::array<File, kCalls> files;
    for (File& file : files) file = server.open();
    std::array<posix::Failure, kCalls> failures;
    std::vector<std::thread> waiters;
    for (std::size_t i = 0; i < kCalls; ++i) {
        waiters.emplace_back(
            [&, i] { failures[i] = server.mount->lock(files[i], kAll, WhenLocked::wait, {.stop = &stop}); });
    }
    server.await_waiting(kCalls);
    stop.stop();
    for (std::thread& waiter : waiters) waiter.join();
    for (const posix::Failure& failure : failures) CHECK(failure.errc == Errc::abandoned);
    server.await_waiting(0);
    CHECK(server.fs.interrupts >= static_cast<int>(kCalls));
    succeeds(server.mount->lock(holder, {LockType::unlock, {}, 0}));
    server.await_free(holder);
}

TEST_CASE("a mount that ends gives a server up that keeps a request nobody waits for", "[locks][limits]") {
    posix::MountOptions options;
    options.channel.patience = 50ms;
    Server server(client::InterruptUse::allowed, options);
    server.fs.deaf = true;
    File holder = server.open();
    File file = server.open();
    constexpr std::uint64_t kOwner = 99; // FLUSH does not take the lock from it
    succeeds(server.mount->lock(holder, {LockType::exclusive, {}, kOwner}));
    StopSource stop;
    const posix::Failure failure =
        server.stopped(stop, [&] { return server.mount->lock(file, kAll, WhenLocked::wait, {.stop = &stop}); });
    CHECK(failure.errc == Errc::abandoned);
    // The server does no RELEASE, which would end the lock with the handle.
    server.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::release) fault.error = Errno::eio;
        return fault;
    });
    file = File();
    holder = File();
    CHECK(server.fs.waiting_locks() == 1);
    server.mount.reset();
}
