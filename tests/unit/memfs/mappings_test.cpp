// SPDX-License-Identifier: BSD-2-Clause
// SETUPMAPPING and REMOVEMAPPING: files of memfs in a shared memory window.
#include "mapped_fixture.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("memfs maps a file where the client says, and unmaps it") {
    MappedMemoryFile f;
    f.write(0, std::string(kPage, 'a') + std::string(100, 'b'));
    CHECK_FALSE(f.is_there(1));
    REQUIRE(f.map(f.node, 0, 2, kRead, 1) == Errno::none);
    CHECK(f.at(kPage) == 'a');
    CHECK(f.at(2 * kPage) == 'b');
    CHECK(f.at(2 * kPage + 100) == 0); // to the end of the page
    CHECK_FALSE(f.is_there(0));
    CHECK_FALSE(f.is_there(3));
    REQUIRE(f.unmap(1, 1) == Errno::none);
    CHECK_FALSE(f.is_there(1));
    CHECK(f.at(2 * kPage) == 'b'); // a part of a mapping goes, and the rest stays
    CHECK(f.read(kPage - 1, 3) == "abb");
    CHECK(f.fs.misuse().stale_nodes == 0);
}

TEST_CASE("memfs: what is written through a mapping is read by READ, and the other way round") {
    MappedMemoryFile f;
    f.write(0, std::string(2 * kPage, 'a'));
    REQUIRE(f.map(f.node, 0, 2, kBoth, 0) == Errno::none);
    f.put(10, "mapped");
    CHECK(f.read(9, 8) == "amappeda");
    f.write(kPage - 2, "request");
    CHECK(f.at(kPage - 2) == 'r');
    CHECK(f.at(kPage + 4) == 't');
    REQUIRE(f.unmap(0, 2) == Errno::none);
    CHECK(f.read(10, 6) == "mapped");
    const u64 second = f.client.call<Opcode::open>(f.node, {abi::kORdonly, 0}).out.fh;
    CHECK(f.client.read(f.node, second, kPage - 2, 7) == "request");
}

TEST_CASE("memfs: holes of a mapped file are zeros, and what FALLOCATE takes out is zero in the window") {
    MappedMemoryFile f;
    f.write(3 * kPage, "far");
    REQUIRE(f.map(f.node, 0, 4, kBoth, 0) == Errno::none);
    CHECK(f.at(0) == 0);
    CHECK(f.at(3 * kPage) == 'f');
    f.put(kPage, std::string(kPage, 'x'));
    CHECK(f.read(kPage, 3) == "xxx");
    REQUIRE(f.allocate(abi::kFallocPunchHole | abi::kFallocKeepSize, kPage + 1, 2 * kPage) == Errno::none);
    CHECK(f.at(kPage) == 'x');
    CHECK(f.at(kPage + 1) == 0);
    CHECK(f.at(3 * kPage) == 0);
    CHECK(f.at(3 * kPage + 1) == 'a');
    CHECK(f.read(3 * kPage, 3) == std::string("\0ar", 3));
}

TEST_CASE("memfs: a file that becomes shorter leaves its mapping, and one that grows fills it with zeros") {
    MappedMemoryFile f;
    f.write(0, std::string(3 * kPage, 'a'));
    REQUIRE(f.map(f.node, 0, 4, kBoth, 0) == Errno::none);
    CHECK_FALSE(f.is_there(3));
    REQUIRE(f.resize(f.node, kPage + 10) == Errno::none);
    CHECK_FALSE(f.is_there(2));
    CHECK(f.at(kPage + 9) == 'a');
    CHECK(f.at(kPage + 10) == 0);
    f.put(kPage + 10, "behind the end");
    SECTION("by SETATTR") { REQUIRE(f.resize(f.node, 3 * kPage) == Errno::none); }
    SECTION("by a WRITE behind its end") { f.write(3 * kPage - 1, "z"); }
    SECTION("by FALLOCATE") { REQUIRE(f.allocate(0, 2 * kPage, kPage) == Errno::none); }
    CHECK(f.at(kPage + 9) == 'a');
    CHECK(f.at(kPage + 10) == 0);
    CHECK(f.at(kPage + 20) == 0);
    CHECK(f.at(2 * kPage) == 0);
    CHECK(f.read(kPage + 8, 5) == std::string("aa\0\0\0", 5));
    CHECK_FALSE(f.is_there(3));
}

// virtio 1.2 §5.11.6: a mapping that overlaps another one replaces it there.
TEST_CASE("memfs replaces what was mapped there, and knows what is left of it") {
    MappedMemory f;
    const auto first = f.client.create(1, "first");
    const auto second = f.client.create(1, "second");
    f.client.write(first.entry.nodeid, first.open.fh, 0, std::string(4 * kPage, '1'));
    f.client.write(second.entry.nodeid, second.open.fh, 0, std::string(4 * kPage, '2'));
    REQUIRE(f.map(first.entry.nodeid, 0, 4, kRead, 0) == Errno::none);
    REQUIRE(f.map(second.entry.nodeid, 1, 1, kRead, 1) == Errno::none);
    CHECK(f.at(0) == '1');
    CHECK(f.at(kPage) == '2');
    CHECK(f.at(2 * kPage) == '1');
    // Each is in use for as long as a piece of it is mapped.
    for (const auto& [made, name] :
         {std::pair(first, std::string_view("first")), std::pair(second, std::string_view("second"))}) {
        REQUIRE(f.client.release(made.entry.nodeid, made.open.fh) == Errno::none);
        REQUIRE(f.unlink(name) == Errno::none);
        f.client.forget(made.entry.nodeid, 1);
    }
    CHECK(f.fs.nodes() == 3);
    REQUIRE(f.unmap(1, 1) == Errno::none);
    CHECK(f.fs.nodes() == 2);
    REQUIRE(f.unmap(0, 3) == Errno::none);
    CHECK(f.fs.nodes() == 2);
    CHECK(f.at(3 * kPage) == '1');
    REQUIRE(f.unmap(3, 1) == Errno::none);
    CHECK(f.fs.nodes() == 1);
    CHECK(f.fs.used_bytes() == 0);
    CHECK(f.fs.memory_files() == 0);
}

TEST_CASE("memfs: a file is mapped in the place of itself, and stays") {
    MappedMemoryFile f;
    f.write(0, "content");
    REQUIRE(f.map(f.node, 0, 1, kRead, 0) == Errno::none);
    REQUIRE(f.client.release(f.node, f.fh) == Errno::none);
    REQUIRE(f.unlink("f") == Errno::none);
    REQUIRE(f.map(f.node, 0, 1, kBoth, 0) == Errno::none);
    f.client.forget(f.node, 1);
    CHECK(f.fs.nodes() == 2);
    CHECK(f.at(0) == 'c');
    f.put(0, "C");
    // Nobody can map it once more, as nobody knows it.
    CHECK(f.map(f.node, 0, 1, kRead, 1) == Errno::estale);
    REQUIRE(f.unmap(0, kPages) == Errno::none);
    CHECK(f.fs.nodes() == 1);
}

TEST_CASE("memfs refuses mappings that leave the window or make no sense, and changes nothing") {
    MappedMemoryFile f;
    f.write(0, std::string(kPage, 'a'));
    REQUIRE(f.map(f.node, 0, 1, kRead, 0) == Errno::none);
    const wire::SetupmappingIn bad = GENERATE(from_range(bad_mappings()));
    CHECK(f.client.call<Opcode::setupmapping>(f.node, bad).error == Errno::einval);
    CHECK(f.at(0) == 'a');
    CHECK(f.blocks() == 1);
}

TEST_CASE("memfs refuses removals that leave the window before it removes anything") {
    MappedMemoryFile f;
    f.write(0, "a");
    REQUIRE(f.map(f.node, 0, 1, kRead, 0) == Errno::none);
    check_bad_removals(f);
}

TEST_CASE("memfs maps regular files alone, that the client knows") {
    MappedMemoryFile f;
    const auto fifo = f.client.call<Opcode::mknod>(1, {abi::kSIfifo | 0600, 0, 0, 0}, {.name = "fifo"}).out;
    const auto link = f.client.call<Opcode::symlink>(1, {}, {.name = "link", .second = "f"}).out;
    CHECK(f.map(1, 0, 1, kRead, 0) == Errno::ebadf);
    CHECK(f.map(fifo.nodeid, 0, 1, kRead, 0) == Errno::ebadf);
    CHECK(f.map(link.nodeid, 0, 1, kRead, 0) == Errno::ebadf);
    CHECK(f.map(f.node + 1000, 0, 1, kRead, 0) == Errno::estale);
    CHECK_FALSE(f.is_there(0));
    CHECK(f.fs.memory_files() == 0);
}

TEST_CASE("memfs: the times of a file change when a mapping to write begins and when it ends") {
    std::int64_t now = 100;
    backends::MemfsOptions options;
    options.clock = [&now] { return backends::MemfsTime{now, 0}; };
    MappedMemoryFile f(options);
    f.write(0, "a");
    now = 200;
    REQUIRE(f.map(f.node, 0, 1, kRead, 0) == Errno::none);
    REQUIRE(f.unmap(0, 1) == Errno::none);
    CHECK(f.client.attr(f.node).mtime == 100);
    REQUIRE(f.map(f.node, 0, 1, kBoth, 0) == Errno::none);
    CHECK(f.client.attr(f.node).mtime == 200);
    now = 300;
    REQUIRE(f.unmap(0, 1) == Errno::none);
    CHECK(f.client.attr(f.node).mtime == 300);
    CHECK(f.client.attr(f.node).ctime == 300);
}

TEST_CASE("memfs: mappings end with the session, and files that only they kept") {
    MappedMemoryFile f;
    f.write(0, "content");
    REQUIRE(f.map(f.node, 0, 1, kBoth, 3) == Errno::none);
    SECTION("a file with a name stays as it is") {
        f.put(3 * kPage, "C");
        f.fs.on_destroy();
        CHECK_FALSE(f.is_there(3));
        const auto again = f.client.lookup(1, "f");
        const u64 fh = f.client.call<Opcode::open>(again.nodeid, {abi::kORdonly, 0}).out.fh;
        CHECK(f.client.read(again.nodeid, fh, 0, 100) == "Content");
    }
    SECTION("one without goes") {
        REQUIRE(f.unlink("f") == Errno::none);
        f.fs.on_destroy();
        CHECK_FALSE(f.is_there(3));
        CHECK(f.fs.nodes() == 1);
        CHECK(f.fs.memory_files() == 0);
        CHECK(f.fs.used_bytes() == 0);
    }
}

TEST_CASE("memfs says the alignment of its window; without one it says nothing, and ENOSYS to mappings") {
    MappedMemory with;
    CHECK(with.fs.options().flags.has(wire::InitFlag::map_alignment));
    CHECK(with.fs.options().map_alignment == 12);
    Memfs without;
    CHECK_FALSE(without.options().flags.has(wire::InitFlag::map_alignment));
    Client client(without);
    const u64 node = client.create(1, "f").entry.nodeid;
    CHECK(client.call<Opcode::setupmapping>(node, {0, 0, kPage, kRead, 0}).error == Errno::enosys);
    CHECK(client.call<Opcode::removemapping>(node, {1}, {.data = Bytes(16)}).error == Errno::enosys);
}
