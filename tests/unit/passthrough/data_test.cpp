// SPDX-License-Identifier: BSD-2-Clause
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t state = 12345;
    for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return text;
}

template <class S> Answered on_handle(PassthroughFixture& f, wire::Opcode op, const S& in) {
    return f.client.send(Message(op).fixed(in));
}

} // namespace

TEST_CASE("READ gives what is there, to the end of the file", "[passthrough]") {
    PassthroughFixture f;
    const std::string content = pattern(100'000);
    f.write_host("file", content);
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDONLY);
    CHECK(f.read(fh, 0, 100'000).text() == content);
    CHECK(f.read(fh, 99'990, 4096).text() == content.substr(99'990));
    CHECK(f.read(fh, 100'000, 4096).text().empty());
    CHECK(f.read(fh, 1u << 30, 4096).text().empty());
    CHECK(f.read(fh, ~std::uint64_t{0}, 4096).error == Errno::einval);
    CHECK(f.read(fh + 1, 0, 4096).error == Errno::ebadf);
    CHECK(f.write(fh, 0, "x").error == Errno::ebadf); // opened for reading
}

TEST_CASE("READ and WRITE take any scattering of segments", "[passthrough]") {
    PassthroughFixture f;
    const std::string content = pattern(5000);
    f.write_host("file", content);
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDWR);
    CHECK(f.read(fh, 1, 4000, {16, 4000}).text() == content.substr(1, 4000));
    CHECK(f.read(fh, 1, 4000, {4016}).text() == content.substr(1, 4000));
    CHECK(f.read(fh, 1, 4000, {3, 13, 1, 0, 999, 3000, 77}).text() == content.substr(1, 4000));
    CHECK(f.read(fh, 1, 1000, std::vector<std::size_t>(1016, 1)).text() == content.substr(1, 1000));

    wire::WriteIn in{};
    in.fh = fh;
    in.offset = 10;
    in.size = 1000;
    const std::string fresh = pattern(1000);
    const Message message = Message(Opcode::write).fixed(in).data(fresh);
    CHECK(f.client.send_parts(message.split({40, 41, 0, 7, 900})).as<wire::WriteOut>().size == 1000);
    CHECK(f.read_host("file") == content.substr(0, 10) + fresh + content.substr(1010));
    CHECK(f.client.send_parts(message.split(std::vector<std::size_t>(1050, 1))).as<wire::WriteOut>().size == 1000);
}

TEST_CASE("WRITE extends, leaves holes, and writes nothing for nothing", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDWR);
    CHECK(f.write(fh, 5, "xyz").as<wire::WriteOut>().size == 3);
    CHECK(f.read_host("file") == std::string("abc\0\0xyz", 8));
    CHECK(f.write(fh, 0, "").as<wire::WriteOut>().size == 0);
}

TEST_CASE("a WRITE appends when its own flags say O_APPEND, whatever its offset", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_WRONLY | O_APPEND);
    CHECK(f.append(fh, 0, "def").as<wire::WriteOut>().size == 3);
    CHECK(f.append(fh, ~std::uint64_t{0}, "ghi").as<wire::WriteOut>().size == 3);
    CHECK(f.append(fh, 0, "jkl", {2, 1}).as<wire::WriteOut>().size == 3);
    CHECK(f.read_host("file") == "abcdefghijkl");
    CHECK(f.append(fh, 0, "").as<wire::WriteOut>().size == 0);
    CHECK(f.read(fh, 0, 1).error == Errno::ebadf);
}

TEST_CASE("a WRITE from the client's page cache goes to its offset, also through a handle opened with O_APPEND",
          "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abcdef");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_WRONLY | O_APPEND);
    CHECK(f.append(fh, 1, "XY", {}, wire::kWriteCache).as<wire::WriteOut>().size == 2);
    CHECK(f.write(fh, 4, "Z").as<wire::WriteOut>().size == 1);
    CHECK(f.read_host("file") == "aXYdZf");
    const std::uint64_t made = f.create(1, "made", O_WRONLY | O_APPEND).as<wire::CreateOut>().open.fh;
    CHECK(f.append(made, 2, "Z", {}, wire::kWriteCache).ok());
    CHECK(f.append(made, 0, "Y", {}, wire::kWriteCache).ok());
    CHECK(f.read_host("made") == std::string("Y\0Z", 3));
}

TEST_CASE("OPEN with O_TRUNC empties the file, and what makes files is dropped", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t node = f.node(1, "file");
    CHECK(f.open(node, O_RDONLY | O_CREAT | O_EXCL | O_NOCTTY | O_DIRECT | O_NONBLOCK).ok());
    CHECK(f.read_host("file") == "abc");
    CHECK(f.open(node, O_WRONLY | O_TRUNC).ok());
    CHECK(f.read_host("file").empty());
    fs::create_directory(f.host("dir"));
    CHECK(f.open(f.node(1, "dir"), O_RDONLY).error == Errno::eisdir);
    CHECK(f.open(12345, O_RDONLY).error == Errno::estale);
}

TEST_CASE("CREATE makes and opens, opens what is there, and not with O_EXCL", "[passthrough]") {
    PassthroughFixture f;
    const auto made = f.create(1, "file", O_RDWR, S_IFREG | 0640).as<wire::CreateOut>();
    CHECK(made.entry.attr.mode == (S_IFREG | 0640));
    CHECK(made.entry.attr.ino == f.stat_host("file").st_ino);
    CHECK(made.entry.entry_valid == 1);
    CHECK(f.write(made.open.fh, 0, "abc").ok());
    const auto again = f.create(1, "file", O_RDONLY).as<wire::CreateOut>();
    CHECK(again.entry.nodeid == made.entry.nodeid);
    CHECK(f.read(again.open.fh, 0, 10).text() == "abc");
    CHECK(f.create(1, "file", O_RDWR | O_EXCL).error == Errno::eexist);
    CHECK(f.create(1, "file", O_RDWR | O_TRUNC).ok());
    CHECK(f.read_host("file").empty());
    fs::create_directory(f.host("dir"));
    CHECK(f.create(1, "dir").error == Errno::eisdir);
    CHECK(f.create(made.entry.nodeid, "file").error == Errno::enotdir);
    CHECK(f.create(1, std::string(256, 'n')).error == Errno::enametoolong);
}

TEST_CASE("RELEASE ends a handle once, and each kind ends its own", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDWR);
    const std::uint64_t dir = f.directory_handle(1);
    wire::ReleaseIn in{};
    in.fh = dir;
    CHECK(on_handle(f, Opcode::release, in).error == Errno::ebadf);
    CHECK(f.read(dir, 0, 1).error == Errno::ebadf);
    in.fh = fh;
    CHECK(on_handle(f, Opcode::releasedir, in).error == Errno::ebadf);
    CHECK(on_handle(f, Opcode::release, in).ok());
    CHECK(on_handle(f, Opcode::release, in).error == Errno::ebadf);
    CHECK(f.read(fh, 0, 1).error == Errno::ebadf);
    CHECK(f.handle(f.node(1, "file"), O_RDWR) != fh);
}

TEST_CASE("TMPFILE makes a file without a name, which LINK can give one", "[passthrough]") {
    PassthroughFixture f;
    wire::CreateIn in{};
    in.flags = O_RDWR;
    in.mode = S_IFREG | 0600;
    const Answered answer = f.client.call<Opcode::tmpfile>(1, in, "#123");
    REQUIRE(answer.ok());
    const auto made = answer.as<wire::CreateOut>();
    CHECK(made.entry.attr.nlink == 0);
    CHECK(fs::is_empty(f.directory.root()));
    CHECK(f.write(made.open.fh, 0, "abc").ok());
    CHECK(f.client.call<Opcode::link>(1, {made.entry.nodeid}, "named").ok());
    CHECK(f.read_host("named") == "abc");
}

TEST_CASE("FALLOCATE, LSEEK and holes", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDWR);
    wire::FallocateIn allocate{};
    allocate.fh = fh;
    allocate.length = 1 << 20;
    CHECK(on_handle(f, Opcode::fallocate, allocate).ok());
    CHECK(f.stat_host("file").st_size == 1 << 20);
    allocate.offset = 2 << 20;
    allocate.length = 4096;
    allocate.mode = abi::kFallocKeepSize;
    CHECK(on_handle(f, Opcode::fallocate, allocate).ok());
    CHECK(f.stat_host("file").st_size == 1 << 20);
    allocate.mode = 0xffff;
    CHECK_FALSE(on_handle(f, Opcode::fallocate, allocate).ok());

    f.write_host("sparse", "");
    const std::uint64_t sparse = f.handle(f.node(1, "sparse"), O_RDWR);
    REQUIRE(f.write(sparse, 1 << 20, "data").ok());
    auto seek = [&](std::uint64_t offset, std::uint32_t whence) {
        wire::LseekIn in{};
        in.fh = sparse;
        in.offset = offset;
        in.whence = whence;
        return on_handle(f, Opcode::lseek, in);
    };
    CHECK(seek(0, SEEK_HOLE).as<wire::LseekOut>().offset == 0);
    CHECK(seek(0, SEEK_DATA).as<wire::LseekOut>().offset == 1 << 20);
    CHECK(seek(1 << 20, SEEK_HOLE).as<wire::LseekOut>().offset == (1 << 20) + 4);
    CHECK(seek(2 << 20, SEEK_DATA).error == Errno::enxio);
    CHECK(seek(0, SEEK_CUR).error == Errno::einval);
    CHECK(seek(0, 77).error == Errno::einval);
}

TEST_CASE("COPY_FILE_RANGE in both widths", "[passthrough]") {
    PassthroughFixture f;
    const std::string content = pattern(10'000);
    f.write_host("from", content);
    f.write_host("to", "");
    wire::CopyFileRangeIn in{};
    in.fh_in = f.handle(f.node(1, "from"), O_RDONLY);
    in.nodeid_out = f.node(1, "to");
    in.fh_out = f.handle(in.nodeid_out, O_RDWR);
    in.off_in = 100;
    in.len = 5000;
    CHECK(on_handle(f, Opcode::copy_file_range, in).as<wire::WriteOut>().size == 5000);
    CHECK(f.read_host("to") == content.substr(100, 5000));
    in.off_in = 0;
    in.off_out = 0;
    in.len = std::uint64_t{1} << 40;
    CHECK(on_handle(f, Opcode::copy_file_range_64, in).as<wire::CopyFileRangeOut>().bytes_copied == 10'000);
    CHECK(f.read_host("to") == content);
    in.flags = 1;
    CHECK(on_handle(f, Opcode::copy_file_range, in).error == Errno::einval);
    in.fh_out = 99;
    CHECK(on_handle(f, Opcode::copy_file_range, in).error == Errno::ebadf);
}

TEST_CASE("FLUSH, FSYNC, FSYNCDIR, SYNCFS and POLL answer", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "abc");
    const std::uint64_t fh = f.handle(f.node(1, "file"), O_RDWR);
    const std::uint64_t dir = f.directory_handle(1);
    CHECK(on_handle(f, Opcode::flush, wire::FlushIn{fh, 0, 0, 0}).ok());
    CHECK(on_handle(f, Opcode::fsync, wire::FsyncIn{fh, 0, 0}).ok());
    CHECK(on_handle(f, Opcode::fsync, wire::FsyncIn{fh, wire::kFsyncDatasync, 0}).ok());
    CHECK(on_handle(f, Opcode::fsyncdir, wire::FsyncIn{dir, 0, 0}).ok());
    CHECK(on_handle(f, Opcode::fsyncdir, wire::FsyncIn{fh, 0, 0}).error == Errno::ebadf);
    CHECK(on_handle(f, Opcode::fsync, wire::FsyncIn{77, 0, 0}).error == Errno::ebadf);
    CHECK(f.client.call<Opcode::syncfs>(1).ok());
    CHECK(on_handle(f, Opcode::poll, wire::PollIn{fh, 0, 0, 0x5}).as<wire::PollOut>().revents == 0x5);
    CHECK(on_handle(f, Opcode::ioctl, wire::IoctlIn{}).error == Errno::enotty);
}

TEST_CASE("WRITE, truncation and OPEN take set-id bits away when the client says so", "[passthrough]") {
    PassthroughFixture f(wire::InitFlags::of(wire::InitFlag::handle_killpriv_v2));
    auto reset = [&] { REQUIRE(::chmod(f.host("file").c_str(), 06755) == 0); };
    auto mode = [&] { return f.stat_host("file").st_mode & 07777; };
    f.write_host("file", "abc");
    const std::uint64_t node = f.node(1, "file");
    const std::uint64_t fh = f.handle(node, O_RDWR);
    reset();
    CHECK(f.write(fh, 0, "x", wire::kWriteKillSuidgid).ok());
    CHECK(mode() == 0755);
    reset();
    wire::SetattrIn in{};
    in.valid = wire::kSetattrSize | wire::kSetattrKillSuidgid;
    CHECK(f.client.call<Opcode::setattr>(node, in).ok());
    CHECK(mode() == 0755);
    reset();
    CHECK(f.client.call<Opcode::open>(node, {O_RDWR | O_TRUNC, wire::kOpenKillSuidgid}).ok());
    CHECK(mode() == 0755);
    // A set-group-id bit without execute permission for the group means mandatory locking, and stays.
    REQUIRE(::chmod(f.host("file").c_str(), 06645) == 0);
    CHECK(f.write(fh, 0, "x", wire::kWriteKillSuidgid).ok());
    CHECK(mode() == 02645);
}
