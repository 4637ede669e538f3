// SPDX-License-Identifier: BSD-2-Clause
// A queue whose owner does not wait for ever: waits that end at a limit, and transfers that are given up.
#include "unit/posix/holding_server.hpp"

#include "vfsproto/posix/io_queue.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::Buffer;
using posix::File;
using posix::IoQueue;
using posix::QueuedRead;
using posix::QueuedWrite;
using posix::StopSource;
using test::HoldingServer;
using test::kShort;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kSize = 4096;

struct Queued {
    Queued() : buffer(value_of(server.mount->allocate(kSize))), queue(server.mount->channel()) {
        file = value_of(server.mount->open_file("/dir/file", kORdwr));
        succeeds(server.mount->write_all(file, content, 0));
    }
    void await_late() {
        test::until([&] {
            const posix::MountStats stats = server.mount->mount_stats();
            return stats.late == stats.abandoned;
        });
    }

    HoldingServer server;
    const std::vector<std::byte> content = test::noise(kSize);
    Buffer buffer;
    File file;
    IoQueue queue;
};

} // namespace

TEST_CASE("a wait of a queue ends at its limit, and what is in flight stays so", "[io_queue][limits]") {
    const Watchdog watchdog("a wait");
    Queued f;
    f.server.hold(Opcode::read);
    QueuedRead read;
    REQUIRE(f.queue.read(read, f.file, f.buffer.bytes(), 0) == Errc::ok);
    SECTION("a deadline") {
        const auto deadline = Clock::now() + kShort;
        CHECK(f.queue.next({.deadline = deadline}) == nullptr);
        CHECK(Clock::now() >= deadline);
        CHECK(f.queue.next({.deadline = deadline}) == nullptr); // nor does it wait again
    }
    SECTION("a stop") {
        StopSource stop;
        std::thread stops([&] {
            f.server.await_held(1);
            stop.stop();
        });
        CHECK(f.queue.next({.stop = &stop, .grace = std::chrono::hours(1)}) == nullptr);
        stops.join();
    }
    CHECK(f.queue.in_flight() == 1);
    f.server.release();
    CHECK(f.queue.next({.deadline = Clock::now() + test::kLong}) == &read);
    CHECK(read.succeeded());
    CHECK(read.bytes() == kSize);
    CHECK(std::equal(f.content.begin(), f.content.end(), f.buffer.bytes().begin()));
    CHECK(f.queue.next({.deadline = Clock::now()}) == nullptr);
    CHECK(f.queue.in_flight() == 0);
}

TEST_CASE("a transfer of a queue that was given up keeps its Buffer, and its slot carries the next",
          "[io_queue][limits]") {
    const Watchdog watchdog("a transfer");
    Queued f;
    f.server.hold(Opcode::read);
    QueuedRead read;
    REQUIRE(f.queue.read(read, f.file, f.buffer.bytes(), 0) == Errc::ok);
    const bool was_sent = GENERATE(true, false); // else it was staged alone until it is given up
    if (was_sent) {
        f.queue.flush();
        f.server.await_held(1);
    }
    CHECK(f.queue.give_up(read, f.file, Errc::timed_out) == Errc::ok);
    CHECK(f.queue.next() == &read);
    CHECK(read.errc() == Errc::timed_out);
    CHECK(f.queue.in_flight() == 0);
    CHECK_FALSE(f.buffer.is_free());
    const Buffer other = value_of(f.server.mount->allocate(kSize));
    QueuedWrite write;
    std::copy(f.content.begin(), f.content.end(), other.bytes().begin());
    REQUIRE(f.queue.write(write, f.file, other.bytes(), kSize) == Errc::ok);
    CHECK(f.queue.next() == &write);
    CHECK(write.succeeded());
    f.server.await_held(1);
    f.server.release();
    while (!f.buffer.is_free()) std::this_thread::yield();
    CHECK(std::equal(f.content.begin(), f.content.end(), f.buffer.bytes().begin()));
    REQUIRE(f.queue.read(read, f.file, f.buffer.bytes(), kSize) == Errc::ok);
    CHECK(f.queue.next() == &read);
    CHECK(read.succeeded());
}

TEST_CASE("a READ into plain memory that was given up goes nowhere", "[io_queue][limits]") {
    const Watchdog watchdog("a READ");
    Queued f;
    std::array<std::byte, kSize> room{};
    f.server.hold(Opcode::read);
    QueuedRead read;
    REQUIRE(f.queue.read(read, f.file, room, 0) == Errc::ok);
    f.queue.flush();
    f.server.await_held(1);
    CHECK(f.queue.give_up(read, f.file, Errc::abandoned) == Errc::ok);
    CHECK(f.queue.next() == &read);
    CHECK(read.errc() == Errc::abandoned);
    f.server.release();
    f.await_late();
    CHECK(std::all_of(room.begin(), room.end(), [](std::byte each) { return each == std::byte{0}; }));
}

TEST_CASE("a transfer that is done is not given up", "[io_queue][limits]") {
    const Watchdog watchdog("a done transfer");
    Queued f;
    QueuedRead read;
    REQUIRE(f.queue.read(read, f.file, f.buffer.bytes(), 0) == Errc::ok);
    CHECK(f.queue.next() == &read);
    CHECK(f.queue.give_up(read, f.file, Errc::abandoned) == Errc::wrong_state);
    CHECK(read.succeeded());
    CHECK(f.buffer.is_free());
    CHECK(f.queue.next() == nullptr);
}

TEST_CASE("the mount ends although a server never answers what a queue gave up", "[io_queue][limits]") {
    const Watchdog watchdog("the end of a mount");
    posix::MountOptions options;
    options.channel.patience = std::chrono::milliseconds(200);
    HoldingServer server({}, options);
    {
        const Buffer buffer = value_of(server.mount->allocate(kSize));
        const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
        IoQueue queue(server.mount->channel());
        QueuedWrite write;
        server.hold(Opcode::write);
        REQUIRE(queue.write(write, file, buffer.bytes(), 0) == Errc::ok);
        CHECK(queue.give_up(write, file, Errc::abandoned) == Errc::ok);
        CHECK(queue.next() == &write);
    }
    server.mount.reset();
}
