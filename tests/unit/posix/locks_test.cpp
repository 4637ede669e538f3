// SPDX-License-Identifier: BSD-2-Clause
// Locks of open files: their owners, their ends, waiting for one, and servers that have none.
#include "unit/posix/mounted.hpp"

#include <array>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using posix::LockType;
using posix::WhenLocked;
using test::Errno;
using test::error_of;
using test::MountedOptions;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

namespace {

constexpr posix::WantedLock kAll{LockType::exclusive, {}, 0};

File open_file(OverMemfs& over) { return value_of(over->open_file("/file", kOCreat | kORdwr, 0644)); }

MountedOptions with_threads() {
    MountedOptions options;
    options.device.service = backends::LoopbackService::threads;
    return options;
}

// A server that keeps locks and cannot wait for one.
class Impatient : public backends::Memfs {
public:
    using backends::Memfs::handle;
    void handle(const server::RequestOf<wire::Opcode::setlkw>&, server::ReplyTo<wire::Opcode::setlkw>& reply) noexcept {
        ++asked_to_wait;
        reply.error(Errno::eopnotsupp);
    }

    std::atomic<int> asked_to_wait{0};
};

} // namespace

TEST_CASE("each open file owns its record locks, and they end with close", "[locks]") {
    OverMemfs over;
    File one = open_file(over);
    File two = open_file(over);
    CHECK(one.lock_owner() != two.lock_owner());
    succeeds(over->lock(one, {LockType::exclusive, {10, 10}, 0}));
    CHECK(error_of(over->lock(two, {LockType::shared, {19, 1}, 0})) == Errno::eagain);
    succeeds(over->lock(two, {LockType::exclusive, {20, 0}, 0}));
    succeeds(over->lock(two, {LockType::exclusive, {0, 10}, 0}));
    succeeds(over->lock(one, {LockType::shared, {10, 5}, 0}));
    succeeds(over->lock(two, {LockType::shared, {10, 5}, 0}));
    succeeds(over->close(std::move(one)));
    succeeds(over->lock(two, kAll));
    succeeds(over->lock(two, {LockType::unlock, {}, 0}));
    one = open_file(over);
    succeeds(over->lock(one, kAll));
}

TEST_CASE("a file that is merely destroyed gives up its locks", "[locks]") {
    OverMemfs over;
    File two = open_file(over);
    {
        File one = open_file(over);
        succeeds(over->lock(one, kAll));
        succeeds(over->flock(one, LockType::exclusive));
        CHECK(error_of(over->lock(two, kAll)) == Errno::eagain);
        CHECK(error_of(over->flock(two, LockType::shared)) == Errno::eagain);
    }
    succeeds(over->lock(two, kAll));
    succeeds(over->flock(two, LockType::exclusive));
}

TEST_CASE("an owner of the caller's has its locks through any file, until it gives them up", "[locks]") {
    OverMemfs over;
    File one = open_file(over);
    File two = open_file(over);
    constexpr std::uint64_t kOwner = std::uint64_t{1} << 40;
    succeeds(over->lock(one, {LockType::exclusive, {}, kOwner}));
    succeeds(over->lock(two, {LockType::exclusive, {5, 5}, kOwner}));
    succeeds(over->close(std::move(one)));
    CHECK(error_of(over->lock(two, kAll)) == Errno::eagain);
    succeeds(over->lock(two, {LockType::unlock, {}, kOwner}));
    succeeds(over->lock(two, kAll));
}

TEST_CASE("locks of the whole file and of ranges do not see each other", "[locks]") {
    OverMemfs over;
    File one = open_file(over);
    File two = open_file(over);
    succeeds(over->flock(one, LockType::exclusive));
    succeeds(over->lock(two, kAll));
    CHECK(error_of(over->flock(two, LockType::exclusive)) == Errno::eagain);
    succeeds(over->flock(one, LockType::shared));
    succeeds(over->flock(two, LockType::shared));
    succeeds(over->flock(one, LockType::unlock));
    succeeds(over->flock(two, LockType::exclusive));
}

TEST_CASE("test_lock tells who stands in the way", "[locks]") {
    OverMemfs over;
    File one = open_file(over);
    File two = open_file(over);
    posix::Credentials other;
    other.caller.pid = 4711;
    succeeds(over->acting_for(other)->lock(one, {LockType::shared, {100, 0}, 0}));
    CHECK_FALSE(value_of(over->test_lock(two, {LockType::shared, {}, 0})).has_value());
    const auto held = value_of(over->test_lock(two, kAll));
    REQUIRE(held.has_value());
    CHECK(held->type == LockType::shared);
    CHECK(held->range.start == 100);
    CHECK(held->range.length == 0);
    CHECK(held->pid == 4711);
}

TEST_CASE("locks that make no sense are refused", "[locks]") {
    OverMemfs over;
    File file = open_file(over);
    constexpr std::uint64_t kLast = kLockToEof;
    CHECK(error_of(over->lock(file, {LockType::shared, {kLast + 1, 1}, 0})) == Errno::eoverflow);
    CHECK(error_of(over->lock(file, {LockType::shared, {kLast, 2}, 0})) == Errno::eoverflow);
    CHECK(error_of(over->lock(file, {LockType::shared, {1, ~std::uint64_t{0}}, 0})) == Errno::eoverflow);
    succeeds(over->lock(file, {LockType::shared, {kLast, 1}, 0}));
    CHECK(error_of(over->lock(File(), kAll)) == Errno::ebadf);
    CHECK(error_of(over->flock(File(), LockType::shared)) == Errno::ebadf);
    CHECK(error_of(over->test_lock(File(), kAll)) == Errno::ebadf);
    File reader = value_of(over->open_file("/file", kORdonly));
    CHECK(error_of(over->lock(reader, kAll)) == Errno::ebadf);
    succeeds(over->lock(reader, {LockType::shared, {0, 1}, 0}));
    File writer = value_of(over->open_file("/file", kOWronly));
    CHECK(error_of(over->lock(writer, {LockType::shared, {0, 1}, 0})) == Errno::ebadf);
}

TEST_CASE("a server that keeps no locks is told from a lock that is taken", "[locks]") {
    MountedOptions options;
    options.memfs.server.flags.remove(wire::InitFlag::posix_locks);
    options.memfs.server.flags.remove(wire::InitFlag::flock_locks);
    OverMemfs over(std::move(options));
    File file = open_file(over);
    CHECK(over->lock(file, kAll).errc == Errc::not_negotiated);
    CHECK(over->flock(file, LockType::shared).as_errno() == Errno::eopnotsupp);
    CHECK(over->test_lock(file, kAll).failure().errc == Errc::not_negotiated);
}

TEST_CASE("a thread waits at the server for a lock, and gets it when it is given up", "[locks]") {
    OverMemfs over(with_threads());
    File one = open_file(over);
    File two = open_file(over);
    const bool whole_file = GENERATE(false, true);
    const auto take = [&](File& file, WhenLocked when) {
        return whole_file ? over->flock(file, LockType::exclusive, when) : over->lock(file, kAll, when);
    };
    succeeds(take(one, WhenLocked::wait));
    posix::Failure waited;
    std::thread waiter([&] { waited = take(two, WhenLocked::wait); });
    while (over.fs.waiting_locks() == 0) std::this_thread::yield();
    succeeds(over->close(std::move(one)));
    waiter.join();
    succeeds(waited);
    one = open_file(over);
    CHECK(error_of(take(one, WhenLocked::fail)) == Errno::eagain);
}

// Blocking rows never take the last slots.
TEST_CASE("threads that wait for a lock leave a slot for the unlock", "[locks]") {
    MountedOptions options = with_threads();
    options.mount.channel.slots = 2;
    OverMemfs over(std::move(options));
    File holder = open_file(over);
    succeeds(over->lock(holder, kAll));
    constexpr std::size_t kWaiters = 4;
    std::array<File, kWaiters> files;
    for (File& file : files) file = open_file(over);
    std::array<posix::Failure, kWaiters> waited;
    std::vector<std::thread> waiters;
    for (std::size_t i = 0; i < kWaiters; ++i) {
        waiters.emplace_back([&, i] {
            waited[i] = over->lock(files[i], kAll, WhenLocked::wait);
            if (!waited[i]) waited[i] = over->close(std::move(files[i]));
        });
    }
    while (over.fs.waiting_locks() == 0) std::this_thread::yield();
    succeeds(over->lock(holder, {LockType::unlock, {}, 0}));
    for (std::thread& waiter : waiters) waiter.join();
    for (const posix::Failure& failure : waited) succeeds(failure);
}

TEST_CASE("a lock is waited for at a server that cannot wait", "[locks]") {
    Impatient fs;
    backends::LoopbackOptions device;
    device.service = backends::LoopbackService::threads;
    auto mount = test::mount_of(backends::make_loopback(fs, std::move(device)));
    File one = value_of(mount->open_file("/file", kOCreat | kORdwr, 0644));
    File two = value_of(mount->open_file("/file", kORdwr));
    succeeds(mount->lock(one, kAll, WhenLocked::wait));
    posix::Failure waited;
    std::thread waiter([&] { waited = mount->lock(two, kAll, WhenLocked::wait); });
    while (fs.asked_to_wait == 0) std::this_thread::yield();
    succeeds(mount->close(std::move(one)));
    waiter.join();
    succeeds(waited);
    CHECK(fs.asked_to_wait == 1); // it refused once: after that it is tried
}
