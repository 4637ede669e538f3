// SPDX-License-Identifier: BSD-2-Clause
// A ReconnectingMount is suspended and resumed: what it waits for, what it leaves to the server, what stands in its way, and what goes
// on afterwards.
#include "support/crash_writers.hpp"
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"
#include "unit/posix/stubborn_device.hpp"

#include "vfsproto/posix/lock.hpp"
#include "vfsproto/posix/reconnecting_mount.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using backends::LoopbackService;
using backends::loopback::FaultKind;
using posix::Failure;
using posix::File;
using posix::Losses;
using posix::Mount;
using posix::ReconnectingFile;
using posix::ReconnectingMount;
using posix::Reconnection;
using posix::ReconnectOptions;
using posix::Suspension;
using posix::WhileSuspended;
using test::RestartedServer;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

// A share in memory, which outlives the devices that it is reached by.
class SharedMemfs {
public:
    explicit SharedMemfs(LoopbackService service = LoopbackService::inline_in_doorbell) : fs(counting(*this)) {
        device.service = service;
    }

    [[nodiscard]] ReconnectOptions mount_options() {
        ReconnectOptions options;
        options.open_device = [this] { return backends::make_loopback(fs, device); };
        options.on_reconnect = [this](const Reconnection& reconnection) { told = reconnection; };
        options.attempts = 2;
        options.pause = std::chrono::milliseconds(0);
        return options;
    }

    std::atomic<unsigned> fsyncs{0};
    std::atomic<unsigned> fsyncs_to_fail{0}; // of those to come
    backends::LoopbackOptions device;
    backends::Memfs fs;
    Reconnection told{};

private:
    static backends::MemfsOptions counting(SharedMemfs& share) {
        backends::MemfsOptions options;
        options.faults = [&share](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode != Opcode::fsync) return fault;
            ++share.fsyncs;
            if (share.fsyncs_to_fail == 0) return fault;
            --share.fsyncs_to_fail;
            fault.error = abi::Errno::eio;
            return fault;
        };
        return options;
    }
};

Failure lock_whole(ReconnectingMount& mount, const ReconnectingFile& file) {
    return mount.call(file, Opcode::setlk,
                      [](Mount& on, const File& open) { return on.flock(open, posix::LockType::exclusive); });
}

// Returns the reason why this file stands in the way; none if it does not.
Failure why_in_the_way(const Suspension& told, std::string_view path) {
    for (const Reconnection::LostFile& file : told.in_the_way) {
        if (file.path == path) return file.why;
    }
    return {};
}

} // namespace

TEST_CASE("a mount that is suspended leaves nothing at the server, and goes on with its open files", "[suspend]") {
    const Watchdog watchdog("suspended");
    SharedMemfs share(GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads));
    const auto mount = test::mount_of(share.mount_options());
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdwr));
    test::put(*mount, file, "first", 0);
    for (std::uint32_t session = 2; session <= 4; ++session) {
        succeeds(mount->suspend().why);
        CHECK(share.fs.open_handles() == 0);
        CHECK(share.fs.lookups() == 0);
        CHECK_FALSE(file.lost().happened());
        succeeds(mount->resume());
        CHECK(share.told.session == session);
        CHECK(share.told.ended == Errc::suspended);
        CHECK(share.told.reopened == 1);
        CHECK(share.told.lost.empty());
        CHECK(mount->sessions() == session);
        CHECK(test::get(*mount, file) == "first");
    }
    test::put(*mount, file, "second", 5);
    CHECK(test::get(*mount, file) == "firstsecond");
    succeeds(mount->close(file));
    CHECK(share.fs.misuse().stale_nodes == 0);
    CHECK(share.fs.misuse().bad_handles == 0);
    CHECK(share.fs.misuse().over_forgets == 0);
}

TEST_CASE("the device may be another one after a mount was suspended", "[suspend]") {
    const Watchdog watchdog("another device");
    RestartedServer server;
    server.put("file", "text");
    const auto mount = test::mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kORdwr));
    succeeds(mount->suspend().why);
    server.device.offered.add(Feature::ring_packed);
    server.device.queue_size = 16;
    server.device.service = LoopbackService::threads;
    succeeds(mount->resume());
    test::put(*mount, file, "s", 4);
    CHECK(test::get(*mount, file) == "texts");
    const auto kind = mount->call(Opcode::getattr, [](Mount& on) -> posix::Expected<posix::RingKind> {
        return on.channel().rings()->request_ring().kind();
    });
    CHECK(value_of(kind) == posix::RingKind::packed);
}

TEST_CASE("what was written is synced before a mount is suspended, and nothing else is", "[suspend]") {
    const Watchdog watchdog("synced");
    SharedMemfs share;
    const auto mount = test::mount_of(share.mount_options());
    const ReconnectingFile written = value_of(mount->open_file("/written", abi::kOCreat | abi::kORdwr));
    const ReconnectingFile synced = value_of(mount->open_file("/synced", abi::kOCreat | abi::kORdwr));
    const ReconnectingFile read = value_of(mount->open_file("/read", abi::kOCreat | abi::kORdwr));
    test::put(*mount, synced, "text", 0);
    succeeds(mount->fsync(synced));
    CHECK(test::get(*mount, read) == "");
    succeeds(mount->suspend().why);
    CHECK(share.fsyncs == 1); // that of the test
    succeeds(mount->resume());
    test::put(*mount, written, "text", 0);
    succeeds(mount->suspend().why);
    CHECK(share.fsyncs == 2);
    succeeds(mount->resume());
    succeeds(mount->suspend().why);
    CHECK(share.fsyncs == 2);
    succeeds(mount->resume());
    const ReconnectingFile emptied = value_of(mount->open_file("/written", abi::kOTrunc | abi::kORdwr));
    succeeds(mount->suspend().why);
    CHECK(share.fsyncs == 3);
}

// A server says once that what was written could not be stored.
TEST_CASE("a file that cannot be synced stands in the way, and its user is told as well, once", "[suspend]") {
    const Watchdog watchdog("not synced");
    SharedMemfs share;
    const auto mount = test::mount_of(share.mount_options());
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdwr));
    test::put(*mount, file, "text", 0);
    share.fsyncs_to_fail = 1;
    const Suspension told = mount->suspend();
    CHECK(told.why.error == abi::Errno::eio);
    REQUIRE(told.in_the_way.size() == 1);
    CHECK(why_in_the_way(told, "/file").error == abi::Errno::eio);
    CHECK(mount->sessions() == 1);
    CHECK(test::get(*mount, file) == "text"); // it goes on
    const bool closes = GENERATE(false, true);
    CHECK((closes ? mount->close(file) : mount->fsync(file)).error == abi::Errno::eio);
    succeeds(mount->fsync(file));
    succeeds(mount->suspend().why);
}

TEST_CASE("what a server keeps in memory of its own is synced, whoever wrote it", "[suspend]") {
    const Watchdog watchdog("written by others");
    SharedMemfs share;
    ReconnectOptions options = share.mount_options();
    options.written = posix::WrittenData::ends_with_server;
    const auto mount = test::mount_of(options);
    const ReconnectingFile reader = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdonly));
    {
        const ReconnectingFile writer = value_of(mount->open_file("/file", abi::kOWronly));
        test::put(*mount, writer, "text", 0);
    }
    succeeds(mount->suspend().why);
    CHECK(share.fsyncs == 1);
    succeeds(mount->resume());
    CHECK(share.told.writes_lost.empty());
    succeeds(mount->close(reader));
}

TEST_CASE("open files that would be lost stand in the way, unless their loss is accepted", "[suspend]") {
    const Watchdog watchdog("losses");
    RestartedServer server;
    for (const char* name : {"removed", "replaced", "locked", "kept"}) server.put(name, name);
    server.put("other", "other");
    const auto mount = test::mount_of(server);
    const ReconnectingFile removed = value_of(mount->open_file("/removed", abi::kORdwr));
    const ReconnectingFile replaced = value_of(mount->open_file("/replaced", abi::kORdwr));
    const ReconnectingFile locked = value_of(mount->open_file("/locked", abi::kORdwr));
    const ReconnectingFile kept = value_of(mount->open_file("/kept", abi::kORdwr));
    succeeds(lock_whole(*mount, locked));
    std::filesystem::remove(server.on_host("removed"));
    std::filesystem::rename(server.on_host("other"), server.on_host("replaced"));
    const Suspension refused = mount->suspend();
    CHECK(refused.why.happened());
    CHECK(refused.in_the_way.size() == 3);
    CHECK(why_in_the_way(refused, "/removed").errc == Errc::file_lost);
    CHECK(why_in_the_way(refused, "/removed").error == abi::Errno::enoent);
    CHECK(why_in_the_way(refused, "/replaced").error == abi::Errno::estale);
    CHECK(why_in_the_way(refused, "/locked").errc == Errc::locks_lost);
    CHECK(mount->sessions() == 1);
    CHECK(test::get(*mount, removed) == "removed");
    CHECK(test::get(*mount, locked) == "locked");

    posix::SuspendOptions options;
    options.losses = Losses::accepted;
    succeeds(mount->suspend(options).why);
    succeeds(mount->resume());
    CHECK(server.told.reopened == 1);
    CHECK(server.told.lost.size() == 3);
    CHECK(test::get(*mount, kept) == "kept");
    CHECK(test::why_unread(*mount, removed).errc == Errc::file_lost);
    CHECK(test::why_unread(*mount, replaced).errc == Errc::file_lost);
    CHECK(test::why_unread(*mount, locked).errc == Errc::locks_lost);
    succeeds(mount->suspend().why); // what is lost is in nobody's way
}

TEST_CASE("a call that comes while a mount is suspended fails, if it is not to wait", "[suspend]") {
    const Watchdog watchdog("no wait");
    SharedMemfs share;
    ReconnectOptions options = share.mount_options();
    options.while_suspended = WhileSuspended::fail;
    const auto mount = test::mount_of(options);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdwr));
    succeeds(mount->suspend().why);
    CHECK(test::make_directory(*mount, "/dir").errc == Errc::suspended);
    CHECK(mount->write(file, test::bytes_of("text"), 0).failure().errc == Errc::suspended);
    const Failure why = mount->open_file("/file", abi::kORdwr).failure();
    CHECK(why.as_errno() == abi::Errno::eagain);
    CHECK_FALSE(why.is_fatal());
    succeeds(mount->resume());
    succeeds(test::make_directory(*mount, "/dir"));
    test::put(*mount, file, "text", 0);
}

TEST_CASE("a call that comes while a mount is suspended waits for it to be resumed", "[suspend]") {
    const Watchdog watchdog("a wait");
    RestartedServer server;
    const auto mount = test::mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdwr));
    succeeds(mount->suspend().why);
    std::atomic<bool> is_done{false};
    posix::Expected<std::uint64_t> written;
    Failure renamed;
    std::thread caller([&] {
        written = mount->write(file, test::bytes_of("text"), 0);
        is_done = true;
    });
    std::thread renamer([&] { renamed = mount->rename("/file", "/new"); });
    CHECK_FALSE(is_done);
    CHECK(server.starts == 1);
    succeeds(mount->resume());
    caller.join();
    renamer.join();
    CHECK(value_of(written) == 4);
    succeeds(renamed);
    CHECK(server.content("new") == "text");
}

TEST_CASE("a call that waits for a mount to be resumed ends at its limits", "[suspend][limits]") {
    const Watchdog watchdog("limits");
    SharedMemfs share;
    posix::StopSource stop;
    ReconnectOptions options = share.mount_options();
    const bool stops = GENERATE(false, true);
    if (stops) options.limits.stop = &stop;
    if (!stops) options.limits.time = std::chrono::milliseconds(1);
    const auto mount = test::mount_of(options);
    succeeds(mount->suspend().why);
    Failure why;
    std::thread caller([&] { why = test::make_directory(*mount, "/dir"); });
    if (stops) stop.stop();
    caller.join();
    CHECK(why.errc == (stops ? Errc::abandoned : Errc::timed_out));
    stop.reset();
    succeeds(mount->resume());
    succeeds(test::make_directory(*mount, "/dir"));
}

TEST_CASE("a mount is suspended once, not by a call of its own, and resumed once", "[suspend]") {
    const Watchdog watchdog("wrong states");
    SharedMemfs share;
    const auto mount = test::mount_of(share.mount_options());
    CHECK(mount->resume().errc == Errc::wrong_state);
    succeeds(mount->call(Opcode::getattr, [&](Mount&) -> Failure {
        CHECK(mount->suspend().why.errc == Errc::wrong_state);
        return {};
    }));
    succeeds(mount->suspend().why);
    CHECK(mount->suspend().why.errc == Errc::wrong_state);
    succeeds(mount->resume());
    CHECK(mount->resume().errc == Errc::wrong_state);
    succeeds(test::make_directory(*mount, "/dir"));
}

TEST_CASE("a call may make others of its mount while that is about to be suspended", "[suspend]") {
    const Watchdog watchdog("calls within a call");
    SharedMemfs share(LoopbackService::threads);
    const auto mount = test::mount_of(share.mount_options());
    std::atomic<bool> is_within{false};
    std::atomic<bool> is_asked{false};
    Failure made;
    Failure suspended;
    std::thread caller([&] {
        made = mount->call(Opcode::getattr, [&](Mount&) -> Failure {
            is_within = true;
            test::until([&] { return is_asked.load(); });
            return test::make_directory(*mount, "/dir");
        });
    });
    test::until([&] { return is_within.load(); });
    std::thread suspender([&] {
        is_asked = true;
        suspended = mount->suspend().why;
    });
    caller.join();
    suspender.join();
    succeeds(made);
    succeeds(suspended);
    succeeds(mount->resume());
    CHECK(test::ask_attributes(*mount, "/dir"));
}

TEST_CASE("a call within a call of its mount passes, also with one of another mount between them", "[suspend]") {
    const Watchdog watchdog("calls of two mounts");
    SharedMemfs share;
    SharedMemfs other_share;
    const auto mount = test::mount_of(share.mount_options());
    const auto other = test::mount_of(other_share.mount_options());
    succeeds(mount->call(Opcode::getattr, [&](Mount&) -> Failure {
        return other->call(Opcode::getattr, [&](Mount&) -> Failure {
            // Else it would wait for its own call, as would each call of that mount within this one.
            CHECK(mount->suspend().why.errc == Errc::wrong_state);
            return test::make_directory(*mount, "/dir");
        });
    }));
    succeeds(mount->suspend().why);
    succeeds(other->suspend().why);
    succeeds(mount->resume());
    CHECK(test::ask_attributes(*mount, "/dir"));
}

TEST_CASE("a mount is not suspended while a call is under way for longer than it may take", "[suspend][limits]") {
    const Watchdog watchdog("a call that is not answered");
    RestartedServer server;
    server.put("file", "text");
    test::fail_first(server, FaultKind::drop, test::kFirstOfCaller + test::kToOpen);
    const auto mount = test::mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kORdonly));
    std::atomic<bool> is_asked{false};
    posix::Expected<std::uint64_t> taken;
    std::thread reader([&] {
        taken = mount->call(file, Opcode::read, [&](Mount& on, const File& open) {
            is_asked = true;
            std::byte bytes[8];
            return on.read(open, bytes, 0);
        });
    });
    test::until([&] { return is_asked.load(); });
    posix::SuspendOptions options;
    options.limits.time = std::chrono::milliseconds(1);
    CHECK(mount->suspend(options).why.errc == Errc::timed_out);
    server.end();
    reader.join();
    CHECK(value_of(taken) == 4);
    CHECK(test::ask_attributes(*mount, "/"));
    succeeds(mount->suspend().why);
}

TEST_CASE("a mount stays suspended while there is no device", "[suspend]") {
    const Watchdog watchdog("no device");
    RestartedServer server;
    server.put("file", "text");
    ReconnectOptions options = server.mount_options();
    options.while_suspended = WhileSuspended::fail;
    const auto mount = test::mount_of(options);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kORdonly));
    succeeds(mount->suspend().why);
    server.is_away = true;
    CHECK(mount->resume().errc == Errc::device_gone);
    CHECK(test::why_unread(*mount, file).errc == Errc::suspended);
    CHECK(server.starts == 1 + options.attempts);
    server.is_away = false;
    succeeds(mount->resume());
    CHECK(test::get(*mount, file) == "text");
}

TEST_CASE("a mount whose server has ended is suspended all the same", "[suspend]") {
    const Watchdog watchdog("a dead server");
    RestartedServer server;
    server.put("file", "old");
    const auto mount = test::mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kORdwr));
    test::put(*mount, file, "new", 0);
    server.end();
    succeeds(mount->suspend().why); // it connects anew, to sync what was written
    CHECK(server.starts == 2);
    succeeds(mount->resume());
    CHECK(test::get(*mount, file) == "new");
    CHECK(mount->sessions() == 3);
}

TEST_CASE("a device that will not stop is not followed by another one", "[suspend]") {
    const Watchdog watchdog("no stop");
    backends::Memfs fs;
    test::StubbornDevice* stubborn = nullptr;
    unsigned starts = 0;
    ReconnectOptions options;
    options.open_device = [&]() -> std::unique_ptr<backends::Attachment> {
        ++starts;
        auto device = std::make_unique<test::StubbornDevice>(backends::make_loopback(fs));
        stubborn = device.get();
        return device;
    };
    const auto mount = test::mount_of(options);
    const ReconnectingFile file = value_of(mount->open_file("/file", abi::kOCreat | abi::kORdwr));
    stubborn->let_stop(Errc::reset_timeout);
    CHECK(mount->suspend().why.errc == Errc::reset_timeout);
    CHECK(test::ask_attributes(*mount, "/").failure().errc == Errc::reset_timeout);
    CHECK(test::why_unread(*mount, file).errc == Errc::reset_timeout);
    CHECK(mount->resume().errc == Errc::wrong_state);
    CHECK(starts == 1);
}

TEST_CASE("eight threads write on while their mount is suspended again and again", "[suspend]") {
    const Watchdog watchdog("eight threads");
    constexpr unsigned kSuspensions = 10;
    constexpr std::uint64_t kCallsBetween = 100;
    const auto service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const bool is_in_memory = GENERATE(false, true);
    backends::LoopbackOptions device;
    device.service = service;
    RestartedServer directory(device);
    SharedMemfs memory(service);
    const auto mount = test::mount_of(is_in_memory ? memory.mount_options() : directory.mount_options());
    test::CrashWriters writers(*mount);
    for (unsigned i = 0; i < kSuspensions; ++i) {
        const std::uint64_t before = writers.calls();
        test::until([&] { return writers.calls() >= before + kCallsBetween; });
        succeeds(mount->suspend().why);
        if (is_in_memory) CHECK(memory.fs.open_handles() == 0);
        succeeds(mount->resume());
    }
    writers.check();
    CHECK(mount->sessions() == 1 + kSuspensions);
    CHECK(directory.lost == 0);
    CHECK(memory.told.lost.empty());
}
