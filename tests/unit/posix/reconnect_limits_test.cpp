// SPDX-License-Identifier: BSD-2-Clause
// A ReconnectingMount waits for a server so long, asks for one so often, and notices that one has ended.
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"

#include "vfsproto/posix/mount_stats.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultKind;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::ReconnectingFile;
using posix::ReconnectOptions;
using test::ask_attributes;
using test::fail_each;
using test::fail_first;
using test::get;
using test::kFirstOfCaller;
using test::kToOpen;
using test::make_directory;
using test::mount_of;
using test::RestartedServer;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

TEST_CASE("a mount that sends nothing twice finds the next server as well", "[reconnect]") {
    const Watchdog watchdog("no repeats");
    RestartedServer server;
    ReconnectOptions options = server.mount_options();
    options.repeats = 0;
    auto mount = mount_of(options);
    server.end();
    // The end may be noticed by this call alone.
    const Failure first = ask_attributes(*mount, "/").failure();
    CHECK((!first.happened() || first.errc == Errc::reply_lost));
    CHECK(ask_attributes(*mount, "/"));
    CHECK(mount->sessions() == 2);
}

TEST_CASE("a server that ends each session at once is asked no more often than one that is away", "[reconnect]") {
    const Watchdog watchdog("sessions that end at once");
    constexpr std::chrono::milliseconds kPause(20);
    RestartedServer server;
    fail_each(server, FaultKind::die, kFirstOfCaller);
    ReconnectOptions options = server.mount_options();
    options.pause = kPause;
    auto mount = mount_of(options);
    const auto begun = std::chrono::steady_clock::now();
    CHECK(ask_attributes(*mount, "/file").failure().errc == Errc::reply_lost);
    CHECK(server.starts.load() == 1 + options.repeats);
    // The first attempt to reconnect has none before it.
    CHECK(std::chrono::steady_clock::now() - begun >= (options.repeats - 1) * kPause);
}

TEST_CASE("whoever waits for a server can be stopped", "[reconnect]") {
    const Watchdog watchdog("a stop");
    RestartedServer server;
    posix::StopSource stop;
    ReconnectOptions options = server.mount_options();
    options.pause = std::chrono::hours(1);
    options.limits.stop = &stop;
    auto mount = mount_of(options);
    server.is_away = true;
    server.end();
    Failure first;
    Failure second;
    std::thread one([&] { first = ask_attributes(*mount, "/").failure(); });
    std::thread other([&] { second = ask_attributes(*mount, "/").failure(); });
    test::until([&] { return server.starts.load() == 2; });
    stop.stop();
    one.join();
    other.join();
    CHECK(first.errc == Errc::abandoned);
    CHECK(second.errc == Errc::abandoned);
    CHECK(first.as_errno() == test::Errno::eintr);
    CHECK(server.starts.load() == 2);
}

TEST_CASE("a call waits for a server no longer than it may", "[reconnect]") {
    const Watchdog watchdog("a time");
    RestartedServer server;
    ReconnectOptions options = server.mount_options();
    options.attempts = std::numeric_limits<unsigned>::max();
    options.limits.time = std::chrono::milliseconds(1);
    auto mount = mount_of(options);
    server.is_away = true;
    server.end();
    CHECK(ask_attributes(*mount, "/").failure().errc == Errc::timed_out);
    server.is_away = false;
    CHECK(ask_attributes(*mount, "/"));
}

TEST_CASE("what a call gave up ends with its session, and nobody waits for it", "[reconnect][limits]") {
    const Watchdog watchdog("a READ that was given up");
    constexpr std::size_t kSize = 4096;
    RestartedServer server;
    server.put("file", "text");
    fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen);
    ReconnectOptions options = server.mount_options();
    options.mount.channel.patience = std::chrono::hours(1); // for which its session would else wait
    auto mount = mount_of(options);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdonly));
    const Failure given_up = mount->call(file, Opcode::read, [](Mount& on, const File& open) -> Failure {
        const auto limited = on.limited_by({.time = std::chrono::milliseconds(5)});
        const posix::Buffer buffer = value_of(limited->allocate(kSize));
        return limited->read(open, buffer.bytes(), 0).failure();
    });
    CHECK(given_up.errc == Errc::timed_out);
    CHECK(mount->sessions() == 1);
    server.end();
    CHECK(get(*mount, file) == "text");
    CHECK(mount->sessions() == 2);
    CHECK(server.told.reopened == 1);
}

TEST_CASE("what a cache keeps is not believed after the server's end", "[reconnect]") {
    const Watchdog watchdog("a cache");
    RestartedServer server;
    server.put("file", "old");
    ReconnectOptions options = server.mount_options();
    options.mount.cache.mode = posix::CacheMode::always;
    auto mount = mount_of(options);
    posix::Channel* channel = nullptr;
    const auto seen = mount->call(Opcode::getattr, [&](Mount& on) {
        channel = &on.channel();
        return on.stat("/file");
    });
    CHECK(value_of(seen).size == 3);
    server.end();
    test::until([&] { return channel->failure() != Errc::ok; });
    server.put("file", "longer");
    CHECK(value_of(ask_attributes(*mount, "/file")).size == 6);
    CHECK(mount->sessions() == 2);
}

TEST_CASE("a listing that is kept ends with its session", "[reconnect][caches]") {
    const Watchdog watchdog("a listing");
    RestartedServer server;
    server.put("first", "");
    ReconnectOptions options = server.mount_options();
    options.mount.cache.mode = posix::CacheMode::always;
    auto mount = mount_of(options);
    posix::Channel* channel = nullptr;
    std::uint64_t hits = 0;
    const auto count = [&] {
        const auto listed = mount->call(Opcode::readdir, [&](Mount& on) {
            channel = &on.channel();
            auto entries = on.list("/");
            hits = on.mount_stats().caches.listing_hits;
            return entries;
        });
        return value_of(listed).size();
    };
    CHECK(count() == 1);
    CHECK(count() == 1);
    CHECK(hits == 1);
    server.end();
    test::until([&] { return channel->failure() != Errc::ok; });
    server.put("second", "");
    CHECK(count() == 2);
    CHECK(hits == 0);
    CHECK(mount->sessions() == 2);
}

// A thread that polls may be given such an answer to its own request, and goes with it.
TEST_CASE("a server that broke the rules is replaced, whoever is told of it", "[reconnect]") {
    const Watchdog watchdog("a broken rule");
    backends::LoopbackOptions device;
    device.service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    RestartedServer server(device);
    server.put("file", "text");
    fail_first(server, FaultKind::reply_unique, kFirstOfCaller);
    ReconnectOptions options = server.mount_options();
    options.mount.channel.waiting = GENERATE(posix::Waiting::event, posix::Waiting::poll, posix::Waiting::adaptive);
    auto mount = mount_of(options);
    CHECK(value_of(ask_attributes(*mount, "/file")).size == 4);
    CHECK(mount->sessions() == 2);
    CHECK(server.told.ended == Errc::unique_mismatch);
    succeeds(make_directory(*mount, "/dir"));
}
