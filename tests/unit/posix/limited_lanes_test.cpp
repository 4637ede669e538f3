// SPDX-License-Identifier: BSD-2-Clause
// Calls under limits whose requests go by a queue beside the first. The server does what it is asked at once, and keeps the answer
// until it is told to let it go.
#include "unit/posix/holding_server.hpp"
#include "unit/posix/on_lanes.hpp"

#include "vfsproto/posix/io_queue.hpp"

#include <algorithm>
#include <functional>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using client::InterruptUse;
using posix::Buffer;
using posix::Failure;
using posix::File;
using posix::IoQueue;
using posix::Mount;
using posix::QueuedRead;
using posix::StopSource;
using test::failure_of;
using test::kLong;
using test::kShort;
using test::on_side_lane;
using test::succeeds;
using test::until;
using test::value_of;
using test::Watchdog;
using wire::Opcode;
using Server = test::HoldingServer;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint16_t kTwo = 2;

struct Kind {
    Opcode opcode;
    std::function<Failure(Mount&)> call;
};
// A lookup that is given back, a handle that is released, records of lookups, and nothing to give back.
const Kind kKinds[] = {
    {Opcode::lookup, [](Mount& mount) { return failure_of(mount.stat("/dir/file")); }},
    {Opcode::open, [](Mount& mount) { return failure_of(mount.open_file("/dir/file", kORdonly)); }},
    {Opcode::create, [](Mount& mount) { return failure_of(mount.open_file("/dir/new", kOCreat | kOWronly)); }},
    {Opcode::readdirplus, [](Mount& mount) { return failure_of(mount.list("/dir")); }},
    {Opcode::mkdir, [](Mount& mount) { return mount.mkdir("/dir/sub"); }},
};

const Kind& generated_kind() { return kKinds[GENERATE(range(std::size_t{0}, std::size(kKinds)))]; }

} // namespace

TEST_CASE("a call on another queue ends at its deadline, and its late answer is undone", "[lanes][limits]") {
    const Watchdog watchdog("a deadline on another queue");
    const Kind& kind = generated_kind();
    const auto interrupts = GENERATE(InterruptUse::allowed, InterruptUse::never);
    Server server({}, {}, interrupts, kTwo);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(kind.opcode);
    on_side_lane(server.mount->channel(), [&] {
        const Failure failure = server.call_until_held([&] { return kind.call(*limited); });
        CHECK(failure.errc == Errc::timed_out);
    });
    server.await_held(1);
    while (interrupts == InterruptUse::allowed && server.fs.interrupts == 0) std::this_thread::yield();
    server.release();
    server.await_given_back();
    CHECK((server.fs.interrupts != 0) == (interrupts == InterruptUse::allowed));
    // Both queues go on.
    succeeds(server.mount->access("/dir", 4));
    on_side_lane(server.mount->channel(), [&] { succeeds(server.mount->access("/dir", 4)); });
}

TEST_CASE("a stop ends a call on another queue, before and after it was answered", "[lanes][limits]") {
    const Watchdog watchdog("a stop on another queue");
    const Kind& kind = generated_kind();
    Server server({}, {}, InterruptUse::allowed, kTwo);
    StopSource stop;
    const bool has_grace = GENERATE(true, false); // it is answered in time, as the test lets it be
    const auto limited = server.mount->limited_by({.stop = &stop, .grace = has_grace ? kLong : std::chrono::hours(0)});
    server.hold(kind.opcode);
    on_side_lane(server.mount->channel(), [&] {
        std::thread stops([&] {
            server.await_held(1);
            stop.stop();
            if (!has_grace) return;
            while (server.fs.interrupts == 0) std::this_thread::yield(); // it is asked to hurry
            server.release();
        });
        const Failure failure = kind.call(*limited);
        stops.join();
        if (!has_grace) CHECK(failure.errc == Errc::abandoned);
        CHECK(limited->mkdir("/dir/other").errc == Errc::abandoned); // nothing is sent
    });
    stop.reset();
    server.release();
    server.await_given_back();
    on_side_lane(server.mount->channel(), [&] { succeeds(limited->mkdir("/dir/other")); });
}

TEST_CASE("calls under limits on all queues end one by one, while others are answered", "[lanes][limits]") {
    const Watchdog watchdog("many calls on several queues");
    constexpr std::uint16_t kQueues = 3;
    constexpr int kThreads = 6;
    Server server({}, {}, InterruptUse::allowed, kQueues);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::statfs);
    std::atomic<int> timed_out{0};
    std::atomic<int> answered{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (int call = 0; call < 3; ++call) {
                timed_out += failure_of(limited->statfs()).errc == Errc::timed_out ? 1 : 0;
                answered += server.mount->access("/dir/file", 4).happened() ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(timed_out == 3 * kThreads);
    CHECK(answered == 3 * kThreads);
    server.release();
    until([&] {
        const posix::MountStats stats = server.mount->mount_stats();
        return stats.late == stats.abandoned;
    });
}

TEST_CASE("a wait of a queue on another lane ends at its limit, and what is in flight stays so", "[lanes][limits]") {
    const Watchdog watchdog("a wait on another queue");
    Server server({}, {}, InterruptUse::allowed, kTwo);
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    const Buffer buffer = value_of(server.mount->allocate(7));
    const std::span<std::byte> bytes = buffer.bytes().first(7);
    server.hold(Opcode::read);
    on_side_lane(server.mount->channel(), [&] {
        IoQueue queue(server.mount->channel());
        QueuedRead read;
        REQUIRE(queue.read(read, file, bytes, 0) == Errc::ok);
        CHECK(queue.next({.deadline = Clock::now() + kShort}) == nullptr);
        CHECK(queue.next({.deadline = Clock::now()}) == nullptr); // reached before
        StopSource stop;
        std::thread stops([&] {
            server.await_held(1);
            stop.stop();
        });
        CHECK(queue.next({.stop = &stop}) == nullptr);
        stops.join();
        CHECK(queue.in_flight() == 1);
        server.release();
        CHECK(queue.next({.deadline = Clock::now() + kLong}) == &read);
        CHECK(read.succeeded());
        CHECK(test::text_of(bytes) == "content");
    });
}

TEST_CASE("a transfer that is given up on another lane keeps its Buffer until it is answered", "[lanes][limits]") {
    const Watchdog watchdog("a transfer on another queue");
    Server server({}, {}, InterruptUse::allowed, kTwo);
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    const Buffer buffer = value_of(server.mount->allocate(7));
    const std::span<std::byte> bytes = buffer.bytes().first(7);
    server.hold(Opcode::read);
    const bool was_sent = GENERATE(true, false); // else it is staged alone until it is given up
    on_side_lane(server.mount->channel(), [&] {
        IoQueue queue(server.mount->channel());
        QueuedRead read;
        REQUIRE(queue.read(read, file, bytes, 0) == Errc::ok);
        if (was_sent) queue.flush();
        CHECK(queue.give_up(read, file, Errc::timed_out) == Errc::ok);
        CHECK(queue.give_up(read, file, Errc::timed_out) == Errc::wrong_state);
        CHECK(queue.next() == &read);
        CHECK(read.errc() == Errc::timed_out);
    });
    CHECK_FALSE(buffer.is_free());
    server.await_held(1);
    server.release();
    until([&] { return buffer.is_free(); });
}

TEST_CASE("a mount whose abandoned requests on another queue are never answered ends all the same", "[lanes][limits]") {
    const Watchdog watchdog("an end without answers");
    posix::MountOptions options;
    options.channel.patience = 50ms;
    Server server({}, options, InterruptUse::never, kTwo);
    auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::statfs);
    on_side_lane(server.mount->channel(), [&] { CHECK(failure_of(limited->statfs()).errc == Errc::timed_out); });
    limited.reset();
    server.mount.reset();
}

TEST_CASE("a device that goes away ends a call under limits on another queue, and what was let go of",
          "[lanes][limits]") {
    const Watchdog watchdog("a device that goes away");
    Server server({}, {}, InterruptUse::allowed, kTwo);
    auto short_one = server.mount->limited_by({.time = kShort});
    auto long_one = server.mount->limited_by({.time = kLong});
    server.hold(Opcode::statfs);
    on_side_lane(server.mount->channel(), [&] {
        CHECK(failure_of(short_one->statfs()).errc == Errc::timed_out);
        const std::size_t held = server.fs.held();
        std::thread ends([&] {
            server.await_held(held + 1);
            server.loopback->fail("a test ends it");
        });
        CHECK(failure_of(long_one->statfs()).errc == Errc::device_gone);
        ends.join();
    });
    until([&] {
        const posix::MountStats stats = server.mount->mount_stats();
        return stats.late == stats.abandoned;
    });
    short_one.reset();
    long_one.reset();
    server.mount.reset();
}

TEST_CASE("a slow request on another queue makes no device silent that answers what it is asked beside it",
          "[lanes][limits]") {
    const Watchdog watchdog("a slow request on another queue");
    posix::MountOptions options;
    options.channel.silence = 2s;
    Server server({}, options, InterruptUse::allowed, kTwo);
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    server.hold(Opcode::fsync);
    on_side_lane(server.mount->channel(), [&] {
        std::thread releases([&] {
            // Nobody waits for anything on the first queue, by which it is asked.
            until([&] {
                const bool has_answered = server.mount->mount_stats().of(Opcode::statfs).calls != 0;
                return has_answered || server.mount->channel().failure() != Errc::ok;
            });
            server.release();
        });
        succeeds(server.mount->fsync(file));
        releases.join();
    });
}
