// SPDX-License-Identifier: BSD-2-Clause
// Attributes, names, directories, xattrs and the caller's identity.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"

#include <sys/fsuid.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <set>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using backends::PassthroughAccess;
using wire::InitFlag;
using wire::InitFlags;
using wire::Opcode;

TEST_CASE("GETATTR says what the host says", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "content");
    const Answered answer = f.client.call<Opcode::getattr>(f.node(1, "file"));
    const auto out = answer.as<wire::AttrOut>();
    const struct stat status = f.stat_host("file");
    CHECK(out.attr.ino == status.st_ino);
    CHECK(out.attr.size == 7);
    CHECK(out.attr.blocks == static_cast<std::uint64_t>(status.st_blocks));
    CHECK(out.attr.mode == status.st_mode);
    CHECK(out.attr.nlink == status.st_nlink);
    CHECK(out.attr.uid == status.st_uid);
    CHECK(out.attr.mtime == static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    CHECK(out.attr.mtimensec == status.st_mtim.tv_nsec);
    CHECK(out.attr.blksize == static_cast<std::uint32_t>(status.st_blksize));
    CHECK(out.attr_valid == 1);
    // LOOKUP says the same.
    const auto entry = f.lookup(1, "file").as<wire::EntryOut>();
    CHECK(std::memcmp(&entry.attr, &out.attr, sizeof(wire::Attr)) == 0);
}

TEST_CASE("how long names and attributes may be trusted is the host's choice", "[passthrough]") {
    TemporaryDirectory directory;
    backends::PassthroughOptions options;
    options.root = directory.root().string();
    options.entry_valid = std::chrono::milliseconds(2500);
    options.attr_valid = std::chrono::nanoseconds(0);
    backends::Passthrough served(options);
    Served client(served);
    client.init({});
    fs::create_directory(directory.root() / "d");
    const auto entry = client.call<Opcode::lookup>(1, {}, "d").as<wire::EntryOut>();
    CHECK(entry.entry_valid == 2);
    CHECK(entry.entry_valid_nsec == 500'000'000);
    CHECK(entry.attr_valid == 0);
    CHECK(entry.attr_valid_nsec == 0);
}

TEST_CASE("SETATTR changes what its bits name and nothing else", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "content");
    const std::uint64_t node = f.node(1, "file");
    const struct stat before = f.stat_host("file");
    auto set = [&](wire::SetattrIn in) { return f.client.call<Opcode::setattr>(node, in); };
    wire::SetattrIn in{};
    in.mode = S_IFREG | 0604;
    in.size = 3;
    in.atime = 1000;
    in.atimensec = 5;
    in.mtime = 2000;
    in.mtimensec = 6;

    CHECK(set(in).as<wire::AttrOut>().attr.size == 7); // no bit, no change
    in.valid = wire::kSetattrMode;
    CHECK(set(in).as<wire::AttrOut>().attr.mode == (S_IFREG | 0604));
    CHECK(f.stat_host("file").st_mtim.tv_sec == before.st_mtim.tv_sec);
    in.valid = wire::kSetattrAtime;
    CHECK(set(in).as<wire::AttrOut>().attr.atime == 1000);
    CHECK(f.stat_host("file").st_mtim.tv_sec == before.st_mtim.tv_sec);
    in.valid = wire::kSetattrMtime;
    CHECK(set(in).as<wire::AttrOut>().attr.mtimensec == 6);
    CHECK(f.stat_host("file").st_atim.tv_sec == 1000);
    in.valid = wire::kSetattrAtime | wire::kSetattrAtimeNow | wire::kSetattrMtimeNow;
    CHECK(set(in).ok());
    CHECK(f.stat_host("file").st_atim.tv_sec >= before.st_atim.tv_sec);
    CHECK(f.stat_host("file").st_mtim.tv_sec >= before.st_mtim.tv_sec);
    in.valid = wire::kSetattrSize | wire::kSetattrMtime;
    CHECK(set(in).as<wire::AttrOut>().attr.size == 3);
    CHECK(f.stat_host("file").st_mtim.tv_sec == 2000);
    in.mtime = static_cast<std::uint64_t>(-86400); // before 1970
    in.valid = wire::kSetattrMtime;
    CHECK(set(in).ok());
    CHECK(f.stat_host("file").st_mtim.tv_sec == -86400);
    in.mtimensec = UTIME_NOW;
    CHECK(set(in).error == Errno::einval);
    in.valid = wire::kSetattrSize | wire::kSetattrFh;
    in.fh = f.handle(node, O_RDWR);
    in.size = 100;
    CHECK(set(in).as<wire::AttrOut>().attr.size == 100);
    in.fh = 99;
    CHECK(set(in).error == Errno::ebadf);
}

TEST_CASE("STATX gives the birth time as well, and what was asked for", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "content");
    wire::StatxIn in{};
    in.sx_mask = abi::kStatxBasicStats | abi::kStatxBtime;
    const auto out = f.client.call<Opcode::statx>(f.node(1, "file"), in).as<wire::StatxOut>();
    CHECK(out.stat.size == 7);
    CHECK(out.stat.ino == f.stat_host("file").st_ino);
    CHECK((out.stat.mask & abi::kStatxBasicStats) == abi::kStatxBasicStats);
    CHECK(out.stat.mode == f.stat_host("file").st_mode);
}

TEST_CASE("STATFS and ACCESS", "[passthrough]") {
    PassthroughFixture f;
    const auto out = f.client.call<Opcode::statfs>(1).as<wire::Kstatfs>();
    CHECK(out.blocks > 0);
    CHECK(out.bsize >= 512);
    CHECK(out.namelen == 255);
    f.write_host("file", "x");
    const std::uint64_t node = f.node(1, "file");
    CHECK(f.client.call<Opcode::access>(node, {0, 0}).ok());
    CHECK(f.client.call<Opcode::access>(node, {R_OK | W_OK, 0}).ok());
    CHECK(f.client.call<Opcode::access>(node, {X_OK, 0}).error == Errno::eacces);
    CHECK(f.client.call<Opcode::access>(node, {64, 0}).error == Errno::einval);
}

TEST_CASE("LOOKUP finds what is there, hot and cold", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("a", "1");
    f.write_host("b", "22");
    for (int round = 0; round < 3; ++round) {
        CHECK(f.lookup(1, "a").as<wire::EntryOut>().attr.size == 1);
        CHECK(f.lookup(1, "missing").error == Errno::enoent);
        CHECK(f.lookup(1, "b").as<wire::EntryOut>().attr.size == 2);
    }
    CHECK(f.lookup(1, std::string(256, 'n')).error == Errno::enametoolong);
    CHECK(f.lookup(f.node(1, "a"), "x").error == Errno::enotdir);
    CHECK(f.lookup(4711, "x").error == Errno::estale);
}

TEST_CASE("a name that becomes another file is another node", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "1");
    const std::uint64_t first = f.node(1, "file");
    CHECK(f.node(1, "file") == first);
    for (int round = 0; round < 20; ++round) {
        fs::remove(f.host("file"));
        f.write_host("file", "22");
        const std::uint64_t next = f.node(1, "file");
        CHECK(next != first);
        f.forget(next);
    }
    CHECK(f.attributes(first).nlink == 0);
}

TEST_CASE("links, removal and renaming", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("a", "A");
    f.write_host("b", "B");
    fs::create_directory(f.host("dir"));
    const std::uint64_t dir = f.node(1, "dir");
    const std::uint64_t a = f.node(1, "a");
    const auto linked = f.client.call<Opcode::link>(dir, {a}, "hard").as<wire::EntryOut>();
    CHECK(linked.nodeid == a);
    CHECK(linked.attr.nlink == 2);
    CHECK(f.client.call<Opcode::link>(1, {a}, "b").error == Errno::eexist);
    CHECK(f.client.call<Opcode::link>(1, {dir}, "d2").error == Errno::eperm);

    CHECK(f.client.call<Opcode::rename2>(1, {1, abi::kRenameNoreplace, 0}, "a", "b").error == Errno::eexist);
    CHECK(f.client.call<Opcode::rename2>(1, {1, abi::kRenameExchange, 0}, "a", "b").ok());
    CHECK(f.read_host("a") == "B");
    CHECK(f.client.call<Opcode::rename2>(1, {1, 8, 0}, "a", "b").error == Errno::einval);
    CHECK(f.client.call<Opcode::rename>(1, {dir}, "a", "moved").ok());
    CHECK(f.read_host("dir/moved") == "B");
    CHECK(f.client.call<Opcode::rename>(1, {1}, "missing", "x").error == Errno::enoent);
    CHECK(f.client.call<Opcode::rename>(1, {999}, "b", "x").error == Errno::estale);

    CHECK(f.client.call<Opcode::rmdir>(1, {}, "dir").error == Errno::enotempty);
    CHECK(f.client.call<Opcode::unlink>(1, {}, "dir").error == Errno::eisdir);
    CHECK(f.client.call<Opcode::unlink>(dir, {}, "moved").ok());
    CHECK(f.client.call<Opcode::unlink>(dir, {}, "hard").ok());
    CHECK(f.client.call<Opcode::unlink>(dir, {}, "hard").error == Errno::enoent);
    CHECK(f.client.call<Opcode::rmdir>(1, {}, "b").error == Errno::enotdir);
    CHECK(f.client.call<Opcode::rmdir>(1, {}, "dir").ok());
    CHECK_FALSE(fs::exists(f.host("dir")));
}

TEST_CASE("MKNOD, MKDIR and SYMLINK", "[passthrough]") {
    PassthroughFixture f;
    const auto fifo = f.client.call<Opcode::mknod>(1, {S_IFIFO | 0600, 0, 0, 0}, "fifo").as<wire::EntryOut>();
    CHECK(fifo.attr.mode == (S_IFIFO | 0600));
    CHECK(f.client.call<Opcode::mknod>(1, {S_IFSOCK | 0600, 0, 0, 0}, "socket").ok());
    CHECK(f.client.call<Opcode::mknod>(1, {S_IFREG | 0600, 0, 0, 0}, "file").ok());
    CHECK(f.client.call<Opcode::mknod>(1, {S_IFREG | 0600, 0, 0, 0}, "file").error == Errno::eexist);
    const Answered device = f.client.call<Opcode::mknod>(1, {S_IFCHR | 0600, abi::encode_device(1, 300), 0, 0}, "null");
    if (device.ok()) { // not everybody may
        CHECK(f.stat_host("null").st_rdev == makedev(1, 300));
        CHECK(device.as<wire::EntryOut>().attr.rdev == abi::encode_device(1, 300));
        CHECK(f.open(device.as<wire::EntryOut>().nodeid, O_RDONLY).error == Errno::ebadf);
    }
    CHECK(f.client.call<Opcode::mkdir>(1, {01755, 0}, "dir").as<wire::EntryOut>().attr.mode == (S_IFDIR | 01755));
    CHECK(f.client.call<Opcode::mkdir>(1, {0755, 0}, "dir").error == Errno::eexist);
    CHECK(f.client.call<Opcode::symlink>(1, {}, "link", "a/target/with/slashes").ok());
    CHECK(fs::read_symlink(f.host("link")) == "a/target/with/slashes");
    CHECK(f.client.call<Opcode::readlink>(f.node(1, "file")).error == Errno::einval);
}

TEST_CASE("modes are what the client asked for, whatever the host's umask", "[passthrough]") {
    const mode_t before = ::umask(077);
    {
        PassthroughFixture f;
        CHECK(f.create(1, "file", O_RDWR, S_IFREG | 0666).as<wire::CreateOut>().entry.attr.mode == (S_IFREG | 0666));
        CHECK((f.stat_host("file").st_mode & 07777) == 0666);
        CHECK(f.client.call<Opcode::mkdir>(1, {0775, 0}, "dir").as<wire::EntryOut>().attr.mode == (S_IFDIR | 0775));
        CHECK((f.stat_host("dir").st_mode & 07777) == 0775);
        CHECK(f.client.call<Opcode::mknod>(1, {S_IFIFO | 0622, 0, 0, 0}, "fifo").as<wire::EntryOut>().attr.mode ==
              (S_IFIFO | 0622));
    }
    ::umask(before);
}

TEST_CASE("with DONT_MASK the client's umask is applied here, without it not again", "[passthrough]") {
    const bool ours = GENERATE(false, true);
    PassthroughFixture f(ours ? InitFlags::of(InitFlag::dont_mask) : InitFlags{});
    wire::CreateIn in{};
    in.flags = O_RDWR | O_CREAT;
    in.mode = S_IFREG | 0666;
    in.umask = 027;
    CHECK(f.client.call<Opcode::create>(1, in, "file").ok());
    CHECK((f.stat_host("file").st_mode & 0777) == (ours ? 0640 : 0666));
    CHECK(f.client.call<Opcode::mkdir>(1, {0777, 027}, "dir").ok());
    CHECK((f.stat_host("dir").st_mode & 0777) == (ours ? 0750 : 0777));
}

TEST_CASE("a directory is listed whole in pieces of any size, and from any cookie", "[passthrough]") {
    PassthroughFixture f;
    std::set<std::string> expected{".", ".."};
    for (int i = 0; i < 2000; ++i) {
        const std::string name = "entry-" + std::string(static_cast<std::size_t>(i % 40), 'x') + std::to_string(i);
        f.write_host(name, "");
        expected.insert(name);
    }
    const std::uint64_t fh = f.directory_handle(1);
    const std::uint32_t size = GENERATE(96u, 1000u, 65536u);
    std::vector<Listed> all;
    for (std::uint64_t offset = 0;;) {
        const Answered answer = f.read_directory<Opcode::readdir>(fh, offset, size);
        REQUIRE(answer.ok());
        CHECK(answer.body.size() <= size);
        const auto records = records_of(answer.body, false);
        if (records.empty()) break;
        all.insert(all.end(), records.begin(), records.end());
        offset = records.back().dirent.off;
    }
    std::set<std::string> names;
    for (const Listed& one : all) names.insert(one.name);
    CHECK(all.size() == expected.size());
    CHECK(names == expected);
    // The listing goes on from somewhere in the middle, then from the beginning.
    const std::size_t middle = all.size() / 2;
    const auto again = records_of(f.read_directory<Opcode::readdir>(fh, all[middle].dirent.off, 4096).body, false);
    REQUIRE_FALSE(again.empty());
    CHECK(again[0].name == all[middle + 1].name);
    const auto first = records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false);
    CHECK(first[0].name == all[0].name);
}

TEST_CASE("a rewound directory shows what has happened since", "[passthrough]") {
    PassthroughFixture f;
    const std::uint64_t fh = f.directory_handle(1);
    CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 2);
    f.write_host("new", "");
    CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 3);
    // A rewind works also when nothing of what was read ahead has been taken.
    CHECK(f.read_directory<Opcode::readdir>(fh, 0, 24).error == Errno::einval);
    f.write_host("newer", "");
    CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 4);
}

TEST_CASE("room for not even one record is an error, not the end", "[passthrough]") {
    PassthroughFixture f;
    const std::uint64_t fh = f.directory_handle(1);
    CHECK(f.read_directory<Opcode::readdir>(fh, 0, 24).error == Errno::einval);
    CHECK(f.read_directory<Opcode::readdirplus>(fh, 0, 100).error == Errno::einval);
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.read_directory<Opcode::readdir>(99, 0, 4096).error == Errno::ebadf);
    CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 2);
}

TEST_CASE("extended attributes: set, get, list, remove", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "");
    if (::setxattr(f.host("file").c_str(), "user.probe", "1", 1, 0) != 0) return; // the file system has none
    ::removexattr(f.host("file").c_str(), "user.probe");
    const std::uint64_t node = f.node(1, "file");
    auto set = [&](const std::string& name, const std::string& value, std::uint32_t flags = 0) {
        const wire::SetxattrIn in{static_cast<std::uint32_t>(value.size()), flags, 0, 0};
        const Message message = Message(Opcode::setxattr, node).fixed(in).name(name).data(value);
        return f.client.send_parts(message.split({60, value.size() / 3}));
    };
    auto get = [&](const std::string& name, std::uint32_t size) {
        return f.client.call<Opcode::getxattr>(node, {size, 0}, name);
    };
    const std::string large(1000, 'v');
    CHECK(set("user.key", "value").ok());
    CHECK(set("user.empty", "").ok());
    CHECK(set("user.large", large).ok());
    CHECK(set("user.key", "x", abi::kXattrCreate).error == Errno::eexist);
    CHECK(set("user.none", "x", abi::kXattrReplace).error == Errno::enodata);
    CHECK(set("", "x").error == Errno::erange);
    CHECK(get("user.key", 0).as<wire::GetxattrOut>().size == 5);
    CHECK(get("user.key", 100).text() == "value");
    CHECK(get("user.key", 4).error == Errno::erange);
    CHECK(get("user.large", 65536).text() == large);
    CHECK(get("user.large", 0xffffffff).text() == large);
    CHECK(get("user.empty", 10).text().empty());
    CHECK(get("user.none", 10).error == Errno::enodata);
    const wire::GetxattrIn whole{4096, 0};
    const std::string list = f.client.call<Opcode::listxattr>(node, whole).text();
    CHECK(list.find(std::string("user.large\0", 11)) != std::string::npos);
    CHECK(f.client.call<Opcode::listxattr>(node).as<wire::GetxattrOut>().size == list.size());
    CHECK(f.client.send(Message(Opcode::listxattr, node).fixed(whole), {16, 5}).error == Errno::erange);
    CHECK(f.client.call<Opcode::removexattr>(node, {}, "user.key").ok());
    CHECK(get("user.key", 100).error == Errno::enodata);
    CHECK(::getxattr(f.host("file").c_str(), "user.large", nullptr, 0) == 1000);
}

TEST_CASE("a read-only server changes nothing", "[passthrough]") {
    PassthroughFixture f({}, PassthroughAccess::read_only);
    f.write_host("file", "content");
    fs::create_directory(f.host("dir"));
    const std::uint64_t node = f.node(1, "file");
    CHECK(f.open(node, O_WRONLY).error == Errno::erofs);
    CHECK(f.open(node, O_RDONLY | O_TRUNC).error == Errno::erofs);
    CHECK(f.create(1, "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::mkdir>(1, {0755, 0}, "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::mknod>(1, {S_IFREG, 0, 0, 0}, "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::symlink>(1, {}, "new", "t").error == Errno::erofs);
    CHECK(f.client.call<Opcode::link>(1, {node}, "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::tmpfile>(1, {}, "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::unlink>(1, {}, "file").error == Errno::erofs);
    CHECK(f.client.call<Opcode::rmdir>(1, {}, "dir").error == Errno::erofs);
    CHECK(f.client.call<Opcode::rename>(1, {1}, "file", "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::rename2>(1, {1, 0, 0}, "file", "new").error == Errno::erofs);
    CHECK(f.client.call<Opcode::setattr>(node).error == Errno::erofs);
    CHECK(f.client.send(Message(Opcode::setxattr, node).data(std::string(8, '\0')).name("user.x")).error ==
          Errno::erofs);
    CHECK(f.client.call<Opcode::removexattr>(node, {}, "user.x").error == Errno::erofs);
    CHECK(f.client.call<Opcode::access>(node, {W_OK, 0}).error == Errno::erofs);
    const std::uint64_t fh = f.handle(node, O_RDONLY);
    wire::FallocateIn allocate{};
    allocate.fh = fh;
    allocate.length = 1;
    CHECK(f.client.send(Message(Opcode::fallocate).fixed(allocate)).error == Errno::ebadf);
    CHECK(f.read(fh, 0, 100).text() == "content");
    CHECK(f.read_host("file") == "content");
}

TEST_CASE("as root, new files belong to the caller, and its rights count", "[passthrough][root]") {
    if (::geteuid() != 0) return test::skip("only root may do this");
    PassthroughFixture f(InitFlags::of(InitFlag::create_supp_group, InitFlag::init_ext));
    REQUIRE(::chmod(f.directory.outside().c_str(), 0755) == 0);
    auto mkdir_as = [&](std::uint32_t uid, std::uint32_t gid, const std::string& name,
                        const std::string& extensions = "") {
        Message message = Message(Opcode::mkdir).fixed(wire::MkdirIn{0755, 0}).name(name).owner(uid, gid);
        if (!extensions.empty()) message.extension(extensions);
        return f.client.send(message);
    };
    CHECK(mkdir_as(1000, 1000, "denied").error == Errno::eacces); // the root directory is root's
    REQUIRE(::chmod(f.directory.root().c_str(), 0777) == 0);
    CHECK(mkdir_as(1000, 1001, "theirs").as<wire::EntryOut>().attr.uid == 1000);
    CHECK(f.stat_host("theirs").st_gid == 1001);
    CHECK(mkdir_as(0, 0, "ours").as<wire::EntryOut>().attr.uid == 0);

    wire::CreateIn in{};
    in.flags = O_RDWR | O_CREAT;
    in.mode = S_IFREG | 0600;
    CHECK(f.client.send(Message(Opcode::create).fixed(in).name("file").owner(1000, 1001)).ok());
    CHECK(f.stat_host("file").st_uid == 1000);
    CHECK(f.client.send(Message(Opcode::symlink).name("link").name("t").owner(1000, 1001)).ok());
    CHECK(f.stat_host("link").st_uid == 1000);
    CHECK(f.client.send(Message(Opcode::tmpfile).fixed(in).name("").owner(1000, 1001))
              .as<wire::CreateOut>()
              .entry.attr.uid == 1000);
    CHECK(mkdir_as(0xffffffff, 0xffffffff, "nobody").error == Errno::einval);

    // A directory only a supplementary group may write to.
    fs::create_directory(f.host("group"));
    REQUIRE(::chown(f.host("group").c_str(), 0, 2000) == 0);
    REQUIRE(::chmod(f.host("group").c_str(), 02770) == 0);
    const std::uint64_t group = f.node(1, "group");
    auto mkdir_there = [&](const std::string& name, const std::string& extensions) {
        Message message = Message(Opcode::mkdir, group).fixed(wire::MkdirIn{0755, 0}).name(name).owner(1000, 1001);
        if (!extensions.empty()) message.extension(extensions);
        return f.client.send(message);
    };
    CHECK(mkdir_there("no", "").error == Errno::eacces);
    const std::uint32_t words[4] = {16, wire::kExtGroups, 1, 2000};
    const std::string groups(reinterpret_cast<const char*>(words), sizeof(words));
    const Answered made = mkdir_there("yes", groups);
    CHECK(made.ok());
    CHECK(f.stat_host("group/yes").st_gid == 2000);
    CHECK((f.stat_host("group/yes").st_mode & S_ISGID) != 0);
    CHECK(mkdir_there("again", "").error == Errno::eacces); // the group went with its request
    const std::uint32_t lie[4] = {16, wire::kExtGroups, 1000, 2000};
    CHECK(mkdir_there("lie", {reinterpret_cast<const char*>(lie), sizeof(lie)}).error == Errno::einval);

    // ACCESS asks for the caller; and this thread is root again.
    const std::uint64_t file = f.node(1, "file");
    CHECK(f.client.send(Message(Opcode::access, file).fixed(wire::AccessIn{R_OK, 0}).owner(1000, 1)).ok());
    CHECK(f.client.send(Message(Opcode::access, file).fixed(wire::AccessIn{R_OK, 0}).owner(1002, 1)).error ==
          Errno::eacces);
    CHECK(::setfsuid(static_cast<uid_t>(-1)) == 0);
    CHECK(::getgroups(0, nullptr) == 0);
}

TEST_CASE("reading a read-only share leaves the times of the host's files alone", "[passthrough]") {
    const auto access = GENERATE(backends::PassthroughAccess::read_write, backends::PassthroughAccess::read_only);
    PassthroughFixture f({}, access);
    f.write_host("file", "abc");
    fs::create_directory(f.host("dir"));
    const struct timespec long_ago[2] = {{1000, 0}, {2000, 0}}; // read before it was written: relatime updates that
    for (const char* name : {"file", "dir"}) {
        REQUIRE(::utimensat(AT_FDCWD, f.host(name).c_str(), long_ago, 0) == 0);
    }
    CHECK(f.read(f.handle(f.node(1, "file"), O_RDONLY), 0, 3).text() == "abc");
    f.read_directory<Opcode::readdir>(f.directory_handle(f.node(1, "dir")), 0, 4096);
    const bool file_moved = f.stat_host("file").st_atim.tv_sec != 1000;
    const bool dir_moved = f.stat_host("dir").st_atim.tv_sec != 1000;
    if (access == backends::PassthroughAccess::read_only) {
        CHECK_FALSE(file_moved);
        CHECK_FALSE(dir_moved);
    } else if (!file_moved || !dir_moved) {
        skip("the host's file system is mounted with noatime: it proves nothing");
    }
}
