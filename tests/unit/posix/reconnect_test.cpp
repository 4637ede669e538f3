// SPDX-License-Identifier: BSD-2-Clause
// A ReconnectingMount outlives its servers: what goes on, what is lost and says so, and what is not done twice.
#include "support/crash_writers.hpp"
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"
#include "unit/posix/stubborn_device.hpp"

#include "vfsproto/posix/reconnecting_mount.hpp"

#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::ReconnectingFile;
using posix::ReconnectingMount;
using posix::Reconnection;
using posix::ReconnectOptions;
using test::ask_attributes;
using test::bytes_of;
using test::fail_each;
using test::fail_first;
using test::find_lost;
using test::get;
using test::kFirstOfCaller;
using test::kToOpen;
using test::make_directory;
using test::mount_of;
using test::put;
using test::RestartedServer;
using test::succeeds;
using test::text_of;
using test::value_of;
using test::Watchdog;
using test::why_unread;
using wire::Opcode;

TEST_CASE("a mount goes on with another server, and its open files with it", "[reconnect]") {
    const Watchdog watchdog("another server");
    RestartedServer server;
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kOCreat | kOExcl | kORdwr));
    put(*mount, file, "first", 0);
    server.end();
    put(*mount, file, "second", 5);
    CHECK(get(*mount, file) == "firstsecond");
    CHECK(mount->sessions() == 2);
    CHECK(server.told.session == 2);
    CHECK(server.told.ended == Errc::device_gone);
    CHECK(server.told.reopened == 1);
    CHECK(server.told.lost.empty());
    CHECK_FALSE(file.lost().happened());
    succeeds(mount->fsync(file));
    succeeds(mount->close(file));
    succeeds(make_directory(*mount, "/dir"));
    CHECK(server.content("file") == "firstsecond");
}

TEST_CASE("the next server may be another one than the last, with other features", "[reconnect]") {
    const Watchdog watchdog("other features");
    RestartedServer server;
    server.put("file", "text");
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdwr));
    const auto kind_of_ring = [](Mount& on) -> posix::Expected<posix::RingKind> {
        return on.channel().rings()->request_ring().kind();
    };
    CHECK(value_of(mount->call(Opcode::getattr, kind_of_ring)) == posix::RingKind::split);
    server.device.offered.add(Feature::ring_packed);
    server.device.queue_size = 16;
    server.device.service = backends::LoopbackService::threads;
    server.end();
    put(*mount, file, "s", 4);
    CHECK(value_of(mount->call(Opcode::getattr, kind_of_ring)) == posix::RingKind::packed);
    CHECK(get(*mount, file) == "texts");
}

TEST_CASE("a file that was emptied when it was opened is not emptied again", "[reconnect]") {
    const Watchdog watchdog("O_TRUNC");
    RestartedServer server;
    server.put("file", "old");
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kOTrunc | kORdwr));
    put(*mount, file, "new", 0);
    server.end();
    CHECK(get(*mount, file) == "new");
}

TEST_CASE("a server may die at any request: each call that may be repeated succeeds", "[reconnect]") {
    const Watchdog watchdog("dying at each request");
    constexpr std::uint64_t kMost = 100; // more than the script sends
    std::uint64_t at = kFirstOfCaller;
    for (;; ++at) {
        CAPTURE(at);
        REQUIRE(at < kMost);
        RestartedServer server;
        fail_first(server, FaultKind::die, at);
        auto mount = mount_of(server);
        {
            const ReconnectingFile file = value_of(mount->open_file("/file", kOCreat | kORdwr));
            put(*mount, file, "first", 0);
            put(*mount, file, "second", 5);
            CHECK(get(*mount, file) == "firstsecond");
            CHECK(value_of(ask_attributes(*mount, "/file")).size == 11);
            succeeds(mount->fsync(file));
            succeeds(mount->close(file));
        }
        const Failure made = make_directory(*mount, "/dir");
        CHECK((!made.happened() || made.errc == Errc::reply_lost));
        CHECK(std::filesystem::exists(server.on_host("dir")) == !made.happened());
        CHECK(ask_attributes(*mount, "/"));
        CHECK(server.content("file") == "firstsecond");
        if (mount->sessions() == 1) break;
    }
    CHECK(at > kFirstOfCaller + 5);
}

TEST_CASE("a request that was done, but not answered, is not sent twice", "[reconnect]") {
    const Watchdog watchdog("done and not answered");
    RestartedServer server;
    Failure why;
    SECTION("MKDIR") {
        fail_first(server, FaultKind::drop, kFirstOfCaller);
        auto mount = mount_of(server);
        std::thread caller([&] { why = make_directory(*mount, "/dir"); });
        test::until([&] { return std::filesystem::exists(server.on_host("dir")); });
        server.end();
        caller.join();
        CHECK(make_directory(*mount, "/dir").error == test::Errno::eexist);
    }
    SECTION("WRITE that appends") {
        server.put("log", "");
        fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen);
        auto mount = mount_of(server);
        const ReconnectingFile file = value_of(mount->open_file("/log", kOWronly | kOAppend));
        std::thread caller([&] { why = mount->write(file, bytes_of("line"), 0).failure(); });
        test::until([&] { return std::filesystem::file_size(server.on_host("log")) != 0; });
        server.end();
        caller.join();
        put(*mount, file, "next", 4);
        CHECK(server.content("log") == "linenext");
    }
    CHECK(why.errc == Errc::reply_lost);
    CHECK_FALSE(why.is_fatal());
}

TEST_CASE("a WRITE that was done, but not answered, is sent again where that changes nothing", "[reconnect]") {
    const Watchdog watchdog("written twice");
    RestartedServer server;
    server.put("file", "");
    fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen);
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdwr));
    posix::Expected<std::uint64_t> written;
    std::thread caller([&] { written = mount->write(file, bytes_of("text"), 0); });
    test::until([&] { return std::filesystem::file_size(server.on_host("file")) != 0; });
    server.end();
    caller.join();
    CHECK(value_of(written) == 4);
    CHECK(server.content("file") == "text");
    CHECK(mount->sessions() == 2);
}

TEST_CASE("open files that are not found again are lost, each for its own reason", "[reconnect]") {
    const Watchdog watchdog("lost files");
    RestartedServer server;
    for (const char* name : {"removed", "replaced", "locked", "kept"}) server.put(name, name);
    server.put("other", "other");
    auto mount = mount_of(server);
    const ReconnectingFile removed = value_of(mount->open_file("/removed", kORdwr));
    const ReconnectingFile replaced = value_of(mount->open_file("/replaced", kORdwr));
    const ReconnectingFile locked = value_of(mount->open_file("/locked", kORdwr));
    const ReconnectingFile kept = value_of(mount->open_file("/kept", kORdwr));
    succeeds(mount->call(locked, Opcode::setlk,
                         [](Mount& on, const File& file) { return on.flock(file, posix::LockType::exclusive); }));
    std::filesystem::remove(server.on_host("removed"));
    std::filesystem::rename(server.on_host("other"), server.on_host("replaced"));
    server.end();
    CHECK(get(*mount, kept) == "kept");
    CHECK(server.told.reopened == 1);
    CHECK(server.told.lost.size() == 3);
    for (const char* path : {"/removed", "/replaced", "/locked"}) REQUIRE(find_lost(server.told, path) != nullptr);
    CHECK(find_lost(server.told, "/removed")->errc == Errc::file_lost);
    CHECK(find_lost(server.told, "/removed")->error == test::Errno::enoent);
    CHECK(find_lost(server.told, "/replaced")->error == test::Errno::estale);
    CHECK(why_unread(*mount, removed).errc == Errc::file_lost);
    CHECK(why_unread(*mount, replaced).as_errno() == test::Errno::estale);
    CHECK(why_unread(*mount, locked).errc == Errc::locks_lost);
    CHECK(mount->close(locked).errc == Errc::locks_lost);
    CHECK(mount->write(replaced, bytes_of("x"), 0).failure().errc == Errc::file_lost);
    CHECK(server.content("replaced") == "other");
    // They are told of once.
    server.end();
    CHECK(get(*mount, kept) == "kept");
    CHECK(server.told.session == 3);
    CHECK(server.told.lost.empty());
    // The name of the lost file can be opened anew.
    CHECK(get(*mount, value_of(mount->open_file("/locked", kORdwr))) == "locked");
}

TEST_CASE("an open file that was renamed is found at its new place", "[reconnect]") {
    const Watchdog watchdog("renamed files");
    RestartedServer server;
    auto mount = mount_of(server);
    succeeds(make_directory(*mount, "/dir"));
    server.put("dir/file", "first");
    server.put("other", "second");
    const ReconnectingFile file = value_of(mount->open_file("dir//./file", kORdonly));
    const ReconnectingFile other = value_of(mount->open_file("/other", kORdonly));
    SECTION("itself") { succeeds(mount->rename("/dir/file", "/new")); }
    SECTION("with its directory") { succeeds(mount->rename("dir", "/elsewhere")); }
    SECTION("in exchange for another") { succeeds(mount->rename("/dir/file", "/other", kRenameExchange)); }
    SECTION("not, because it could not be") {
        CHECK(mount->rename("/dir/file", "/absent/file").error == test::Errno::enoent);
    }
    server.end();
    CHECK(get(*mount, file) == "first");
    CHECK(get(*mount, other) == "second");
    CHECK(server.told.reopened == 2);
}

TEST_CASE("a mount that is revived restores its open files before anybody calls", "[reconnect]") {
    const Watchdog watchdog("revived");
    RestartedServer server;
    server.put("file", "text");
    server.put("removed", "text");
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdonly));
    const ReconnectingFile removed = value_of(mount->open_file("/removed", kORdonly));
    succeeds(mount->revive());
    CHECK(mount->sessions() == 1);
    std::filesystem::remove(server.on_host("removed"));
    server.is_away = true;
    server.end();
    CHECK(mount->revive().errc == Errc::device_gone);
    server.is_away = false;
    succeeds(mount->revive());
    CHECK(mount->sessions() == 2);
    CHECK(server.told.reopened == 1);
    REQUIRE(find_lost(server.told, "/removed") != nullptr);
    CHECK(removed.lost().errc == Errc::file_lost);
    CHECK(get(*mount, file) == "text");
}

TEST_CASE("a mount does not go on with another share", "[reconnect]") {
    const Watchdog watchdog("another share");
    RestartedServer server;
    const test::ScratchDirectory other;
    auto mount = mount_of(server);
    CHECK(ask_attributes(*mount, "/"));
    server.serve(other.path());
    server.end();
    const Failure why = ask_attributes(*mount, "/").failure();
    CHECK(why.errc == Errc::file_lost);
    CHECK(why.as_errno() == test::Errno::estale);
    server.serve(server.directory.path());
    CHECK(ask_attributes(*mount, "/"));
}

TEST_CASE("while there is no server, calls fail, and each tries anew", "[reconnect]") {
    const Watchdog watchdog("no server");
    RestartedServer server;
    server.put("file", "text");
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdonly));
    server.is_away = true;
    server.end();
    CHECK(ask_attributes(*mount, "/").failure().errc == Errc::device_gone);
    CHECK(why_unread(*mount, file).errc == Errc::device_gone);
    CHECK(make_directory(*mount, "/dir").errc == Errc::device_gone); // it was not sent: nothing is undecided
    CHECK(server.starts.load() == 1 + 3 * server.mount_options().attempts);
    server.is_away = false;
    CHECK(get(*mount, file) == "text");
    succeeds(make_directory(*mount, "/dir"));
    CHECK(ReconnectingMount::open({}).failure().errc == Errc::bad_argument);
}

TEST_CASE("a request that ends every server is not sent for ever", "[reconnect]") {
    const Watchdog watchdog("a deadly request");
    RestartedServer server;
    fail_each(server, FaultKind::die, kFirstOfCaller);
    auto mount = mount_of(server);
    CHECK(ask_attributes(*mount, "/file").failure().errc == Errc::reply_lost);
    CHECK(server.starts.load() == 1 + server.mount_options().repeats);
    server.plan_of = {};
    CHECK(ask_attributes(*mount, "/file").failure().error == test::Errno::enoent);
}

TEST_CASE("a server that may still act is not replaced", "[reconnect]") {
    const Watchdog watchdog("no stop");
    backends::Memfs fs;
    test::StubbornDevice* stubborn = nullptr;
    unsigned starts = 0;
    ReconnectOptions options;
    options.open_device = [&]() -> std::unique_ptr<backends::Attachment> {
        ++starts;
        FaultPlan plan;
        plan.faults = {{FaultKind::reply_unique, kFirstOfCaller}};
        auto device = std::make_unique<test::StubbornDevice>(backends::make_faulty_loopback(fs, plan));
        stubborn = device.get();
        return device;
    };
    auto mount = value_of(ReconnectingMount::open(options));
    stubborn->let_stop(Errc::reset_timeout);
    CHECK(ask_attributes(*mount, "/file").failure().errc == Errc::unique_mismatch);
    CHECK(ask_attributes(*mount, "/file").failure().errc == Errc::unique_mismatch);
    CHECK(starts == 1);
}

TEST_CASE("eight threads write on while the server ends again and again", "[reconnect]") {
    const Watchdog watchdog("eight threads");
    backends::LoopbackOptions device;
    device.service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    constexpr unsigned kEnds = 20;
    constexpr std::uint64_t kCallsBetween = 200; // more than can end without a server
    RestartedServer server(device);
    posix::ReconnectOptions options = server.mount_options();
    options.attempts = kEnds + 1; // the server may end as often while one thread gets no turn
    options.repeats = kEnds + 1;
    auto mount = mount_of(options);
    test::CrashWriters writers(*mount);
    for (unsigned i = 0; i < kEnds; ++i) {
        const std::uint64_t before = writers.calls();
        test::until([&] { return writers.calls() >= before + kCallsBetween; });
        server.end();
    }
    writers.check();
    CHECK(mount->sessions() >= kEnds);
    CHECK(server.lost == 0);
}
