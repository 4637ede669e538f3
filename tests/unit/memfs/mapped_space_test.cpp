// SPDX-License-Identifier: BSD-2-Clause
// Mapped files of memfs take blocks of its space, and descriptors of the process.
#include "mapped_fixture.hpp"
#include "support/no_more_descriptors.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

backends::MemfsOptions with_blocks(u64 blocks) {
    backends::MemfsOptions options;
    options.capacity = blocks * kPage;
    return options;
}

std::string name_of(std::size_t number) { return "f" + std::to_string(number); }

} // namespace

TEST_CASE("a mapping takes the blocks it reaches, to the end of the file, and gives none back") {
    MappedMemoryFile f(with_blocks(4));
    REQUIRE(f.resize(f.node, 2 * kPage + 1) == Errno::none);
    CHECK(f.blocks() == 0);
    REQUIRE(f.map(f.node, 1, 7, kRead, 0) == Errno::none); // to read: Linux takes memory for a hole that is read
    CHECK(f.blocks() == 2);
    REQUIRE(f.unmap(0, 7) == Errno::none);
    CHECK(f.blocks() == 2);
    CHECK(f.fs.used_bytes() == 2 * kPage);
    REQUIRE(f.resize(f.node, 0) == Errno::none);
    CHECK(f.fs.used_bytes() == 0);
}

TEST_CASE("a mapping for which there is no space is ENOSPC, and READ and WRITE do what they can") {
    MappedMemoryFile f(with_blocks(2));
    REQUIRE(f.resize(f.node, 3 * kPage) == Errno::none);
    CHECK(f.map(f.node, 0, 3, kBoth, 0) == Errno::enospc);
    CHECK_FALSE(f.is_there(0));
    CHECK(f.write(kPage, "there") == 5);
    CHECK(f.read(kPage, 5) == "there");
    REQUIRE(f.map(f.node, 1, 2, kBoth, 0) == Errno::none);
    CHECK(f.at(0) == 't');
    CHECK(f.fs.used_bytes() == 2 * kPage);
}

TEST_CASE("a mapped file grows as far as there is space for what is mapped of it") {
    MappedMemoryFile f(with_blocks(3));
    f.write(0, "a");
    REQUIRE(f.map(f.node, 0, kPages, kBoth, 0) == Errno::none);
    CHECK(f.blocks() == 1);
    CHECK(f.resize(f.node, 4 * kPage) == Errno::enospc);
    CHECK(f.client.attr(f.node).size == 1);
    CHECK_FALSE(f.is_there(1));
    REQUIRE(f.resize(f.node, 3 * kPage) == Errno::none);
    CHECK(f.blocks() == 3);
    f.put(2 * kPage, "z");
    wire::WriteIn far{};
    far.fh = f.fh, far.offset = 5 * kPage, far.size = 1;
    CHECK(f.client.call<Opcode::write>(f.node, far, {.data = to_bytes("x")}).error == Errno::enospc);
    CHECK(f.client.attr(f.node).size == 3 * kPage);
    // A hole that no mapping reaches takes no space.
    REQUIRE(f.unmap(0, kPages) == Errno::none);
    CHECK(f.resize(f.node, 100 * kPage) == Errno::none);
    CHECK(f.read(2 * kPage, 2) == std::string("z\0", 2));
}

TEST_CASE("a hole in a mapped file keeps its blocks where it is mapped, and gives the others back") {
    MappedMemoryFile f;
    f.write(0, std::string(6 * kPage, 'a'));
    REQUIRE(f.map(f.node, 1, 2, kBoth, 0) == Errno::none);
    REQUIRE(f.allocate(abi::kFallocPunchHole | abi::kFallocKeepSize, 0, 5 * kPage) == Errno::none);
    CHECK(f.blocks() == 3); // two that are mapped, and the last one
    CHECK(f.at(0) == 0);
    f.put(kPage, "b");
    CHECK(f.read(2 * kPage, 1) == "b");
    CHECK(f.blocks() == 3);
}

TEST_CASE("a file that was mapped is read, written, copied and searched for holes as before") {
    MappedMemoryFile f;
    const auto other = f.client.create(1, "other");
    f.write(2 * kPage, "data");
    REQUIRE(f.map(f.node, 2, 1, kRead, 0) == Errno::none);
    REQUIRE(f.resize(f.node, 6 * kPage) == Errno::none);
    const auto seek = [&](u64 from, u32 whence) {
        return f.client.call<Opcode::lseek>(f.node, {f.fh, from, whence, 0}).out.offset;
    };
    CHECK(seek(0, abi::kSeekData) == 2 * kPage);
    CHECK(seek(2 * kPage, abi::kSeekHole) == 3 * kPage);
    const auto copy = [&](u64 from, u64 from_fh, u64 to, u64 to_fh) {
        return f.client.call<Opcode::copy_file_range_64>(from, {from_fh, 0, to, to_fh, 0, 6 * kPage, 0});
    };
    CHECK(copy(f.node, f.fh, other.entry.nodeid, other.open.fh).out.bytes_copied == 6 * kPage);
    CHECK(f.client.read(other.entry.nodeid, other.open.fh, 2 * kPage, 5) == std::string("data\0", 5));
    CHECK(f.client.attr(other.entry.nodeid).blocks == 8);
    f.client.write(other.entry.nodeid, other.open.fh, 2 * kPage, "more");
    CHECK(copy(other.entry.nodeid, other.open.fh, f.node, f.fh).out.bytes_copied == 6 * kPage);
    CHECK(f.at(0) == 'm');
    CHECK(f.blocks() == 1);
}

TEST_CASE("as many files are mapped as may be, and one that no longer is makes room for the next") {
    backends::MemfsOptions options;
    options.max_memory_files = 2;
    MappedMemory f(options);
    std::vector<wire::CreateOut> files;
    for (std::size_t i = 0; i < 4; ++i) {
        files.push_back(f.client.create(1, name_of(i)));
        f.client.write(files[i].entry.nodeid, files[i].open.fh, 3, name_of(i));
    }
    REQUIRE(f.map(files[0].entry.nodeid, 0, 1, kBoth, 0) == Errno::none);
    REQUIRE(f.map(files[1].entry.nodeid, 0, 1, kBoth, 1) == Errno::none);
    f.put(0, "x");
    CHECK(f.map(files[2].entry.nodeid, 0, 1, kRead, 2) == Errno::emfile);
    CHECK(f.client.read(files[2].entry.nodeid, files[2].open.fh, 3, 9) == "f2");
    REQUIRE(f.unmap(0, 1) == Errno::none);
    REQUIRE(f.map(files[2].entry.nodeid, 0, 1, kRead, 2) == Errno::none);
    CHECK(f.fs.memory_files() == 2);
    CHECK(f.client.read(files[0].entry.nodeid, files[0].open.fh, 0, 9) == std::string("x\0\0f0", 5));
    CHECK(f.client.attr(files[0].entry.nodeid).size == 5);
    // The end of a file is the end of its memfd.
    REQUIRE(f.unmap(1, 1) == Errno::none);
    REQUIRE(f.client.release(files[1].entry.nodeid, files[1].open.fh) == Errno::none);
    REQUIRE(f.unlink(name_of(1)) == Errno::none);
    f.client.forget(files[1].entry.nodeid, 1);
    CHECK(f.fs.memory_files() == 1);
    REQUIRE(f.map(files[3].entry.nodeid, 0, 1, kRead, 1) == Errno::none);
    CHECK(f.at(kPage + 3) == 'f');
}

TEST_CASE("without a descriptor to spare a mapping is EMFILE, and the file stays as it is") {
    MappedMemoryFile f;
    f.write(0, "content");
    {
        const NoMoreDescriptors none;
        CHECK(f.map(f.node, 0, 1, kBoth, 0) == Errno::emfile);
        CHECK(f.read(0, 7) == "content");
        f.write(7, " more");
    }
    CHECK(f.fs.memory_files() == 0);
    REQUIRE(f.map(f.node, 0, 1, kBoth, 0) == Errno::none); // as soon as there are descriptors again
    CHECK(f.read(0, 20) == "content more");
    // A file that is not mapped any more gives its descriptor to the next one.
    REQUIRE(f.unmap(0, 1) == Errno::none);
    const auto other = f.client.create(1, "other");
    f.client.write(other.entry.nodeid, other.open.fh, 0, "o");
    const NoMoreDescriptors none;
    REQUIRE(f.map(other.entry.nodeid, 0, 1, kRead, 0) == Errno::none);
    CHECK(f.at(0) == 'o');
    CHECK(f.fs.memory_files() == 1);
}
