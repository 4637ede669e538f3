// SPDX-License-Identifier: BSD-2-Clause
// Nothing a client can say reaches beyond the root.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

bool is_secret(const std::string& content) { return content == "outside"; }

} // namespace

TEST_CASE("names that are no single component are refused everywhere", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    const std::uint64_t file = f.node(1, "file");
    for (const std::string name : {"", "/", "../secret", "a/b", "/etc/passwd", "file/", "./file"}) {
        INFO(name);
        CHECK(f.lookup(1, name).error == Errno::einval);
        CHECK(f.create(1, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::mkdir>(1, {0755, 0}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::mknod>(1, {S_IFREG | 0644, 0, 0, 0}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::symlink>(1, {}, name, "x").error == Errno::einval);
        CHECK(f.client.call<Opcode::link>(1, {file}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::unlink>(1, {}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::rmdir>(1, {}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::rename>(1, {1}, name, "x").error == Errno::einval);
        CHECK(f.client.call<Opcode::rename>(1, {1}, "file", name).error == Errno::einval);
        CHECK(f.client.call<Opcode::rename2>(1, {1, 2, 0}, "file", name).error == Errno::einval);
    }
    CHECK(fs::exists(f.directory.outside() / "secret"));
}

TEST_CASE("dot and dot-dot can be looked up, and nothing else", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    const std::uint64_t file = f.node(1, "file");
    for (const char* name : {".", ".."}) {
        INFO(name);
        CHECK(f.create(1, name).error == Errno::eexist);
        CHECK(f.client.call<Opcode::mkdir>(1, {0755, 0}, name).error == Errno::eexist);
        CHECK(f.client.call<Opcode::mknod>(1, {S_IFREG | 0644, 0, 0, 0}, name).error == Errno::eexist);
        CHECK(f.client.call<Opcode::symlink>(1, {}, name, "x").error == Errno::eexist);
        CHECK(f.client.call<Opcode::link>(1, {file}, name).error == Errno::eexist);
        CHECK(f.client.call<Opcode::unlink>(1, {}, name).error == Errno::eisdir);
        CHECK(f.client.call<Opcode::rmdir>(1, {}, name).error == Errno::einval);
        CHECK(f.client.call<Opcode::rename>(1, {1}, name, "x").error == Errno::ebusy);
        CHECK(f.client.call<Opcode::rename>(1, {1}, "file", name).error == Errno::ebusy);
    }
}

TEST_CASE("the root is its own parent", "[passthrough]") {
    PassthroughFixture f;
    CHECK(f.node(1, "..") == 1);
    CHECK(f.node(1, ".") == 1);
    CHECK(f.attributes(1).ino == f.stat_host(".").st_ino);
    CHECK(f.lookup(1, "secret").error == Errno::enoent);
}

TEST_CASE("dot-dot of a directory beneath the root is its parent", "[passthrough]") {
    PassthroughFixture f;
    fs::create_directories(f.host("a/b"));
    const std::uint64_t a = f.node(1, "a");
    const std::uint64_t b = f.node(a, "b");
    CHECK(f.node(b, "..") == a);
    CHECK(f.node(b, ".") == b);
    CHECK(f.node(a, "..") == 1);
}

TEST_CASE("dot-dot of a directory the host moved out of the root leads nowhere", "[passthrough]") {
    PassthroughFixture f;
    fs::create_directories(f.host("a/b"));
    const std::uint64_t a = f.node(1, "a");
    const std::uint64_t b = f.node(a, "b");
    fs::rename(f.host("a"), f.directory.outside() / "a");
    CHECK(f.lookup(a, "..").error == Errno::enoent);
    CHECK(f.lookup(b, "..").error == Errno::enoent);
}

TEST_CASE("the root's dot-dot is listed with the root's own inode number", "[passthrough]") {
    PassthroughFixture f;
    const std::uint64_t fh = f.directory_handle(1);
    for (const Listed& one : records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false)) {
        if (one.name == "..") CHECK(one.dirent.ino == f.stat_host(".").st_ino);
    }
}

TEST_CASE("a symlink is itself: looked up, read, owned and dated, never followed", "[passthrough]") {
    PassthroughFixture f;
    const fs::path secret = f.directory.outside() / "secret";
    fs::create_symlink(secret, f.host("absolute"));
    fs::create_symlink("../secret", f.host("relative"));
    fs::create_symlink(f.directory.outside(), f.host("directory"));
    for (const char* name : {"absolute", "relative", "directory"}) {
        INFO(name);
        const std::uint64_t link = f.node(1, name);
        CHECK(abi::is_symlink(f.attributes(link).mode));
        CHECK(f.client.call<Opcode::readlink>(link).text() == fs::read_symlink(f.host(name)).string());
        CHECK(f.open(link, O_RDONLY).error == Errno::eloop);
        CHECK(f.open(link, O_WRONLY | O_TRUNC).error == Errno::eloop);
        CHECK(f.client.call<Opcode::opendir>(link).error == Errno::enotdir);
        CHECK(f.lookup(link, "secret").error == Errno::enotdir);
        CHECK(f.create(link, "made").error == Errno::enotdir);
        CHECK(f.create(1, name).error == Errno::eloop);
        CHECK(f.create(1, name, O_RDWR | O_TRUNC).error == Errno::eloop);
        CHECK(f.create(1, name, O_RDWR | O_EXCL).error == Errno::eexist);
        CHECK(f.client.call<Opcode::tmpfile>(link, {}, "").error == Errno::enotdir);

        wire::SetattrIn in{};
        in.valid = wire::kSetattrSize;
        CHECK(f.client.call<Opcode::setattr>(link, in).error == Errno::einval);
        in.valid = wire::kSetattrMode;
        in.mode = 0600;
        CHECK(f.client.call<Opcode::setattr>(link, in).error == Errno::eopnotsupp);
        in.valid = wire::kSetattrMtime;
        in.mtime = 12345;
        CHECK(f.client.call<Opcode::setattr>(link, in).ok());
        CHECK(f.stat_host(name).st_mtim.tv_sec == 12345);
        CHECK(f.client.call<Opcode::link>(1, {link}, std::string(name) + "2").ok());
        CHECK(fs::is_symlink(f.host(std::string(name) + "2")));
    }
    struct stat status{};
    REQUIRE(::stat(secret.c_str(), &status) == 0);
    CHECK(status.st_size == 7);
    CHECK(status.st_mtim.tv_sec != 12345);
    CHECK_FALSE(fs::exists(f.directory.outside() / "made"));
}

TEST_CASE("a name that turns into a symlink at any moment never leads out", "[passthrough][race]") {
    PassthroughFixture f;
    f.write_host("inside", "inside");
    // "name" is a file, a link to the secret, a directory, a link to the secret's directory, and so on: exchanged at once,
    // so that every one of them is there all the time for somebody.
    const fs::path outside = f.directory.outside();
    f.write_host("name", "inside");
    fs::create_symlink(outside / "secret", outside / "form0");
    fs::create_directory(outside / "form1");
    fs::create_hard_link(f.host("inside"), outside / "form1" / "secret");
    fs::create_symlink(outside, outside / "form2");
    std::atomic<bool> stop{false};
    std::thread swapper([&] {
        const std::string name = f.host("name").string();
        for (unsigned round = 0; !stop; ++round) {
            const std::string form = (outside / ("form" + std::to_string(round % 3))).string();
            if (::renameat2(AT_FDCWD, form.c_str(), AT_FDCWD, name.c_str(), RENAME_EXCHANGE) != 0) std::abort();
        }
    });
    int opened = 0;
    int below = 0;
    int leaks = 0;
    auto check = [&](std::uint64_t fh) {
        leaks += is_secret(f.read(fh, 0, 100).text());
        f.release(fh);
    };
    // The loop ends when both have happened, so that the test has seen something.
    for (int round = 0; round < 1500 || ((opened == 0 || below == 0) && round < 1'000'000); ++round) {
        const Answered created = f.create(1, "name", O_RDWR);
        if (created.ok()) {
            check(created.as<wire::CreateOut>().open.fh);
            f.forget(created.as<wire::CreateOut>().entry.nodeid);
        }
        const Answered found = f.lookup(1, "name");
        if (!found.ok()) continue;
        const std::uint64_t node = found.as<wire::EntryOut>().nodeid;
        if (const Answered open = f.open(node, O_RDWR); open.ok()) {
            ++opened;
            check(open.as<wire::OpenOut>().fh);
        }
        if (const Answered inner = f.lookup(node, "secret"); inner.ok()) {
            ++below;
            const std::uint64_t inner_node = inner.as<wire::EntryOut>().nodeid;
            if (const Answered open = f.open(inner_node, O_RDONLY); open.ok()) check(open.as<wire::OpenOut>().fh);
            f.forget(inner_node);
        }
        f.forget(node);
    }
    stop = true;
    swapper.join();
    CHECK(leaks == 0);
    CHECK(opened > 0);
    CHECK(below > 0);
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.served.counters().handles == 0);
    CHECK(f.served.counters().over_forgotten == 0);
}

TEST_CASE("a link is the link, also when the client knows its target and looks it up again and again",
          "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "inside");
    fs::create_symlink("file", f.host("link"));
    const std::uint64_t file = f.node(1, "file");
    for (int round = 0; round < 3; ++round) {
        CHECK(f.node(1, "file") == file);
        const auto link = f.lookup(1, "link").as<wire::EntryOut>();
        CHECK(link.nodeid != file);
        CHECK(abi::is_symlink(link.attr.mode));
        CHECK(f.node(1, "file") == file); // makes passthrough expect what it knows
    }
}

TEST_CASE("special files are known but not opened", "[passthrough]") {
    PassthroughFixture f;
    REQUIRE(::mkfifo(f.host("fifo").c_str(), 0644) == 0);
    const std::uint64_t fifo = f.node(1, "fifo");
    CHECK(f.open(fifo, O_RDONLY).error == Errno::ebadf); // and does not wait for a writer
    CHECK(f.open(fifo, O_WRONLY).error == Errno::ebadf);
    CHECK(f.create(1, "fifo").error == Errno::ebadf);
    CHECK(f.client.call<Opcode::opendir>(fifo).error == Errno::enotdir);
    wire::SetattrIn in{};
    in.valid = wire::kSetattrSize;
    CHECK(f.client.call<Opcode::setattr>(fifo, in).error == Errno::einval);
}

TEST_CASE("a root that is no directory is refused", "[passthrough]") {
    TemporaryDirectory directory;
    backends::PassthroughOptions options;
    options.root = (directory.outside() / "secret").string();
    CHECK_THROWS_AS(backends::Passthrough(options), std::system_error);
    options.root = (directory.outside() / "nothing").string();
    CHECK_THROWS_AS(backends::Passthrough(options), std::system_error);
}
