// SPDX-License-Identifier: BSD-2-Clause
// A server that keeps what is written in memory of its own takes it along when it ends: whoever wrote it is told, once.
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"

#include "vfsproto/posix/detail/unsynced_writes.hpp"

#include <memory>
#include <string>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
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

// Serves "file", which has "old". What was not synced is taken from the host's file by the test, as the server's end would.
struct Forgetful {
    // `prepare` is called before the server has started.
    explicit Forgetful(
        WrittenData written = WrittenData::ends_with_server,
        void (*prepare)(RestartedServer&) = [](RestartedServer&) {}) {
        server.put("file", "old");
        prepare(server);
        ReconnectOptions options = server.mount_options();
        options.written = written;
        mount = mount_of(options);
    }
    [[nodiscard]] ReconnectingFile open(std::uint32_t flags = kORdwr, const char* path = "/file") const {
        return value_of(mount->open_file(path, flags));
    }

    RestartedServer server;
    std::unique_ptr<ReconnectingMount> mount;
};

} // namespace

TEST_CASE("what a server lost with its end is told by fsync, once", "[reconnect]") {
    const Watchdog watchdog("lost writes");
    Forgetful f;
    const ReconnectingFile file = f.open();
    put(*f.mount, file, "new", 0);
    f.server.put("file", "old");
    f.server.end();
    CHECK(f.mount->fsync(file).errc == Errc::writes_lost);
    CHECK(f.server.told.writes_lost == std::vector<std::string>{"/file"});
    CHECK(f.server.told.lost.empty());
    CHECK(get(*f.mount, file) == "old");
    succeeds(f.mount->fsync(file));
    // A write that was synced is not lost.
    put(*f.mount, file, "new", 0);
    succeeds(f.mount->fsync(file));
    f.server.end();
    succeeds(f.mount->fsync(file));
    CHECK(get(*f.mount, file) == "new");
    CHECK(f.server.told.writes_lost.empty());
    CHECK(f.mount->sessions() == 3);
}

TEST_CASE("each open file of a file is told of lost writes, by fsync or close", "[reconnect]") {
    const Watchdog watchdog("lost by others");
    Forgetful f;
    f.server.put("other", "old");
    const ReconnectingFile writer = f.open();
    const ReconnectingFile reader = f.open(kORdonly);
    const ReconnectingFile other = f.open(kORdwr, "/other");
    put(*f.mount, writer, "new", 0);
    f.server.end();
    const ReconnectingFile later = f.open();
    CHECK(f.mount->close(reader).errc == Errc::writes_lost);
    succeeds(f.mount->close(reader));
    CHECK(f.mount->fsync(writer).errc == Errc::writes_lost);
    succeeds(f.mount->fsync(later));
    succeeds(f.mount->fsync(other));
    CHECK(f.server.told.writes_lost == std::vector<std::string>{"/file", "/file"});
}

TEST_CASE("an fsync makes the writes of every open file durable", "[reconnect]") {
    const Watchdog watchdog("synced by others");
    Forgetful f;
    const ReconnectingFile writer = f.open();
    const ReconnectingFile syncer = f.open();
    put(*f.mount, writer, "new", 0);
    succeeds(f.mount->fsync(syncer));
    f.server.end();
    succeeds(f.mount->close(writer));
    CHECK(f.mount->sessions() == 2); // close() has looked if the server has ended
}

TEST_CASE("whatever changes a file's content or attributes may be lost", "[reconnect]") {
    const Watchdog watchdog("lost changes");
    Forgetful f;
    ReconnectingFile file = f.open();
    SECTION("truncate()") {
        succeeds(f.mount->call(file, Opcode::setattr, [](Mount& on, const File& of) { return on.truncate(of, 1); }));
    }
    SECTION("fallocate()") {
        succeeds(f.mount->call(file, Opcode::fallocate,
                               [](Mount& on, const File& of) { return on.fallocate(of, 0, 0, 10); }));
    }
    SECTION("open() with O_TRUNC") { file = f.open(kORdwr | kOTrunc); }
    f.server.end();
    CHECK(f.mount->fsync(file).errc == Errc::writes_lost);
    succeeds(f.mount->fsync(file));
}

TEST_CASE("a write that is made once more on the next session is not lost", "[reconnect]") {
    const Watchdog watchdog("written again");
    Forgetful f(WrittenData::ends_with_server,
                [](RestartedServer& server) { fail_first(server, FaultKind::die, kFirstOfCaller + kToOpen); });
    const ReconnectingFile file = f.open();
    put(*f.mount, file, "new", 0);
    CHECK(f.mount->sessions() == 2);
    succeeds(f.mount->fsync(file));
    CHECK(f.server.content("file") == "new");
}

TEST_CASE("where what is written outlives the server, nothing is called lost", "[reconnect]") {
    const Watchdog watchdog("kept writes");
    Forgetful f(WrittenData::outlives_server);
    const ReconnectingFile file = f.open();
    put(*f.mount, file, "new", 0);
    f.server.end();
    succeeds(f.mount->fsync(file));
    CHECK(f.server.told.writes_lost.empty());
    CHECK(get(*f.mount, file) == "new");
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
