// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

Errno rename_of(Client& client, u64 from, wire::Name old_name, u64 to, wire::Name new_name, u32 flags = 0) {
    return client.call<Opcode::rename2>(from, {to, flags, 0}, {.name = old_name, .second = new_name}).error;
}
Errno lookup_error(Client& client, u64 parent, wire::Name name) {
    return client.call<Opcode::lookup>(parent, {}, {.name = name}).error;
}
Errno unlink_of(Client& client, u64 parent, wire::Name name) {
    return client.call<Opcode::unlink>(parent, {}, {.name = name}).error;
}
Errno rmdir_of(Client& client, u64 parent, wire::Name name) {
    return client.call<Opcode::rmdir>(parent, {}, {.name = name}).error;
}

} // namespace

TEST_CASE("a created file can be found and has the caller's ids and the masked mode") {
    Memfs fs;
    Client client(fs);
    const auto made = client.call<Opcode::create>(1, {abi::kORdwr, abi::kSIfreg | 0666, 022, 0},
                                                  {.name = "f", .caller = {1000, 100, 1}});
    REQUIRE(made.error == Errno::none);
    CHECK(made.out.entry.nodeid == 2);
    const auto found = client.lookup(1, "f");
    CHECK(found.nodeid == 2);
    CHECK(found.attr.mode == (abi::kSIfreg | 0644));
    CHECK(found.attr.uid == 1000);
    CHECK(found.attr.gid == 100);
    CHECK(found.attr.nlink == 1);
    CHECK(lookup_error(client, 1, "g") == Errno::enoent);
    CHECK(lookup_error(client, 2, "g") == Errno::enotdir);
    CHECK(lookup_error(client, 1, "a/b") == Errno::einval);
    CHECK(lookup_error(client, 1, std::string(256, 'x')) == Errno::enametoolong);
    CHECK(lookup_error(client, 1, std::string(255, 'x')) == Errno::enoent);
    CHECK(lookup_error(client, 99, "f") == Errno::estale);
    CHECK(fs.misuse().stale_nodes == 1);
}

TEST_CASE("creating what is there fails or opens it, as the flags say") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f");
    client.write(made.entry.nodeid, made.open.fh, 0, "hello");
    const auto exclusive = client.call<Opcode::create>(1, {abi::kORdwr | abi::kOExcl, 0644, 0, 0}, {.name = "f"});
    CHECK(exclusive.error == Errno::eexist);
    CHECK(client.create(1, "f").entry.nodeid == made.entry.nodeid);
    CHECK(client.attr(made.entry.nodeid).size == 5);
    CHECK(client.create(1, "f", abi::kORdwr | abi::kOTrunc).entry.attr.size == 0);
    client.mkdir(1, "d");
    CHECK(client.call<Opcode::create>(1, {abi::kORdwr, 0644, 0, 0}, {.name = "d"}).error == Errno::eisdir);
    CHECK(client.call<Opcode::mkdir>(1, {0755, 0}, {.name = "f"}).error == Errno::eexist);
    CHECK(client.call<Opcode::mkdir>(1, {0755, 0}, {.name = "."}).error == Errno::eexist);
    CHECK(client.call<Opcode::mknod>(1, {abi::kSIfdir | 0755, 0, 0, 0}, {.name = "x"}).error == Errno::eperm);
    CHECK(client.call<Opcode::mknod>(1, {abi::kSIflnk | 0755, 0, 0, 0}, {.name = "x"}).error == Errno::einval);
    const auto device = client.call<Opcode::mknod>(1, {abi::kSIfchr | 0600, 0x103, 0, 0}, {.name = "x"});
    CHECK(device.out.attr.rdev == 0x103);
}

TEST_CASE("link counts of directories count their subdirectories") {
    Memfs fs;
    Client client(fs);
    const u64 a = client.mkdir(1, "a");
    const u64 b = client.mkdir(1, "b");
    client.mkdir(a, "sub");
    CHECK(client.attr(1).nlink == 4);
    CHECK(client.attr(a).nlink == 3);
    CHECK(rename_of(client, a, "sub", b, "sub") == Errno::none);
    CHECK(client.attr(a).nlink == 2);
    CHECK(client.attr(b).nlink == 3);
    CHECK(client.lookup(client.lookup(b, "sub").nodeid, "..").nodeid == b);
    CHECK(rmdir_of(client, b, "sub") == Errno::none);
    CHECK(client.attr(b).nlink == 2);
}

TEST_CASE("removing names obeys POSIX") {
    Memfs fs;
    Client client(fs);
    const u64 d = client.mkdir(1, "d");
    client.create(d, "f");
    CHECK(rmdir_of(client, 1, "d") == Errno::enotempty);
    CHECK(unlink_of(client, 1, "d") == Errno::eisdir);
    CHECK(rmdir_of(client, d, "f") == Errno::enotdir);
    CHECK(rmdir_of(client, d, ".") == Errno::einval);
    CHECK(rmdir_of(client, d, "..") == Errno::enotempty);
    CHECK(unlink_of(client, d, "none") == Errno::enoent);
    CHECK(unlink_of(client, d, "f") == Errno::none);
    CHECK(rmdir_of(client, 1, "d") == Errno::none);
    // It lives on without a name, and nothing can be made in it.
    CHECK(client.attr(d).nlink == 0);
    CHECK(client.call<Opcode::mkdir>(d, {0755, 0}, {.name = "x"}).error == Errno::enoent);
    CHECK(lookup_error(client, d, "..") == Errno::enoent);
}

TEST_CASE("a directory removed below one removed is safe to use until it is forgotten") {
    Memfs fs;
    Client client(fs);
    const u64 a = client.mkdir(1, "a");
    const u64 b = client.mkdir(a, "b");
    client.mkdir(1, "f");
    CHECK(rmdir_of(client, a, "b") == Errno::none);
    CHECK(rmdir_of(client, 1, "a") == Errno::none);
    client.forget(a, 1);
    CHECK(fs.nodes() == 3);
    CHECK(lookup_error(client, b, "..") == Errno::enoent);
    CHECK(rename_of(client, 1, "f", b, "f") == Errno::enoent);
    client.forget(b, 1);
    CHECK(fs.nodes() == 2);
    CHECK(fs.misuse().over_forgets == 0);
}

TEST_CASE("an unlinked file lives while it is open or known") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f");
    const u64 node = made.entry.nodeid;
    client.write(node, made.open.fh, 0, "still here");
    CHECK(unlink_of(client, 1, "f") == Errno::none);
    CHECK(client.attr(node).nlink == 0);
    CHECK(client.read(node, made.open.fh, 0, 100) == "still here");
    CHECK(client.call<Opcode::link>(1, {node}, {.name = "g"}).error == Errno::enoent);
    CHECK(client.release(node, made.open.fh) == Errno::none);
    CHECK(fs.nodes() == 2);
    client.forget(node, 1);
    CHECK(fs.nodes() == 1);
    CHECK(fs.used_bytes() == 0);
    CHECK(client.call<Opcode::getattr>(node).error == Errno::estale);
}

TEST_CASE("hard links share one file") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f");
    const auto link = client.call<Opcode::link>(1, {made.entry.nodeid}, {.name = "g"});
    REQUIRE(link.error == Errno::none);
    CHECK(link.out.nodeid == made.entry.nodeid);
    CHECK(link.out.attr.nlink == 2);
    CHECK(fs.lookups_of(made.entry.nodeid) == 2);
    CHECK(client.call<Opcode::link>(1, {made.entry.nodeid}, {.name = "g"}).error == Errno::eexist);
    CHECK(client.call<Opcode::link>(1, {client.mkdir(1, "d")}, {.name = "h"}).error == Errno::eperm);
    // Names of one file: a rename does nothing, and both stay.
    CHECK(rename_of(client, 1, "f", 1, "g") == Errno::none);
    CHECK(client.lookup(1, "f").nodeid == client.lookup(1, "g").nodeid);
    CHECK(unlink_of(client, 1, "f") == Errno::none);
    CHECK(client.attr(made.entry.nodeid).nlink == 1);
}

TEST_CASE("renames replace what may be replaced and refuse the rest") {
    Memfs fs;
    Client client(fs);
    const u64 f = client.create(1, "f").entry.nodeid;
    const u64 g = client.create(1, "g").entry.nodeid;
    const u64 d = client.mkdir(1, "d");
    const u64 e = client.mkdir(1, "e");
    const u64 sub = client.mkdir(d, "sub");
    CHECK(rename_of(client, 1, "none", 1, "x") == Errno::enoent);
    CHECK(rename_of(client, 1, "f", 1, "d") == Errno::eisdir);
    CHECK(rename_of(client, 1, "d", 1, "f") == Errno::enotdir);
    CHECK(rename_of(client, 1, "e", 1, "d") == Errno::enotempty);
    CHECK(rename_of(client, 1, "d", sub, "x") == Errno::einval);
    CHECK(rename_of(client, 1, "d", d, "x") == Errno::einval);
    CHECK(rename_of(client, d, "sub", 1, "d") == Errno::enotempty);
    CHECK(rename_of(client, 1, ".", 1, "x") == Errno::ebusy);
    CHECK(rename_of(client, 1, "f", 1, "..") == Errno::ebusy);
    CHECK(rename_of(client, 1, "f", 1, std::string(256, 'n')) == Errno::enametoolong);
    CHECK(rename_of(client, 1, "f", 1, "f") == Errno::none);
    CHECK(client.lookup(1, "f").nodeid == f);
    CHECK(rename_of(client, 1, "f", 1, "g") == Errno::none);
    CHECK(client.lookup(1, "g").nodeid == f);
    CHECK(client.attr(g).nlink == 0);
    CHECK(rename_of(client, 1, "d", 1, "e") == Errno::none);
    CHECK(client.lookup(1, "e").nodeid == d);
    CHECK(client.attr(e).nlink == 0);
    CHECK(client.attr(1).nlink == 3);
    CHECK(client.call<Opcode::rename>(1, {d}, {.name = "g", .second = "moved"}).error == Errno::none);
    CHECK(client.lookup(d, "moved").nodeid == f);
}

TEST_CASE("the flags of rename2 do what renameat2 says") {
    Memfs fs;
    Client client(fs);
    const u64 f = client.create(1, "f").entry.nodeid;
    const u64 d = client.mkdir(1, "d");
    const u64 in_d = client.mkdir(d, "sub");
    const u32 exchange = abi::kRenameExchange;
    CHECK(rename_of(client, 1, "f", 1, "d", abi::kRenameNoreplace) == Errno::eexist);
    CHECK(rename_of(client, 1, "f", 1, "new", abi::kRenameNoreplace) == Errno::none);
    CHECK(rename_of(client, 1, "new", 1, "none", exchange) == Errno::enoent);
    CHECK(rename_of(client, 1, "new", 1, "f", exchange | abi::kRenameNoreplace) == Errno::einval);
    CHECK(rename_of(client, 1, "new", 1, "f", exchange | abi::kRenameWhiteout) == Errno::einval);
    CHECK(rename_of(client, 1, "new", 1, "f", 8) == Errno::einval);
    CHECK(rename_of(client, 1, "d", d, "sub", exchange) == Errno::einval);
    CHECK(rename_of(client, d, "sub", 1, "d", exchange) == Errno::einval);
    CHECK(rename_of(client, 1, "new", d, "sub", exchange) == Errno::none);
    CHECK(client.lookup(1, "new").nodeid == in_d);
    CHECK(client.lookup(d, "sub").nodeid == f);
    CHECK(client.attr(d).nlink == 2);
    CHECK(client.attr(1).nlink == 4);
    CHECK(client.lookup(in_d, "..").nodeid == 1);
    CHECK(rename_of(client, d, "sub", 1, "f", abi::kRenameWhiteout) == Errno::none);
    const auto whiteout = client.lookup(d, "sub");
    CHECK(whiteout.attr.mode == abi::kSIfchr);
    CHECK(whiteout.attr.rdev == 0);
}

TEST_CASE("symlinks keep their target") {
    Memfs fs;
    Client client(fs);
    const std::string target(4095, 't');
    const auto made = client.call<Opcode::symlink>(1, {}, {.name = "s", .second = target});
    REQUIRE(made.error == Errno::none);
    CHECK(made.out.attr.size == 4095);
    CHECK(made.out.attr.mode == (abi::kSIflnk | 0777));
    CHECK(to_text(client.call<Opcode::readlink>(made.out.nodeid).data) == target);
    CHECK(client.call<Opcode::readlink>(1).error == Errno::einval);
    CHECK(client.call<Opcode::symlink>(1, {}, {.name = "e"}).error == Errno::enoent);
    CHECK(client.call<Opcode::open>(made.out.nodeid, {}).error == Errno::eloop);
}

TEST_CASE("a nameless file can get one name, unless it was made exclusive") {
    Memfs fs;
    Client client(fs);
    const auto made = client.call<Opcode::tmpfile>(1, {abi::kORdwr, 0600, 0, 0}, {.name = "ignored"});
    REQUIRE(made.error == Errno::none);
    CHECK(made.out.entry.attr.nlink == 0);
    CHECK(lookup_error(client, 1, "ignored") == Errno::enoent);
    client.write(made.out.entry.nodeid, made.out.open.fh, 0, "x");
    CHECK(client.call<Opcode::link>(1, {made.out.entry.nodeid}, {.name = "named"}).error == Errno::none);
    CHECK(client.lookup(1, "named").attr.nlink == 1);
    const auto hidden = client.call<Opcode::tmpfile>(1, {abi::kORdwr | abi::kOExcl, 0600, 0, 0}, {.name = ""});
    CHECK(client.call<Opcode::link>(1, {hidden.out.entry.nodeid}, {.name = "no"}).error == Errno::enoent);
    CHECK(client.call<Opcode::tmpfile>(1, {abi::kORdonly, 0600, 0, 0}, {.name = ""}).error == Errno::einval);
}

TEST_CASE("a set-group-id directory hands its group on") {
    Memfs fs;
    Client client(fs);
    const u64 d = client.mkdir(1, "d");
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode | wire::kSetattrGid;
    in.mode = abi::kSIsgid | 0775;
    in.gid = 50;
    CHECK(client.call<Opcode::setattr>(d, in).error == Errno::none);
    const auto file = client.call<Opcode::create>(d, {abi::kORdwr, 0644, 0, 0}, {.name = "f", .caller = {7, 8, 9}});
    CHECK(file.out.entry.attr.gid == 50);
    CHECK((file.out.entry.attr.mode & abi::kSIsgid) == 0);
    const auto sub = client.call<Opcode::mkdir>(d, {0755, 0}, {.name = "s", .caller = {7, 8, 9}});
    CHECK(sub.out.attr.gid == 50);
    CHECK((sub.out.attr.mode & abi::kSIsgid) != 0);
}
