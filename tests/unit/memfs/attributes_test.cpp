// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Clock {
    std::int64_t sec = 100;
    backends::MemfsOptions options() {
        backends::MemfsOptions with;
        with.clock = [this] { return backends::MemfsTime{sec, 5}; };
        return with;
    }
};

} // namespace

TEST_CASE("times come from the clock that was given") {
    Clock clock;
    Memfs fs(clock.options());
    Client client(fs);
    clock.sec = 200;
    const auto made = client.create(1, "f");
    CHECK(made.entry.attr.mtime == 200);
    CHECK(client.attr(1).mtime == 200);
    CHECK(client.attr(1).atime == 100);
    clock.sec = 300;
    client.write(made.entry.nodeid, made.open.fh, 0, "x");
    const auto attr = client.attr(made.entry.nodeid);
    CHECK(attr.mtime == 300);
    CHECK(attr.mtimensec == 5);
    CHECK(attr.ctime == 300);
    CHECK(attr.atime == 200);
}

TEST_CASE("SETATTR sets what it says, and no more") {
    Clock clock;
    Memfs fs(clock.options());
    Client client(fs);
    const u64 node = client.create(1, "f").entry.nodeid;
    clock.sec = 400;
    wire::SetattrIn in{};
    in.valid = wire::kSetattrAtime | wire::kSetattrMtimeNow;
    in.atime = static_cast<u64>(-5);
    in.atimensec = 7;
    in.mtime = 999;
    in.mode = 0777;
    auto out = client.call<Opcode::setattr>(node, in).out.attr;
    CHECK(static_cast<std::int64_t>(out.atime) == -5);
    CHECK(out.atimensec == 7);
    CHECK(out.mtime == 400);
    CHECK(out.ctime == 400);
    CHECK(out.mode == (abi::kSIfreg | 0644));
    in.valid = wire::kSetattrMode | wire::kSetattrUid | wire::kSetattrGid | wire::kSetattrSize;
    in.mode = abi::kSIfdir | 04711;
    in.uid = 1, in.gid = 2, in.size = 10000;
    out = client.call<Opcode::setattr>(node, in).out.attr;
    CHECK(out.mode == (abi::kSIfreg | 04711));
    CHECK(out.uid == 1);
    CHECK(out.gid == 2);
    CHECK(out.size == 10000);
    CHECK(out.blocks == 0);
}

TEST_CASE("SETATTR refuses impossible sizes and foreign handles") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f", abi::kORdonly);
    wire::SetattrIn in{};
    in.valid = wire::kSetattrSize;
    in.size = u64{1} << 63;
    CHECK(client.call<Opcode::setattr>(made.entry.nodeid, in).error == Errno::efbig);
    CHECK(client.call<Opcode::setattr>(1, in).error == Errno::eisdir);
    in.size = 1;
    in.valid |= wire::kSetattrFh;
    in.fh = made.open.fh;
    CHECK(client.call<Opcode::setattr>(made.entry.nodeid, in).error == Errno::einval);
    in.fh = 77;
    CHECK(client.call<Opcode::setattr>(made.entry.nodeid, in).error == Errno::ebadf);
    CHECK(fs.misuse().bad_handles == 1);
}

TEST_CASE("changing the owner or asking for it drops set-id bits") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f");
    const u64 node = made.entry.nodeid;
    const auto set = [&](u32 valid, u32 mode) {
        wire::SetattrIn in{};
        in.valid = valid;
        in.mode = mode;
        return client.call<Opcode::setattr>(node, in).out.attr.mode & 07777;
    };
    const auto write_with_kill = [&] {
        wire::WriteIn in{};
        in.fh = made.open.fh, in.size = 1, in.write_flags = wire::kWriteKillSuidgid;
        client.call<Opcode::write>(node, in, {.data = to_bytes("x")});
        return client.attr(node).mode & 07777;
    };
    CHECK(set(wire::kSetattrMode, 06755) == 06755);
    CHECK(set(wire::kSetattrUid, 0) == 0755);
    CHECK(set(wire::kSetattrMode, 06745) == 06745); // a set-group-id bit without group execution is a lock mark
    CHECK(set(wire::kSetattrGid, 0) == 02745);
    CHECK(set(wire::kSetattrMode, 06755) == 06755);
    CHECK(set(wire::kSetattrSize | wire::kSetattrKillSuidgid, 0) == 0755);
    CHECK(set(wire::kSetattrMode, 06755) == 06755);
    client.write(node, made.open.fh, 0, "y");
    CHECK((client.attr(node).mode & 07777) == 06755);
    CHECK(write_with_kill() == 0755);
}

TEST_CASE("ACCESS judges by owner, group and others") {
    Memfs fs;
    Client client(fs);
    const auto made = client.call<Opcode::create>(1, {abi::kORdwr, 0640, 0, 0}, {.name = "f", .caller = {10, 20, 1}});
    const auto access = [&](abi::Caller caller, u32 mask) {
        return client.call<Opcode::access>(made.out.entry.nodeid, {mask, 0}, {.caller = caller}).error;
    };
    CHECK(access({10, 20, 1}, abi::kROk | abi::kWOk) == Errno::none);
    CHECK(access({11, 20, 1}, abi::kROk) == Errno::none);
    CHECK(access({11, 20, 1}, abi::kWOk) == Errno::eacces);
    CHECK(access({11, 21, 1}, abi::kROk) == Errno::eacces);
    CHECK(access({11, 21, 1}, abi::kFOk) == Errno::none);
    CHECK(access({0, 0, 1}, abi::kROk | abi::kWOk) == Errno::none);
    CHECK(access({0, 0, 1}, abi::kXOk) == Errno::eacces);
}

TEST_CASE("STATX says the same as GETATTR") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "f");
    client.write(made.entry.nodeid, made.open.fh, 0, "hello");
    const auto attr = client.attr(made.entry.nodeid);
    const auto statx = client.call<Opcode::statx>(made.entry.nodeid).out.stat;
    CHECK(statx.size == attr.size);
    CHECK(statx.mode == attr.mode);
    CHECK(statx.ino == attr.ino);
    CHECK(static_cast<u64>(statx.mtime.tv_sec) == attr.mtime);
    CHECK(statx.blocks == 8);
    CHECK((statx.mask & abi::kStatxBtime) != 0);
}

TEST_CASE("STATFS tells what is left") {
    backends::MemfsOptions options;
    options.capacity = 10 * 4096;
    Memfs fs(options);
    Client client(fs);
    const auto made = client.create(1, "f");
    client.write(made.entry.nodeid, made.open.fh, 0, "x");
    const auto out = client.call<Opcode::statfs>(1).out;
    CHECK(out.blocks == 10);
    CHECK(out.bfree == 9);
    CHECK(out.namelen == 255);
}
