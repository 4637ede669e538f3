// SPDX-License-Identifier: BSD-2-Clause
// Requests of one session on behalf of several callers.
#include "support/skip.hpp"
#include "unit/posix/mounted.hpp"
#include "unit/posix/somebody.hpp"

#include "vfsproto/posix/async_mount.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <filesystem>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::Failure;
using posix::File;
using test::Errno;
using test::error_of;
using test::kGroup;
using test::kSharedGroup;
using test::kUser;
using test::OverDirectory;
using test::OverMemfs;
using test::somebody;
using test::succeeds;
using test::value_of;

namespace {

// Makes a directory that kSharedGroup may write to, and nobody else but its owner, root.
void make_shared_directory(OverDirectory& over) {
    succeeds(over->mkdir("/shared"));
    succeeds(over->chown("/shared", 0, kSharedGroup));
    succeeds(over->chmod("/shared", 0770));
    std::filesystem::permissions(over.directory.path(), std::filesystem::perms(0755));
}

// A file system that notes who reads.
class Readers : public backends::Memfs {
public:
    using backends::Memfs::handle;
    void handle(const server::RequestOf<wire::Opcode::read>& request,
                server::ReplyTo<wire::Opcode::read>& reply) noexcept {
        last = {request.header.uid, request.header.gid, request.header.pid};
        backends::Memfs::handle(request, reply);
    }

    abi::Caller last{};
};

} // namespace

TEMPLATE_TEST_CASE("two callers of one session make files of their own, each with its umask", "[credentials]",
                   OverMemfs, OverDirectory) {
    if (::geteuid() != 0) return test::skip("only root acts for others");
    TestType over;
    succeeds(over->mkdir("/open"));
    succeeds(over->chmod("/open", 0777));
    if constexpr (std::is_same_v<TestType, OverDirectory>) {
        std::filesystem::permissions(over.directory.path(), std::filesystem::perms(0755));
    }
    auto other = over->acting_for(somebody({}, 077));
    succeeds(other->mkdir("/open/theirs", 0777));
    succeeds(over->mkdir("/open/ours", 0777));
    const auto theirs = value_of(over->stat("/open/theirs"));
    CHECK(theirs.uid == kUser);
    CHECK(theirs.gid == kGroup);
    CHECK((theirs.mode & 0777) == 0700);
    const auto ours = value_of(over->stat("/open/ours"));
    CHECK(ours.uid == 0);
    CHECK((ours.mode & 0777) == 0755);
    test::put(*other, "/open/file", "x");
    CHECK(value_of(over->stat("/open/file")).uid == kUser);
    CHECK(error_of(other->access("/open/ours", kWOk)) == Errno::eacces);
}

TEST_CASE("what one caller opened is read by another, who is named in the request", "[credentials]") {
    Readers fs;
    auto mount = test::mount_of(backends::make_loopback(fs));
    test::put(*mount, "/file", "content");
    File file = value_of(mount->open_file("/file", kORdonly));
    auto other = mount->acting_for(somebody());
    std::vector<std::byte> bytes(16);
    // One request carries it here, and below there is room for several.
    CHECK(value_of(other->read(file, bytes, 0)) == 7);
    CHECK(fs.last.uid == kUser);
    CHECK(fs.last.gid == kGroup);
    CHECK(fs.last.pid == 1);
    CHECK(value_of(mount->read(file, bytes, 0)) == 7);
    CHECK(fs.last.uid == 0);
    std::vector<std::byte> many(4 << 20);
    CHECK(value_of(other->read(file, many, 0)) == 7);
    CHECK(fs.last.uid == kUser);
    posix::IoQueue queue(other->channel(), other->credentials().caller);
    fs.last = {};
    posix::QueuedRead read;
    REQUIRE(queue.read(read, file, bytes, 0) == Errc::ok);
    REQUIRE(queue.next() == &read);
    CHECK(fs.last.uid == kUser);
    asio::io_context io;
    posix::AsyncMount files(*other, io.get_executor());
    fs.last = {};
    files.read(file, bytes, 0, [](const Failure& failure, std::uint64_t) { CHECK_FALSE(failure.happened()); });
    io.run();
    CHECK(fs.last.uid == kUser);
    succeeds(other->close(std::move(file)));
}

TEST_CASE("the session ends with the last of its mounts", "[credentials]") {
    backends::Memfs fs;
    auto mount = test::mount_of(backends::make_loopback(fs));
    auto other = mount->acting_for(somebody());
    mount.reset();
    CHECK(value_of(other->stat("/")).nlink >= 1);
}

// Linux fs/fuse/dir.c: get_create_supp_group().
TEST_CASE("a supplementary group lets its members make files in its directory", "[credentials]") {
    if (::geteuid() != 0) return test::skip("only root acts for others");
    OverDirectory over;
    make_shared_directory(over);
    auto stranger = over->acting_for(somebody({kSharedGroup + 1}));
    CHECK(error_of(stranger->mkdir("/shared/no")) == Errno::eacces);
    CHECK(error_of(stranger->open_file("/shared/no", kOCreat | kOWronly)) == Errno::eacces);

    auto member = over->acting_for(somebody({kSharedGroup + 1, kSharedGroup}));
    succeeds(member->mkdir("/shared/directory"));
    succeeds(member->mknod("/shared/fifo", kSIfifo | 0644, 0));
    succeeds(member->symlink("target", "/shared/link"));
    test::put(*member, "/shared/file", "x");
    test::put(*member, "/shared/file", "y"); // it is there already
    CHECK(test::get(*over, "/shared/file") == "y");
    CHECK(value_of(over->stat("/shared/file")).uid == kUser);
    CHECK(value_of(over->stat("/shared/file")).gid == kGroup);
    succeeds(member->close(value_of(member->open_temporary("/shared", kORdwr))));

    asio::io_context io;
    posix::AsyncMount files(*member, io.get_executor());
    int done = 0;
    files.mkdir("/shared/async", 0755, [&](const Failure& failure) { succeeds(failure), ++done; });
    files.open_file("/shared/async-file", kOCreat | kOWronly, 0600, [&](const Failure& failure, File file) {
        succeeds(failure);
        ++done;
        static_cast<void>(member->close(std::move(file)));
    });
    io.run();
    CHECK(done == 2);
}

TEST_CASE("without supplementary groups nothing more is asked to make a file", "[credentials]") {
    OverMemfs over;
    const auto requests = [&] { return over->stats().requests; };
    const auto before = requests();
    succeeds(over->mkdir("/directory"));
    CHECK(requests() == before + 1);
}
