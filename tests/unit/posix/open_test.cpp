// SPDX-License-Identifier: BSD-2-Clause
// open(2)'s flags, on both embedded file systems.
#include "unit/posix/mounted.hpp"

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::File;
using test::Errno;
using test::error_of;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;

namespace {

Errno open_error(posix::Mount& mount, std::string_view path, std::uint32_t flags) {
    return error_of(mount.open_file(path, flags, 0644));
}

} // namespace

TEMPLATE_TEST_CASE("O_CREAT, O_EXCL and O_TRUNC do what they say", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    CHECK(open_error(*over, "/f", kORdonly) == Errno::enoent);
    CHECK(open_error(*over, "/f", kORdwr | kOTrunc) == Errno::enoent);
    CHECK(open_error(*over, "/f", kOCreat | kOExcl | kORdwr) == Errno::none);
    CHECK(open_error(*over, "/f", kOCreat | kOExcl | kORdwr) == Errno::eexist);
    CHECK(open_error(*over, "/f", kOExcl | kORdwr) == Errno::none); // without O_CREAT it says nothing
    test::put(*over, "/f", "content");
    CHECK(open_error(*over, "/f", kOCreat | kORdwr) == Errno::none);
    CHECK(test::get(*over, "/f") == "content");
    CHECK(open_error(*over, "/f", kOCreat | kOTrunc | kORdwr) == Errno::none);
    CHECK(test::get(*over, "/f").empty());
    test::put(*over, "/f", "content");
    CHECK(open_error(*over, "/f", kOTrunc | kOWronly) == Errno::none);
    CHECK(test::get(*over, "/f").empty());
    CHECK(open_error(*over, "/no/f", kOCreat | kORdwr) == Errno::enoent);
    CHECK(open_error(*over, "/f/g", kOCreat | kORdwr) == Errno::enotdir);
    CHECK(open_error(*over, "", kOCreat | kORdwr) == Errno::enoent);
}

TEST_CASE("opening a file that is there with O_CREAT is one request, unless the server aborts on that", "[open]") {
    test::MountedOptions options;
    options.device.quirks.create_existing = GENERATE(client::CreateExisting::allowed, client::CreateExisting::never);
    const bool is_allowed = options.device.quirks.create_existing == client::CreateExisting::allowed;
    OverMemfs over(options);
    test::put(*over, "/f", "content");
    const auto before = over->channel().stats().requests;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    constexpr std::uint64_t kCreate = 1;
    constexpr std::uint64_t kCreateLookupOpen = 3;
    CHECK(over->channel().stats().requests - before == (is_allowed ? kCreate : kCreateLookupOpen));
    CHECK(value_of(over->stat(file)).size == 7);
    succeeds(over->close(std::move(file)));
    CHECK(open_error(*over, "/f", kOCreat | kOExcl | kORdwr) == Errno::eexist);
}

TEMPLATE_TEST_CASE("the mode of a new file is what was asked for without the umask", "[open]", OverMemfs,
                   OverDirectory) {
    TestType over;
    (void)value_of(over->open_file("/plain", kOCreat | kOWronly));
    CHECK((value_of(over->stat("/plain")).mode & kSIallugo) == 0644);
    (void)value_of(over->open_file("/tight", kOCreat | kOWronly, 0600));
    CHECK((value_of(over->stat("/tight")).mode & kSIallugo) == 0600);
    (void)value_of(over->open_file("/wide", kOCreat | kOWronly, 0777));
    CHECK((value_of(over->stat("/wide")).mode & kSIallugo) == 0755);
    succeeds(over->mkdir("/dir", 0777));
    CHECK((value_of(over->stat("/dir")).mode & kSIallugo) == 0755);
    // The mode of a file that is there stays.
    (void)value_of(over->open_file("/tight", kOCreat | kOWronly, 0777));
    CHECK((value_of(over->stat("/tight")).mode & kSIallugo) == 0600);
}

TEMPLATE_TEST_CASE("links are followed unless O_NOFOLLOW or O_EXCL says no", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/dir"));
    test::put(*over, "/dir/file", "content");
    succeeds(over->symlink("dir/file", "/link"));
    succeeds(over->symlink("/link", "/dir/chain"));
    CHECK(test::get(*over, "/link") == "content");
    CHECK(test::get(*over, "/dir/chain") == "content");
    CHECK(open_error(*over, "/link", kOCreat | kORdwr) == Errno::none);
    CHECK(open_error(*over, "/dir/chain", kOCreat | kORdwr) == Errno::none);
    CHECK(open_error(*over, "/link", kONofollow | kORdonly) == Errno::eloop);
    CHECK(open_error(*over, "/link", kONofollow | kOCreat | kORdwr) == Errno::eloop);
    CHECK(open_error(*over, "/link", kOExcl | kOCreat | kORdwr) == Errno::eexist);
    CHECK(open_error(*over, "/dir/file", kONofollow | kORdonly) == Errno::none);
    CHECK(open_error(*over, "/dir/file", kONofollow | kOCreat | kORdwr) == Errno::none);
    CHECK(test::get(*over, "/dir/file") == "content");
}

TEMPLATE_TEST_CASE("O_CREAT creates what a dangling link points to", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/dir"));
    succeeds(over->symlink("dir/target", "/dangling"));
    succeeds(over->symlink("../dangling", "/dir/chain"));
    CHECK(open_error(*over, "/dangling", kORdonly) == Errno::enoent);
    CHECK(open_error(*over, "/dangling", kOCreat | kOExcl | kOWronly) == Errno::eexist);
    CHECK(open_error(*over, "/dangling", kOCreat | kONofollow | kOWronly) == Errno::eloop);
    test::put(*over, "/dir/chain", "by way of two links");
    CHECK(is_regular(value_of(over->stat("/dir/target", posix::LastLink::keep)).mode));
    CHECK(test::get(*over, "/dangling") == "by way of two links");
    succeeds(over->symlink("no/such", "/nowhere"));
    CHECK(open_error(*over, "/nowhere", kOCreat | kOWronly) == Errno::enoent);
    succeeds(over->symlink("new/", "/slashed"));
    CHECK(open_error(*over, "/slashed", kOCreat | kOWronly) == Errno::eisdir);
    succeeds(over->symlink("/", "/root"));
    CHECK(open_error(*over, "/root", kOCreat | kOWronly) == Errno::eisdir);
}

TEMPLATE_TEST_CASE("directories are not opened as files", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/dir"));
    test::put(*over, "/file", "x");
    CHECK(open_error(*over, "/dir", kOWronly) == Errno::eisdir);
    CHECK(open_error(*over, "/dir", kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/dir", kOCreat | kORdonly) == Errno::eisdir);
    CHECK(open_error(*over, "/dir", kOCreat | kOExcl | kORdonly) == Errno::eexist);
    CHECK(open_error(*over, "/dir", kORdonly | kOTrunc) == Errno::eisdir);
    CHECK(open_error(*over, "/", kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/", kOCreat | kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/", kOCreat | kOExcl | kORdwr) == Errno::eexist);
    CHECK(open_error(*over, "/dir/..", kOCreat | kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/new/", kOCreat | kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/file/", kOCreat | kORdwr) == Errno::eisdir);
    CHECK(open_error(*over, "/file/", kORdwr) == Errno::enotdir);
    CHECK(open_error(*over, "/file", kODirectory | kORdonly) == Errno::enotdir);
    CHECK(open_error(*over, "/file", kODirectory | kOCreat | kORdwr) == Errno::einval);
    CHECK(error_of(over->open_directory("/file")) == Errno::enotdir);
    CHECK(error_of(over->open_directory("/absent")) == Errno::enoent);
    CHECK(value_of(over->open_directory("/dir")).nodeid() != 0);
}

TEMPLATE_TEST_CASE("the access mode is the server's to enforce", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    test::put(*over, "/f", "content");
    std::vector<std::byte> bytes(4);
    File reader = value_of(over->open_file("/f", kORdonly));
    CHECK(error_of(over->write(reader, bytes, 0)) == Errno::ebadf);
    CHECK(value_of(over->read(reader, bytes, 0)) == 4);
    File writer = value_of(over->open_file("/f", kOWronly));
    CHECK(error_of(over->read(writer, bytes, 0)) == Errno::ebadf);
    CHECK(value_of(over->write(writer, bytes, 0)) == 4);
    CHECK(writer.flags() == kOWronly);
    succeeds(over->close(std::move(reader)));
    succeeds(over->close(std::move(writer)));
}

TEMPLATE_TEST_CASE("O_APPEND writes go to the end, wherever they were sent, in order", "[open]", OverMemfs,
                   OverDirectory) {
    TestType over;
    test::put(*over, "/f", "begin");
    File file = value_of(over->open_file("/f", kOWronly | kOAppend));
    const auto text = test::bytes_of(" middle");
    CHECK(value_of(over->write(file, text, 0)) == text.size());
    const auto large = test::noise(1'500'000);
    CHECK(value_of(over->write(file, large, 0)) == large.size());
    succeeds(over->close(std::move(file)));
    const std::string content = test::get(*over, "/f");
    CHECK(content.substr(0, 12) == "begin middle");
    CHECK(content.substr(12) == test::text_of(large));
}

TEST_CASE("a file that comes and goes while it is opened is created in the end", "[open]") {
    OverMemfs over;
    int lies = 0;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::create && lies < 3) {
            ++lies;
            fault.error = Errno::eexist;
        }
        return fault;
    });
    CHECK(open_error(*over, "/f", kOCreat | kORdwr) == Errno::none);
    CHECK(lies == 3);
    // The open is not tried for ever.
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::create) fault.error = Errno::eexist;
        return fault;
    });
    CHECK(open_error(*over, "/g", kOCreat | kORdwr) == Errno::enoent);
    over.fs.set_faults({});
}

TEST_CASE("a file that was opened but could not be truncated is released", "[open]") {
    test::MountedOptions options;
    options.memfs.server.flags = wire::InitFlags(options.memfs.server.flags.bits() &
                                                 ~wire::InitFlags::of(wire::InitFlag::atomic_o_trunc).bits());
    OverMemfs over(options);
    test::put(*over, "/f", "content");
    CHECK(open_error(*over, "/f", kOTrunc | kOWronly) == Errno::none);
    CHECK(test::get(*over, "/f").empty());
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::setattr) fault.error = Errno::eio;
        return fault;
    });
    CHECK(open_error(*over, "/f", kOTrunc | kOWronly) == Errno::eio);
    CHECK(over.fs.open_handles() == 0);
    over.fs.set_faults({});
}

TEST_CASE("a server without OPEN or CREATE is used all the same", "[open]") {
    OverMemfs over;
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::create) fault.error = Errno::enosys;
        return fault;
    });
    test::put(*over, "/f", "by mknod and open");
    CHECK(test::get(*over, "/f") == "by mknod and open");
    CHECK(open_error(*over, "/f", kOCreat | kOExcl | kORdwr) == Errno::eexist);
    CHECK(open_error(*over, "/f", kOCreat | kORdwr) == Errno::none);
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::open) fault.error = Errno::enosys;
        return fault;
    });
    File file = value_of(over->open_file("/f", kORdonly));
    CHECK(file.fh() == 0);
    succeeds(over->close(std::move(file))); // and no RELEASE is sent
    CHECK(over.fs.misuse().bad_handles == 0);
    over.fs.set_faults({});
}

TEST_CASE("a FLUSH that fails is what close() says, and the file is released", "[open]") {
    OverMemfs over;
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    over.fs.set_faults([](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == wire::Opcode::flush) fault.error = Errno::enospc;
        return fault;
    });
    CHECK(error_of(over->close(std::move(file))) == Errno::enospc);
    CHECK(over.fs.open_handles() == 0);
    over.fs.set_faults({});
    CHECK(error_of(over->close(File())) == Errno::ebadf);
}

TEMPLATE_TEST_CASE("a temporary file has no name, and goes with its handle", "[open]", OverMemfs, OverDirectory) {
    TestType over;
    succeeds(over->mkdir("/dir"));
    CHECK(error_of(over->open_temporary("/absent", kORdwr)) == Errno::enoent);
    const auto made = over->open_temporary("/dir", kORdwr);
    if (!made && made.failure().error == Errno::eopnotsupp) return; // the file system of the host has none
    REQUIRE(made);
    const auto text = test::bytes_of("temporary");
    CHECK(value_of(over->write(*made, text, 0)) == text.size());
    CHECK(value_of(over->stat(*made)).size == text.size());
    CHECK(value_of(over->stat(*made)).nlink == 0);
    CHECK(value_of(over->list("/dir")).empty());
}
