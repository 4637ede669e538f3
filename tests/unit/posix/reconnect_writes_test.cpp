// SPDX-License-Identifier: BSD-2-Clause
// A server that keeps what is written in memory of its own takes it along when it ends: whoever wrote it is told, once.
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"

#include "vfsproto/posix/detail/unsynced_writes.hpp"

#include <memory>
#include <string>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::wire::linux_abi;
using backends::loopback::FaultKind;
using posix::File;
using posix::Mount;
using posix::ReconnectingFile;
using posix::ReconnectingMount;
using posix::ReconnectOptions;
using posix::UnsyncedFiles;
using posix::UnsyncedWrites;
using posix::WrittenData;
using test::fail_first;
using test::get;
using test::kFirstOfCaller;
using test::kToOpen;
using test::mount_of;
using test::put;
using test::RestartedServer;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

// Opens a mount of a server of this kind. The test takes from the host's files what was not synced, as the server's end would.
std::unique_ptr<ReconnectingMount> forgetful_mount(RestartedServer& server) {
    ReconnectOptions options = server.mount_options();
    options.written = WrittenData::ends_with_server;
    return mount_of(options);
}
ReconnectingFile open(ReconnectingMount& mount, std::uint32_t flags = kORdwr) {
    return value_of(mount.open_file("/file", flags));
}

} // namespace

TEST_CASE("what a server lost with its end is told by fsync, once", "[reconnect]") {
    const Watchdog watchdog("lost writes");
    RestartedServer server;
    server.put("file", "old");
    auto mount = forgetful_mount(server);
    const ReconnectingFile file = open(*mount);
    put(*mount, file, "new", 0);
    server.put("file", "old");
    server.end();
    CHECK(mount->fsync(file).errc == Errc::writes_lost);
    CHECK(server.told.writes_lost == std::vector<std::string>{"/file"});
    CHECK(server.told.lost.empty());
    CHECK(get(*mount, file) == "old");
    succeeds(mount->fsync(file));
    // A write that was synced is not lost.
    put(*mount, file, "new", 0);
    succeeds(mount->fsync(file));
    server.end();
    succeeds(mount->fsync(file));
    CHECK(get(*mount, file) == "new");
    CHECK(server.told.writes_lost.empty());
    CHECK(mount->sessions() == 3);
}

TEST_CASE("each open file of a file is told of lost writes, by fsync or close", "[reconnect]") {
    const Watchdog watchdog("lost by others");
    RestartedServer server;
    server.put("file", "old");
    server.put("other", "old");
    auto mount = forgetful_mount(server);
    const ReconnectingFile writer = open(*mount);
    const ReconnectingFile reader = open(*mount, kORdonly);
    const ReconnectingFile other = value_of(mount->open_file("/other", kORdwr));
    put(*mount, writer, "new", 0);
    server.end();
    const ReconnectingFile later = open(*mount);
    CHECK(mount->close(reader).errc == Errc::writes_lost);
    succeeds(mount->close(reader));
    CHECK(mount->fsync(writer).errc == Errc::writes_lost);
    succeeds(mount->fsync(later));
    succeeds(mount->fsync(other));
    CHECK(server.told.writes_lost == std::vector<std::string>{"/file", "/file"});
}

TEST_CASE("an fsync makes the writes of every open file durable", "[reconnect]") {
    const Watchdog watchdog("synced by others");
    RestartedServer server;
    server.put("file", "old");
    auto mount = forgetful_mount(server);
    const ReconnectingFile writer = open(*mount);
    const ReconnectingFile syncer = open(*mount);
    put(*mount, writer, "new", 0);
    succeeds(mount->fsync(syncer));
    server.end();
    succeeds(mount->close(writer));
    CHECK(mount->sessions() == 2); // close() has looked if the server has ended
}

TEST_CASE("whatever changes a file's content or attributes may be lost", "[reconnect]") {
    const Watchdog watchdog("lost changes");
    RestartedServer server;
    server.put("file", "old");
    auto mount = forgetful_mount(server);
    ReconnectingFile file = open(*mount);
    SECTION("truncate()") {
        succeeds(mount->call(file, Opcode::setattr, [](Mount& on, const File& of) { return on.truncate(of, 1); }));
    }
    SECTION("fallocate()") {
        succeeds(
            mount->call(file, Opcode::fallocate, [](Mount& on, const File& of) { return on.fallocate(of, 0, 0, 10); }));
    }
    SECTION("open() with O_TRUNC") { file = open(*mount, kORdwr | kOTrunc); }
    server.end();
    CHECK(mount->fsync(file).errc == Errc::writes_lost);
    succeeds(mount->fsync(file));
}

TEST_CASE("a write that is made once more on the next session is not lost", "[reconnect]") {
    const Watchdog watchdog("written again");
    RestartedServer server;
    server.put("file", "old");
    fail_first(server, FaultKind::die, kFirstOfCaller + kToOpen);
    auto mount = forgetful_mount(server);
    const ReconnectingFile file = open(*mount);
    put(*mount, file, "new", 0);
    CHECK(mount->sessions() == 2);
    succeeds(mount->fsync(file));
    CHECK(server.content("file") == "new");
}

TEST_CASE("where what is written outlives the server, nothing is called lost", "[reconnect]") {
    const Watchdog watchdog("kept writes");
    RestartedServer server;
    server.put("file", "old");
    auto mount = mount_of(server);
    const ReconnectingFile file = open(*mount);
    put(*mount, file, "new", 0);
    server.end();
    succeeds(mount->fsync(file));
    CHECK(server.told.writes_lost.empty());
    CHECK(get(*mount, file) == "new");
}

TEST_CASE("writes that are not synced when a session begins are one loss, and so is one told of late", "[reconnect]") {
    UnsyncedWrites file;
    CHECK(file.losses(1) == 0);
    file.note_written(1);
    const UnsyncedWrites::Count before = file.written(1);
    file.note_written(1); // after the FSYNC was sent
    file.note_synced(1, before);
    CHECK(file.losses(1) == 0);
    CHECK(file.losses(2) == 1);
    CHECK(file.losses(3) == 1);
    // The answer came from a session that has another one in its place by now.
    file.note_written(2);
    CHECK(file.losses(3) == 2);
    CHECK(file.written(2) == 0);
    file.note_written(3);
    file.note_synced(2, 1);
    CHECK(file.losses(4) == 3);
}

TEST_CASE("open files of one inode number share one count, which ends with the last of them", "[reconnect]") {
    constexpr std::uint64_t kIno = 7;
    constexpr unsigned kMany = 100; // more than are kept without a look which have ended
    UnsyncedFiles files;
    std::shared_ptr<UnsyncedWrites> first = files.find_or_make(kIno);
    CHECK(files.find_or_make(kIno) == first);
    first->note_written(1);
    for (unsigned i = 0; i < kMany; ++i) CHECK(files.find_or_make(kIno + 1 + i) != first);
    CHECK(files.find_or_make(kIno) == first);
    const std::weak_ptr<UnsyncedWrites> ended = first;
    first.reset();
    CHECK(ended.expired());
    CHECK(files.find_or_make(kIno)->losses(2) == 0);
}
