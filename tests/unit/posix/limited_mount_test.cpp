// SPDX-License-Identifier: BSD-2-Clause
// Every call of a mount under limits: what its caller hears when the server does not answer, and what becomes of the late
// answer. The server does what it is asked at once, and keeps the answer until it is told to let it go.
#include "unit/posix/holding_server.hpp"

#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using namespace std::chrono_literals;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::MountLimits;
using posix::StopSource;
using test::bytes_of;
using test::Errno;
using test::failure_of;
using test::kLong;
using test::kShort;
using test::made_in_time;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;
using Server = test::HoldingServer;

namespace {

struct Kind {
    const char* name;
    Opcode opcode;
    std::function<Failure(Mount&)> call;
};

// Returns a call of an open file, which is opened without limits.
const auto kOnFile = [](const auto& call) {
    return [call](Mount& limited) {
        const auto unlimited = limited.limited_by({});
        const File file = value_of(unlimited->open_file("/dir/file", kORdwr));
        return call(limited, file);
    };
};

std::array<std::byte, 64> read_room{};

const Kind kKinds[] = {
    {"lookup", Opcode::lookup, [](Mount& mount) { return failure_of(mount.stat("/dir/file")); }},
    {"stat", Opcode::getattr, [](Mount& mount) { return failure_of(mount.stat("/")); }},
    {"statx", Opcode::statx, [](Mount& mount) { return failure_of(mount.statx("/dir/file")); }},
    {"access", Opcode::access, [](Mount& mount) { return mount.access("/dir/file", 4); }},
    {"open", Opcode::open, [](Mount& mount) { return failure_of(mount.open_file("/dir/file", kORdonly)); }},
    {"create", Opcode::create,
     [](Mount& mount) { return failure_of(mount.open_file("/dir/new", kOCreat | kOWronly)); }},
    {"tmpfile", Opcode::tmpfile, [](Mount& mount) { return failure_of(mount.open_temporary("/dir", kOWronly)); }},
    {"opendir", Opcode::opendir, [](Mount& mount) { return failure_of(mount.list("/dir")); }},
    {"readdirplus", Opcode::readdirplus, [](Mount& mount) { return failure_of(mount.list("/dir")); }},
    {"readdir", Opcode::readdir,
     [](Mount& mount) { return failure_of(mount.list("/dir", client::DirectoryFormat::dirents)); }},
    {"mkdir", Opcode::mkdir, [](Mount& mount) { return mount.mkdir("/dir/sub"); }},
    {"mknod", Opcode::mknod, [](Mount& mount) { return mount.mknod("/dir/fifo", kSIfifo | 0600, 0); }},
    {"symlink", Opcode::symlink, [](Mount& mount) { return mount.symlink("file", "/dir/symlink"); }},
    {"link", Opcode::link, [](Mount& mount) { return mount.link("/dir/file", "/dir/link"); }},
    {"unlink", Opcode::unlink, [](Mount& mount) { return mount.unlink("/dir/file"); }},
    {"rename", Opcode::rename, [](Mount& mount) { return mount.rename("/dir/file", "/dir/renamed"); }},
    {"chmod", Opcode::setattr, [](Mount& mount) { return mount.chmod("/dir/file", 0600); }},
    {"statfs", Opcode::statfs, [](Mount& mount) { return failure_of(mount.statfs()); }},
    {"sync", Opcode::syncfs, [](Mount& mount) { return mount.sync(); }},
    {"getxattr", Opcode::getxattr, [](Mount& mount) { return failure_of(mount.get_xattr("/dir/file", "user.name")); }},
    {"setxattr", Opcode::setxattr, [](Mount& mount) { return mount.set_xattr("/dir/file", "user.b", bytes_of("b")); }},
    {"listxattr", Opcode::listxattr, [](Mount& mount) { return failure_of(mount.list_xattrs("/dir/file")); }},
    {"removexattr", Opcode::removexattr, [](Mount& mount) { return mount.remove_xattr("/dir/file", "user.name"); }},
    {"read", Opcode::read,
     kOnFile([](Mount& mount, const File& file) { return failure_of(mount.read(file, read_room, 0)); })},
    {"write", Opcode::write,
     kOnFile([](Mount& mount, const File& file) { return failure_of(mount.write(file, bytes_of("bytes"), 0)); })},
    {"fsync", Opcode::fsync, kOnFile([](Mount& mount, const File& file) { return mount.fsync(file); })},
    {"flush", Opcode::flush, kOnFile([](Mount& mount, const File& file) { return mount.flush(file); })},
    {"file stat", Opcode::getattr,
     kOnFile([](Mount& mount, const File& file) { return failure_of(mount.stat(file)); })},
    {"truncate", Opcode::setattr, kOnFile([](Mount& mount, const File& file) { return mount.truncate(file, 1); })},
    {"fallocate", Opcode::fallocate,
     kOnFile([](Mount& mount, const File& file) { return mount.fallocate(file, 0, 0, 100); })},
    {"seek", Opcode::lseek,
     kOnFile([](Mount& mount, const File& file) { return failure_of(mount.seek(file, 0, kSeekData)); })},
    {"copy range", Opcode::copy_file_range_64,
     kOnFile([](Mount& mount, const File& file) { return failure_of(mount.copy_range(file, 0, file, 100, 4)); })},
    {"lock", Opcode::setlk,
     kOnFile([](Mount& mount, const File& file) { return mount.lock(file, {posix::LockType::shared, {}, 0}); })},
};

} // namespace

TEST_CASE("a call that gets no answer ends at its deadline, and its late answer is undone", "[limits]") {
    const Watchdog watchdog("a deadline");
    const Kind& kind = kKinds[GENERATE(range(std::size_t{0}, std::size(kKinds)))];
    const auto interrupts = GENERATE(client::InterruptUse::allowed, client::InterruptUse::never);
    INFO(kind.name);
    Server server({}, {}, interrupts);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(kind.opcode);
    const Failure failure = server.call_until_held([&] { return kind.call(*limited); });
    CHECK(failure.errc == Errc::timed_out);
    CHECK(failure.as_errno() == Errno::etimedout);
    server.await_held(1);
    CHECK(server.asked <= server.calls); // nothing follows a request that was let go of
    while (interrupts == client::InterruptUse::allowed && server.fs.interrupts == 0) std::this_thread::yield();
    server.release();
    server.await_given_back();
    CHECK((server.fs.interrupts != 0) == (interrupts == client::InterruptUse::allowed));
}

TEST_CASE("a stop ends a call that gets no answer, and each late answer is undone", "[limits]") {
    const Watchdog watchdog("a stop");
    const Kind& kind = kKinds[GENERATE(range(std::size_t{0}, std::size(kKinds)))];
    INFO(kind.name);
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop, .grace = 0ms});
    server.hold(kind.opcode);
    Failure failure;
    std::thread caller([&] { failure = kind.call(*limited); });
    server.await_held(1);
    stop.stop();
    caller.join();
    CHECK(failure.errc == Errc::abandoned);
    CHECK(failure.as_errno() == Errno::eintr);
    // A stopped mount asks for nothing, and one that is not stopped any more goes on.
    CHECK(limited->mkdir("/dir/other").errc == Errc::abandoned);
    stop.reset();
    server.release();
    server.await_given_back();
    succeeds(limited->mkdir("/dir/other"));
}

TEST_CASE("a call that is stopped before it begins sends nothing", "[limits]") {
    const Watchdog watchdog("a stop before");
    const Kind& kind = kKinds[GENERATE(range(std::size_t{0}, std::size(kKinds)))];
    INFO(kind.name);
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop});
    stop.stop();
    server.hold(kind.opcode);
    CHECK(kind.call(*limited).errc == Errc::abandoned);
    CHECK(server.asked == 0);
}

TEST_CASE("an answer that comes in the time of grace counts, and nothing follows it", "[limits]") {
    const Watchdog watchdog("a stop with grace");
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop, .grace = kLong});
    SECTION("the last request of a call") {
        server.hold(Opcode::mkdir);
        Failure failure;
        std::thread caller([&] { failure = limited->mkdir("/dir/sub"); });
        server.await_held(1);
        stop.stop();
        while (server.fs.interrupts == 0) std::this_thread::yield();
        server.release();
        caller.join();
        succeeds(failure);
    }
    SECTION("one in the middle") {
        std::atomic<int> renames{0};
        server.fs.set_faults([&](const backends::MemfsQuestion& question) {
            if (question.opcode == Opcode::lookup && question.name == std::string_view("other")) stop.stop();
            if (question.opcode == Opcode::rename) ++renames;
            return backends::MemfsFault();
        });
        CHECK(limited->rename("/dir/file", "/dir/other").errc == Errc::abandoned);
        CHECK(renames == 0);
    }
    stop.reset();
    succeeds(server.mount->access("/dir/file", 0));
}

TEST_CASE("a call with a deadline ends at it while it waits for a slot, and is never sent", "[limits]") {
    const Watchdog watchdog("a line");
    posix::MountOptions options;
    options.channel.slots = 1;
    Server server({}, options);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::statfs);
    const Failure failure = server.call_until_held([&] { return limited->statfs().failure(); });
    CHECK(failure.errc == Errc::timed_out); // it keeps the only slot
    CHECK(limited->mkdir("/dir/sub").errc == Errc::timed_out);
    server.release();
    server.await_given_back();
    CHECK(server.mount->stat("/dir/sub").failure().error == Errno::enoent);
}

TEST_CASE("a file that was opened before its truncation got no answer is released after that", "[limits]") {
    const Watchdog watchdog("a truncation");
    backends::MemfsOptions fs;
    fs.server.flags.remove(wire::InitFlag::atomic_o_trunc);
    Server server(std::move(fs));
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::setattr);
    const Failure failure =
        server.call_until_held([&] { return limited->open_file("/dir/file", kOWronly | kOTrunc).failure(); });
    CHECK(failure.errc == Errc::timed_out);
    server.await_held(1);
    while (server.fs.open_handles() != 1) std::this_thread::yield(); // of opens that took too long as well
    server.release();
    server.await_given_back();
}

TEST_CASE("the end of a file waits for no longer than a call, and what it owes is sent", "[limits]") {
    const Watchdog watchdog("the end of a file");
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop, .time = kShort});
    File file = made_in_time([&] { return limited->open_file("/dir/file", kORdwr); });
    Failure locked;
    do {
        locked = limited->lock(file, {posix::LockType::exclusive, {}, 0});
    } while (locked.errc == Errc::timed_out);
    succeeds(locked);
    const Opcode held = GENERATE(Opcode::flush, Opcode::release, Opcode::statfs);
    server.hold(held);
    if (held == Opcode::statfs) stop.stop(); // nothing may be sent any more, but for what is owed
    file = File();
    server.release();
    File other = value_of(server.mount->open_file("/dir/file", kORdwr));
    while (server.mount->lock(other, {posix::LockType::exclusive, {}, 0}).error == Errno::eagain) {
        std::this_thread::yield();
    }
    other = File();
    server.await_given_back();
}

TEST_CASE("a file that ends with a late answer has no limits any more, whoever had it until then", "[limits]") {
    const Watchdog watchdog("the last of a file");
    std::atomic<int> given_up{0}; // RELEASEs
    posix::MountOptions options;
    options.channel.trace.context = &given_up;
    options.channel.trace.finished = [](void* context, const client::TraceEvent& event) noexcept {
        const bool is_given_up = event.op->opcode == Opcode::release && event.end == client::TraceEnd::abandoned;
        if (is_given_up) ++*static_cast<std::atomic<int>*>(context);
    };
    Server server({}, options);
    const auto limited = server.mount->limited_by({.time = kShort});
    File file = made_in_time([&] { return limited->open_file("/dir/file", kORdonly); });
    posix::Held held = server.mount->nodes().hold();
    held.handles.push_back(file.handle());
    {
        const test::BusyLateWork busy(*server.mount, std::move(held));
        server.hold(Opcode::release);
        file = File(); // not its end yet
    }
    server.await_held(1);
    // When a later call has reached the same limit, the RELEASE would have reached it as well.
    server.hold(Opcode::statfs);
    CHECK(server.call_until_held([&] { return limited->statfs().failure(); }).errc == Errc::timed_out);
    CHECK(given_up == 0);
}

TEST_CASE("a directory of a limited mount is read and closed under its limits", "[limits]") {
    const Watchdog watchdog("a directory");
    Server server;
    const auto limited = server.mount->limited_by({.time = kShort});
    {
        posix::Directory directory = made_in_time([&] { return limited->open_directory("/dir"); });
        server.hold(Opcode::readdirplus);
        CHECK(directory.read().failure().errc == Errc::timed_out);
        server.hold(Opcode::fsyncdir);
        CHECK(limited->sync_directory(directory).errc == Errc::timed_out);
        server.hold(Opcode::releasedir);
    }
    server.release();
    server.await_given_back();
}

TEST_CASE("a directory that is moved before its READDIR is answered is read on", "[limits]") {
    const Watchdog watchdog("a moved directory");
    Server server;
    const auto limited = server.mount->limited_by({.time = kShort});
    posix::Directory directory = made_in_time([&] { return limited->open_directory("/dir"); });
    server.hold(Opcode::readdirplus);
    CHECK(server.call_until_held([&] { return directory.read().failure(); }).errc == Errc::timed_out);
    server.await_held(1);
    posix::Directory moved = std::move(directory);
    server.release();
    const auto entries = made_in_time([&] { return moved.read(); });
    CHECK(std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.name == "file"; }));
}

TEST_CASE("under limits memory that is no Buffer's is never the device's", "[limits]") {
    const Watchdog watchdog("a transfer");
    Server server;
    const auto limited = server.mount->limited_by({.time = kShort});
    constexpr std::size_t kSize = std::size_t{1} << 20; // several requests
    std::vector<std::byte> bytes(kSize);
    const auto content = test::noise(kSize);
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    succeeds(server.mount->write_all(file, content, 0));
    SECTION("what is read late goes nowhere") {
        server.hold(Opcode::read);
        while (server.asked < 2) CHECK(limited->read(file, bytes, 0).failure().errc == Errc::timed_out);
        std::fill(bytes.begin(), bytes.end(), std::byte{7});
        const auto requests = server.mount->stats().requests;
        const auto pieces = static_cast<std::size_t>(server.asked);
        CHECK(pieces > 1);
        server.release();
        while (server.mount->stats().requests < requests + pieces) std::this_thread::yield();
        CHECK(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{7}; }));
    }
    SECTION("what was written was copied, and a file reads as it was written") {
        const auto copies = server.mount->stats().copies;
        std::fill(bytes.begin(), bytes.end(), std::byte{9});
        const auto patient = server.mount->limited_by({.time = kLong});
        succeeds(patient->write_all(file, bytes, 0));
        CHECK(server.mount->stats().copies > copies);
        std::vector<std::byte> back(kSize);
        CHECK(value_of(patient->read_all(file, back, 0)) == kSize);
        CHECK(back == bytes);
    }
}

TEST_CASE("a write of which a part was let go is no success", "[limits]") {
    const Watchdog watchdog("a part of a write");
    Server server;
    const auto limited = server.mount->limited_by({.time = kShort});
    const auto content = test::noise(std::size_t{1} << 20); // several requests
    const File file = value_of(server.mount->open_file("/dir/file", kORdwr));
    std::atomic<int> asked{0};
    server.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        const bool is_later = question.opcode == Opcode::write && ++asked > 1;
        if (is_later) fault.answer = backends::MemfsFault::Answer::held;
        return fault;
    });
    while (asked < 2) CHECK(limited->write(file, content, 0).failure().errc == Errc::timed_out);
}

TEST_CASE("when a late answer came, nothing is believed that was kept before", "[limits]") {
    const Watchdog watchdog("a late answer");
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    Server server({}, options);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::unlink);
    CHECK(server.call_until_held([&] { return limited->unlink("/dir/file"); }).errc == Errc::timed_out);
    succeeds(failure_of(server.mount->stat("/dir")));
    const auto before = server.mount->stats().requests;
    succeeds(failure_of(server.mount->stat("/dir")));
    CHECK(server.mount->stats().requests == before);
    server.release();
    // The answer itself is one request more.
    while (server.mount->stats().requests < before + 2) succeeds(failure_of(server.mount->stat("/dir")));
}

TEST_CASE("what was kept is not believed once a late answer has come, whatever else is still to be done", "[limits]") {
    const Watchdog watchdog("late work");
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    Server server({}, options);
    const auto limited = server.mount->limited_by({.time = kShort});
    server.hold(Opcode::mkdir);
    CHECK(server.call_until_held([&] { return limited->mkdir("/dir/sub"); }).errc == Errc::timed_out);
    server.await_held(1);
    const auto unanswered = [&] {
        const posix::MountStats stats = server.mount->mount_stats();
        return stats.abandoned - stats.late;
    };
    test::until([&] { return unanswered() == 1; }); // those of calls that were let go of before are over
    const test::BusyLateWork busy(*server.mount);
    succeeds(failure_of(server.mount->stat("/dir")));
    const auto before = server.mount->stats().requests;
    succeeds(failure_of(server.mount->stat("/dir")));
    CHECK(server.mount->stats().requests == before);
    server.release();
    test::until([&] { return unanswered() == 0; });
    const auto answered = server.mount->stats().requests;
    succeeds(failure_of(server.mount->stat("/dir")));
    CHECK(server.mount->stats().requests > answered);
}

TEST_CASE("one stop ends the calls of many threads, and nothing is left of them", "[limits]") {
    const Watchdog watchdog("many threads");
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop});
    constexpr std::size_t kThreads = 8;
    std::atomic<std::size_t> stopped{0};
    std::atomic<bool> begun{false};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, name = "/dir/" + std::to_string(i)] {
            for (;;) {
                auto file = limited->open_file(name, kOCreat | kOWronly);
                if (!file) {
                    if (file.failure().errc == Errc::abandoned) ++stopped;
                    return;
                }
                static_cast<void>(limited->write(*file, bytes_of("bytes"), 0));
                static_cast<void>(limited->close(*std::move(file)));
                static_cast<void>(limited->list("/dir"));
                static_cast<void>(limited->unlink(name));
                begun = true;
            }
        });
    }
    while (!begun) std::this_thread::yield();
    stop.stop();
    for (std::thread& thread : threads) thread.join();
    CHECK(stopped == kThreads);
    server.await_given_back();
}

TEST_CASE("a mount that acts for somebody else keeps the limits", "[limits]") {
    Server server;
    StopSource stop;
    const auto limited = server.mount->limited_by({.stop = &stop});
    const auto other = limited->acting_for({{1, 2, 3}, 0, {}});
    stop.stop();
    CHECK(other->stat("/dir").failure().errc == Errc::abandoned);
    CHECK(other->credentials().caller.uid == 1);
    CHECK(limited->limited_by({})->stat("/dir"));
}
