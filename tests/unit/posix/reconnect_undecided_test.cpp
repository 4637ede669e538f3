// SPDX-License-Identifier: BSD-2-Clause
// A server may end when a call of a ReconnectingMount was half done, or when nobody knows if it was: transfers are cut short, renames
// and locks are in doubt.
#include "support/watchdog.hpp"
#include "unit/posix/reconnecting.hpp"

#include "vfsproto/posix/lock.hpp"

#include <filesystem>
#include <string>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultKind;
using posix::Failure;
using posix::File;
using posix::Mount;
using posix::ReconnectingFile;
using posix::ReconnectOptions;
using test::fail_first;
using test::find_lost;
using test::get;
using test::kFirstOfCaller;
using test::kToOpen;
using test::mount_of;
using test::noise;
using test::RestartedServer;
using test::succeeds;
using test::text_of;
using test::value_of;
using test::Watchdog;
using test::why_unread;
using wire::Opcode;

namespace {

// A transfer of this length takes three requests.
constexpr std::uint32_t kPiece = 16 * 1024;
constexpr std::size_t kLength = 2 * kPiece + 100;

ReconnectOptions options_for_pieces(RestartedServer& server) {
    ReconnectOptions options = server.mount_options();
    options.mount.channel.bounce = kPiece;
    return options;
}

} // namespace

TEST_CASE("a long write that appends says that its reply was lost, also if a part was answered", "[reconnect]") {
    const Watchdog watchdog("a long append");
    RestartedServer server;
    server.put("log", "");
    fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen + 1); // the second piece
    auto mount = mount_of(options_for_pieces(server));
    const ReconnectingFile file = value_of(mount->open_file("/log", kOWronly | kOAppend));
    const auto bytes = noise(kLength);
    Failure why;
    std::thread caller([&] { why = mount->write(file, bytes, 0).failure(); });
    test::until([&] { return std::filesystem::file_size(server.on_host("log")) == 2 * kPiece; });
    server.end();
    caller.join();
    CHECK(why.errc == Errc::reply_lost);
    CHECK(server.content("log") == text_of(std::span(bytes).first(2 * kPiece)));
}

TEST_CASE("a long transfer that a server's end cut short is made as a whole", "[reconnect]") {
    const Watchdog watchdog("a long transfer");
    RestartedServer server;
    const auto bytes = noise(kLength);
    posix::Expected<std::uint64_t> moved;
    SECTION("WRITE") {
        server.put("file", "");
        fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen + 1);
        auto mount = mount_of(options_for_pieces(server));
        const ReconnectingFile file = value_of(mount->open_file("/file", kORdwr));
        std::thread caller([&] { moved = mount->write(file, bytes, 0); });
        test::until([&] { return std::filesystem::file_size(server.on_host("file")) == kLength; });
        server.end();
        caller.join();
        CHECK(mount->sessions() == 2);
    }
    SECTION("READ") {
        server.put("file", text_of(bytes));
        fail_first(server, FaultKind::die, kFirstOfCaller + kToOpen + 1);
        auto mount = mount_of(options_for_pieces(server));
        const ReconnectingFile file = value_of(mount->open_file("/file", kORdonly));
        std::vector<std::byte> read(kLength);
        moved = mount->read(file, read, 0);
        CHECK(read == bytes);
        CHECK(mount->sessions() == 2);
    }
    CHECK(value_of(moved) == kLength);
    CHECK(server.content("file") == text_of(bytes));
}

TEST_CASE("a rename that was done, but not answered, loses no open file, whatever follows", "[reconnect]") {
    const Watchdog watchdog("renames after a lost reply");
    RestartedServer server;
    server.put("file", "text");
    constexpr std::uint64_t kToRename = 2; // LOOKUPs of both names
    fail_first(server, FaultKind::drop, kFirstOfCaller + kToOpen + kToRename);
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdonly));
    Failure why;
    std::thread caller([&] { why = mount->rename("/file", "/new"); });
    test::until([&] { return std::filesystem::exists(server.on_host("new")); });
    server.end();
    caller.join();
    CHECK(why.errc == Errc::reply_lost);
    SECTION("nobody tries it again") { CHECK(get(*mount, file) == "text"); }
    SECTION("the same one finds that it was done") {
        CHECK(mount->rename("/file", "/new").error == test::Errno::enoent);
    }
    SECTION("another one moves the file on") { succeeds(mount->rename("/new", "/third")); }
    SECTION("the same one waits for a server in vain") {
        server.is_away = true;
        CHECK(mount->rename("/file", "/new").errc == Errc::device_gone);
        server.is_away = false;
        CHECK(get(*mount, file) == "text");
    }
    server.end();
    CHECK(get(*mount, file) == "text");
    CHECK(server.lost == 0);
}

TEST_CASE("locks of every owner are lost with the server", "[reconnect]") {
    const Watchdog watchdog("locks");
    RestartedServer server;
    server.put("file", "text");
    auto mount = mount_of(server);
    const ReconnectingFile file = value_of(mount->open_file("/file", kORdwr));
    const auto owner = GENERATE(std::uint64_t{0}, std::uint64_t{7}); // the file itself, and another one
    succeeds(mount->call(file, Opcode::setlk, [&](Mount& on, const File& open) {
        return on.lock(open, {posix::LockType::exclusive, {}, owner});
    }));
    server.end();
    CHECK(why_unread(*mount, file).errc == Errc::locks_lost);
    REQUIRE(find_lost(server.told, "/file") != nullptr);
    CHECK(find_lost(server.told, "/file")->errc == Errc::locks_lost);
    // It is told of once.
    server.end();
    CHECK(test::ask_attributes(*mount, "/"));
    CHECK(mount->sessions() == 3);
    CHECK(why_unread(*mount, file).errc == Errc::locks_lost);
    CHECK(server.lost == 1);
}
