// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct File {
    Memfs fs;
    Client client{fs};
    wire::CreateOut made = client.create(1, "f");
    u64 node = made.entry.nodeid;
    u64 fh = made.open.fh;

    Errno allocate(u32 mode, u64 offset, u64 length) {
        return client.call<Opcode::fallocate>(node, {fh, offset, length, mode, 0}).error;
    }
    Answered<Opcode::lseek> seek(u64 offset, u32 whence) {
        return client.call<Opcode::lseek>(node, {fh, offset, whence, 0});
    }
    Answered<Opcode::copy_file_range_64> copy(u64 from, u64 to, u64 length) {
        return client.call<Opcode::copy_file_range_64>(node, {fh, from, node, fh, to, length, 0});
    }
};

} // namespace

TEST_CASE("bytes written are read, across segments and past the end") {
    File file;
    CHECK(file.client.write(file.node, file.fh, 3, "hello world") == 11);
    CHECK(file.client.read(file.node, file.fh, 0, 100) == std::string("\0\0\0hello world", 14));
    CHECK(file.client.read(file.node, file.fh, 8, 3) == " wo");
    CHECK(file.client.read(file.node, file.fh, 14, 10).empty());
    CHECK(file.client.read(file.node, file.fh, u64{1} << 62, 10).empty());
    CHECK(file.client.attr(file.node).size == 14);
}

TEST_CASE("handles allow what they were opened for") {
    File file;
    file.client.write(file.node, file.fh, 0, "abc");
    const u64 reader = file.client.call<Opcode::open>(file.node, {abi::kORdonly, 0}).out.fh;
    const u64 writer = file.client.call<Opcode::open>(file.node, {abi::kOWronly | abi::kOAppend, 0}).out.fh;
    wire::WriteIn write{};
    write.fh = reader, write.size = 1;
    CHECK(file.client.call<Opcode::write>(file.node, write, {.data = to_bytes("x")}).error == Errno::ebadf);
    wire::ReadIn read{};
    read.fh = writer, read.size = 1;
    CHECK(file.client.call<Opcode::read>(file.node, read).error == Errno::ebadf);
    write.fh = writer, write.flags = abi::kOWronly | abi::kOAppend;
    CHECK(file.client.call<Opcode::write>(file.node, write, {.data = to_bytes("d")}).out.size == 1);
    CHECK(file.client.read(file.node, reader, 0, 10) == "abcd");
    // A page of the client's cache has its place, whatever the handle it is written through was opened with.
    write.write_flags = wire::kWriteCache;
    CHECK(file.client.call<Opcode::write>(file.node, write, {.data = to_bytes("A")}).out.size == 1);
    CHECK(file.client.write(file.node, writer, 1, "B") == 1);
    CHECK(file.client.read(file.node, reader, 0, 10) == "ABcd");
    CHECK(file.client.release(file.node, reader) == Errno::none);
    CHECK(file.client.release(file.node, reader) == Errno::ebadf);
    CHECK(file.client.release(1, writer) == Errno::ebadf);
    CHECK(file.fs.misuse().bad_handles == 2);
    CHECK(file.fs.open_handles() == 2);
    CHECK(file.client.call<Opcode::open>(1, {abi::kORdwr, 0}).error == Errno::eisdir);
    CHECK(file.client.call<Opcode::open>(file.node, {abi::kORdwr | abi::kOTrunc, 0}).error == Errno::none);
    CHECK(file.client.attr(file.node).size == 0);
}

TEST_CASE("writing beyond the largest size or the space fails with its own error") {
    backends::MemfsOptions options;
    options.capacity = 8192;
    Memfs fs(options);
    Client client(fs);
    const auto made = client.create(1, "f");
    wire::WriteIn in{};
    in.fh = made.open.fh, in.offset = 0x7fffffffffffffff, in.size = 1;
    CHECK(client.call<Opcode::write>(made.entry.nodeid, in, {.data = to_bytes("x")}).error == Errno::efbig);
    CHECK(client.write(made.entry.nodeid, made.open.fh, 0, std::string(20000, 'x')) == 8192);
    in.offset = 8192;
    CHECK(client.call<Opcode::write>(made.entry.nodeid, in, {.data = to_bytes("x")}).error == Errno::enospc);
}

TEST_CASE("fallocate grows, keeps, punches and zeroes") {
    File file;
    file.client.write(file.node, file.fh, 0, std::string(12288, 'x'));
    CHECK(file.allocate(0, 0, 20000) == Errno::none);
    CHECK(file.client.attr(file.node).size == 20000);
    CHECK(file.client.attr(file.node).blocks == 40);
    CHECK(file.allocate(abi::kFallocKeepSize, 0, 40000) == Errno::none);
    CHECK(file.client.attr(file.node).size == 20000);
    CHECK(file.allocate(abi::kFallocPunchHole, 4096, 4096) == Errno::eopnotsupp);
    CHECK(file.allocate(abi::kFallocPunchHole | abi::kFallocKeepSize, 4090, 4102) == Errno::none);
    CHECK(file.client.read(file.node, file.fh, 4089, 2) == std::string("x\0", 2));
    CHECK(file.client.read(file.node, file.fh, 8191, 2) == std::string("\0x", 2));
    CHECK(file.seek(0, abi::kSeekHole).out.offset == 4096);
    CHECK(file.seek(4096, abi::kSeekData).out.offset == 8192);
    CHECK(file.allocate(abi::kFallocZeroRange, 8192, 20000) == Errno::none);
    CHECK(file.client.attr(file.node).size == 28192);
    CHECK(file.client.read(file.node, file.fh, 8192, 4) == std::string(4, '\0'));
    CHECK(file.allocate(abi::kFallocCollapseRange, 0, 4096) == Errno::eopnotsupp);
    CHECK(file.allocate(0, 0, 0) == Errno::einval);
    CHECK(file.allocate(0, 0x7fffffffffffffff, 1) == Errno::efbig);
    CHECK(file.allocate(0, 0, u64{1} << 40) == Errno::enospc);
}

TEST_CASE("seeking finds data and holes") {
    File file;
    file.client.write(file.node, file.fh, 8192, "data");
    CHECK(file.seek(0, abi::kSeekData).out.offset == 8192);
    CHECK(file.seek(0, abi::kSeekHole).out.offset == 0);
    CHECK(file.seek(8192, abi::kSeekHole).out.offset == 8196);
    CHECK(file.seek(8196, abi::kSeekData).error == Errno::enxio);
    CHECK(file.seek(8196, abi::kSeekHole).error == Errno::enxio);
    CHECK(file.seek(u64(-4), abi::kSeekEnd).out.offset == 8192);
    CHECK(file.seek(u64(-1), abi::kSeekSet).error == Errno::einval);
    CHECK(file.seek(0, 9).error == Errno::einval);
}

TEST_CASE("ranges are copied with their holes") {
    File file;
    file.client.write(file.node, file.fh, 0, "head");
    file.client.write(file.node, file.fh, 1 << 20, "tail");
    const auto other = file.client.create(1, "g");
    const wire::CopyFileRangeIn in{file.fh, 0, other.entry.nodeid, other.open.fh, 8192, u64{1} << 40, 0};
    const auto copied = file.client.call<Opcode::copy_file_range_64>(file.node, in);
    CHECK(copied.out.bytes_copied == (1 << 20) + 4);
    CHECK(file.client.attr(other.entry.nodeid).blocks == 16);
    CHECK(file.client.read(other.entry.nodeid, other.open.fh, 8192, 4) == "head");
    CHECK(file.client.read(other.entry.nodeid, other.open.fh, 8192 + (1 << 20), 4) == "tail");
    CHECK(file.client.call<Opcode::copy_file_range>(file.node, in).out.size == (1 << 20) + 4);
    CHECK(file.copy(0, 2, 4).error == Errno::einval);
    CHECK(file.copy(0, 8, 4).out.bytes_copied == 4);
    CHECK(file.copy(u64{1} << 40, 0, 4).out.bytes_copied == 0);
    CHECK(file.client.read(file.node, file.fh, 8, 4) == "head");
}

TEST_CASE("a fault limits how much is done at once") {
    File file;
    file.client.write(file.node, file.fh, 0, "0123456789");
    file.fs.set_faults([](const backends::MemfsQuestion&) {
        backends::MemfsFault fault;
        fault.at_most = 4;
        return fault;
    });
    CHECK(file.client.read(file.node, file.fh, 0, 10) == "0123");
    CHECK(file.client.write(file.node, file.fh, 0, "abcdefgh") == 4);
    CHECK(file.copy(0, 100, 10).out.bytes_copied == 4);
    file.fs.set_faults({});
    CHECK(file.client.read(file.node, file.fh, 0, 10) == "abcd456789");
}

TEST_CASE("the small operations on open files answer") {
    File file;
    file.client.write(file.node, file.fh, 4096, "x");
    CHECK(file.client.call<Opcode::flush>(file.node, {file.fh, 0, 0, 0}).error == Errno::none);
    CHECK(file.client.call<Opcode::fsync>(file.node, {file.fh, 0, 0}).error == Errno::none);
    CHECK(file.client.call<Opcode::fsync>(file.node, {77, 0, 0}).error == Errno::ebadf);
    CHECK(file.client.call<Opcode::syncfs>(1).error == Errno::none);
    CHECK(file.client.call<Opcode::bmap>(file.node, {0, 4096, 0}).out.block == 0);
    CHECK(file.client.call<Opcode::bmap>(file.node, {1, 4096, 0}).out.block == 2);
    CHECK(file.client.call<Opcode::ioctl>(file.node).error == Errno::enotty);
    const auto poll = file.client.call<Opcode::poll>(file.node, {file.fh, 0, 0, abi::kPollIn | abi::kPollPri});
    CHECK(poll.out.revents == abi::kPollIn);
}
