// SPDX-License-Identifier: BSD-2-Clause
// Locks that are waited for at libfuse, by a thread and without one, and interrupted there.
#include "support/catch.hpp"
#include "support/libfuse_server.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/mount.hpp"

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using abi::Errno;
using posix::LockType;
using posix::WhenLocked;
using test::LibfuseServer;
using test::Watchdog;

namespace {

std::unique_ptr<posix::Mount> mount_of(const LibfuseServer& server) {
    backends::FuseStreamOptions transport;
    transport.socket_path = server.socket();
    auto opened = backends::FuseStream::open(std::move(transport));
    if (!opened) throw std::runtime_error(opened.message);
    auto mount = posix::Mount::open(std::move(opened.device));
    if (!mount) throw std::runtime_error(mount.failure().text());
    return std::move(*mount);
}

posix::File open_file(posix::Mount& mount) {
    auto file = mount.open_file("/file", kOCreat | kORdwr, 0644);
    if (!file) throw std::runtime_error(file.failure().text());
    return std::move(*file);
}

// Waits until so many requests wait at the server for a lock.
void await_waiting(posix::Mount& mount, const std::string& count) {
    for (;;) {
        const auto value = mount.get_xattr("/", "user.waiting");
        REQUIRE(value);
        if (std::string(reinterpret_cast<const char*>(value->data()), value->size()) == count) return;
        std::this_thread::yield();
    }
}

} // namespace

TEST_CASE("a lock is waited for at libfuse, by a thread and without one, and a stop interrupts the wait",
          "[integration][libfuse][locks]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("a lock at libfuse");
    const LibfuseServer server;
    const auto mount = mount_of(server);
    boost::asio::thread_pool pool(1);
    posix::AsyncMount files(*mount, pool.get_executor());
    const bool with_thread = GENERATE(true, false);
    const auto take = [&](const posix::File& file, const posix::CallLimits& limits) {
        if (!with_thread) {
            return files.flock(file, LockType::exclusive, WhenLocked::wait, limits, boost::asio::use_future);
        }
        return std::async(std::launch::async, [&mount, &file, limits] {
            return mount->flock(file, LockType::exclusive, WhenLocked::wait, limits);
        });
    };
    posix::File holder = open_file(*mount);
    posix::File file = open_file(*mount);
    REQUIRE_FALSE(mount->flock(holder, LockType::exclusive).happened());
    CHECK(mount->flock(file, LockType::exclusive).error == Errno::eagain);
    posix::StopSource stop;
    const posix::CallLimits stoppable{.stop = &stop, .grace = std::chrono::hours(1)};
    auto waits = take(file, stoppable);
    await_waiting(*mount, "1");
    stop.stop();
    CHECK(waits.get().as_errno() == Errno::eintr);
    await_waiting(*mount, "0");
    waits = take(file, {});
    await_waiting(*mount, "1");
    CHECK_FALSE(mount->close(std::move(holder)).happened());
    CHECK_FALSE(waits.get().happened());
    holder = open_file(*mount);
    CHECK(mount->flock(holder, LockType::exclusive).error == Errno::eagain);
    CHECK_FALSE(mount->close(std::move(file)).happened());
    CHECK_FALSE(mount->flock(holder, LockType::exclusive).happened());
}
