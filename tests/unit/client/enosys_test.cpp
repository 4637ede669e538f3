// SPDX-License-Identifier: BSD-2-Clause
// A server that lacks an operation says ENOSYS: what becomes of it, and who is asked again (Linux fs/fuse; the table is
// written out here once more, on purpose).
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"

#include <map>

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using abi::Errno;
using wire::Opcode;

namespace {

struct Expected {
    Errno becomes;
    bool asked_again;
};
const std::map<Opcode, Expected> kExpected = {
    {Opcode::link, {Errno::eperm, false}},
    {Opcode::access, {Errno::none, false}},
    {Opcode::flush, {Errno::none, false}},
    {Opcode::fsync, {Errno::none, false}},
    {Opcode::fsyncdir, {Errno::none, false}},
    {Opcode::syncfs, {Errno::none, false}},
    {Opcode::getxattr, {Errno::eopnotsupp, false}},
    {Opcode::setxattr, {Errno::eopnotsupp, false}},
    {Opcode::listxattr, {Errno::eopnotsupp, false}},
    {Opcode::removexattr, {Errno::eopnotsupp, false}},
    {Opcode::fallocate, {Errno::eopnotsupp, false}},
    {Opcode::tmpfile, {Errno::eopnotsupp, false}},
    {Opcode::rename2, {Errno::einval, false}},
    {Opcode::bmap, {Errno::none, false}},
    {Opcode::poll, {Errno::none, false}},
    {Opcode::ioctl, {Errno::enotty, true}},
    {Opcode::setupmapping, {Errno::eopnotsupp, false}},
    {Opcode::removemapping, {Errno::eopnotsupp, false}},
};

template <Opcode Op> void fill_names(Single<Op>& operation) {
    operation.call.name = text_span("name");
    operation.call.name2 = text_span("second");
}

} // namespace

TEST_CASE("for every row, ENOSYS becomes what the table says, and is remembered if it says so", "[operations]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        constexpr Opcode kOp = Row::opcode;
        if constexpr (Row::traits.reply == wire::ReplyOwed::always) {
            INFO(Row::name);
            OperationsFixture f;
            const auto rule = kExpected.find(kOp);
            const Errno becomes = rule == kExpected.end() ? Errno::enosys : rule->second.becomes;
            const bool asked_again = rule == kExpected.end() || rule->second.asked_again;
            CHECK(wire::RowOf<kOp>::traits.enosys.applies() == (rule != kExpected.end()));
            for (int i = 0; i < 3; ++i) {
                Counted<Single<kOp>> operation;
                fill_names(operation.op);
                operation->start(f.client, kCaller, 5);
                if (i == 0 || asked_again) {
                    REQUIRE(operation.finished == 0);
                    f.next(kOp);
                    f.answer_error(Errno::enosys);
                }
                CHECK(operation.finished == 1);
                CHECK(operation->errc() == Errc::ok);
                CHECK(operation->error() == becomes);
                CHECK(f.silent());
            }
            // A new session asks again.
            f.sticky.reset();
            Counted<Single<kOp>> operation;
            fill_names(operation.op);
            operation->start(f.client, kCaller, 5);
            CHECK_FALSE(f.silent());
            f.lane.fail_all(Errc::device_gone);
            CHECK(operation.finished == 1);
        }
    });
}

TEST_CASE("no other error is remembered, not even EOPNOTSUPP", "[operations]") {
    for (const Errno error : {Errno::eopnotsupp, Errno::einval, Errno::eio, Errno::enotty}) {
        OperationsFixture f;
        for (int i = 0; i < 2; ++i) {
            Counted<SyncFile> operation;
            operation->start(f.client, kCaller, 5);
            f.next(Opcode::fsync);
            f.answer_error(error);
            CHECK(operation->error() == error);
        }
    }
}

TEST_CASE("a malformed answer and a lost device are no ENOSYS", "[operations]") {
    OperationsFixture f;
    Counted<Flush> malformed;
    malformed->start(f.client, kCaller, 5);
    f.next(Opcode::flush);
    f.answer_malformed();
    CHECK(malformed->errc() == Errc::protocol_violation);
    Counted<Flush> lost;
    lost->start(f.client, kCaller, 5);
    f.lane.fail_all(Errc::device_gone);
    CHECK(lost->errc() == Errc::device_gone);
    CHECK_FALSE(f.sticky.is_missing(Opcode::flush));
}

TEST_CASE("each operation is remembered by itself", "[operations]") {
    StickyEnosys sticky;
    for (const wire::OpInfo& op : wire::kOpInfo) CHECK_FALSE(sticky.is_missing(op.opcode));
    for (const wire::OpInfo& op : wire::kOpInfo) {
        sticky.reset();
        sticky.mark(op.opcode);
        for (const wire::OpInfo& other : wire::kOpInfo) {
            CHECK(sticky.is_missing(other.opcode) == (other.opcode == op.opcode));
        }
    }
}

TEST_CASE("what takes the place of an answer holds nothing of an earlier one", "[operations]") {
    OperationsFixture f;
    Counted<MapBlock> map;
    map->start(f.client, kCaller, 5);
    f.next(Opcode::bmap);
    f.answer(wire::BmapOut{77});
    CHECK(map->call.reply.block == 77);
    map->start(f.client, kCaller, 5);
    f.next(Opcode::bmap);
    f.answer_error(Errno::enosys);
    CHECK(map->succeeded());
    CHECK(map->call.reply.block == 0);
}

TEST_CASE("without POLL a file is always ready", "[operations]") {
    OperationsFixture f;
    for (int i = 0; i < 2; ++i) {
        Counted<PollFile> poll;
        poll->start(f.client, kCaller, 5);
        if (i == 0) {
            f.next(Opcode::poll);
            f.answer_error(Errno::enosys);
        }
        CHECK(poll->succeeded());
        CHECK(poll->call.reply.revents == 0x145); // POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
    }
}

TEST_CASE("OPEN: fh 0, the cache kept, no RELEASE, and never asked again", "[operations]") {
    OperationsFixture f;
    // The server need not repeat the flag: bearing it is the client's affair.
    f.params.flags.remove(wire::InitFlag::no_open_support);
    Counted<OpenFile> first;
    first->start(f.client, kCaller, 5, 2);
    f.next(Opcode::open);
    f.answer_error(Errno::enosys);
    for (int i = 0; i < 2; ++i) {
        CHECK(first.finished == i + 1);
        CHECK(first->succeeded());
        CHECK(first->result().fh == 0);
        CHECK(first->result().open_flags == wire::kFopenKeepCache);
        CHECK_FALSE(first->owes_release());
        if (i == 0) first->start(f.client, kCaller, 6, 2);
    }
    CHECK(f.silent());
}

TEST_CASE("OPEN and OPENDIR fail with ENOSYS for a client that did not offer to bear it", "[operations]") {
    OperationsFixture f;
    f.params.offered = {};
    for (int i = 0; i < 2; ++i) {
        Counted<OpenFile> open;
        open->start(f.client, kCaller, 5, 2);
        f.next(Opcode::open);
        f.answer_error(Errno::enosys);
        CHECK(open->error() == Errno::enosys);
        Counted<OpenDirectory> directory;
        directory->start(f.client, kCaller, 5, 0);
        f.next(Opcode::opendir);
        f.answer_error(Errno::enosys);
        CHECK(directory->error() == Errno::enosys);
        CHECK_FALSE(directory->owes_release());
    }
}

TEST_CASE("OPENDIR: fh 0, everything cached, no RELEASEDIR, and never asked again", "[operations]") {
    OperationsFixture f;
    f.params.flags.remove(wire::InitFlag::no_opendir_support);
    for (int i = 0; i < 2; ++i) {
        Counted<OpenDirectory> open;
        open->start(f.client, kCaller, 5, 0);
        if (i == 0) {
            f.next(Opcode::opendir);
            f.answer_error(Errno::enosys);
        }
        CHECK(open.finished == 1);
        CHECK(open->succeeded());
        CHECK(open->result().fh == 0);
        CHECK(open->result().open_flags == (wire::kFopenKeepCache | wire::kFopenCacheDir));
        CHECK_FALSE(open->owes_release());
    }
    CHECK(f.silent());
}

TEST_CASE("CREATE: MKNOD and OPEN, at once the second time", "[operations]") {
    OperationsFixture f;
    for (int i = 0; i < 2; ++i) {
        Counted<CreateFile> create;
        create->start(f.client, kCaller, 5, {text_span("new"), 0102 | 01000, 0640, 0});
        if (i == 0) {
            f.next(Opcode::create);
            f.answer_error(Errno::enosys);
        }
        const auto& mknod = f.next(Opcode::mknod);
        CHECK(mknod.header().nodeid == 5);
        CHECK(mknod.args<wire::MknodIn>().mode == 0100640);
        CHECK(mknod.body(sizeof(wire::MknodIn)) ==
              std::vector<std::byte>{std::byte{'n'}, std::byte{'e'}, std::byte{'w'}, {}});
        f.answer(entry(42));
        const auto& open = f.next(Opcode::open);
        CHECK(open.header().nodeid == 42);
        CHECK(open.args<wire::OpenIn>().flags == 2); // neither O_CREAT nor O_TRUNC
        CHECK(create.finished == 0);
        f.answer(wire::OpenOut{7, 0, 0});
        CHECK(create.finished == 1);
        CHECK(create->succeeded());
        CHECK(create->entry().nodeid == 42);
        CHECK(create->result().fh == 7);
        CHECK(create->owes_release());
        CHECK(create->surplus_lookup() == 0);
        CHECK(f.silent());
    }
}

TEST_CASE("neither CREATE nor OPEN: the new file is open by its number alone", "[operations]") {
    OperationsFixture f;
    Counted<CreateFile> create;
    create->start(f.client, kCaller, 5, {text_span("new"), 0102, 0640, 0});
    f.next(Opcode::create);
    f.answer_error(Errno::enosys);
    f.next(Opcode::mknod);
    f.answer(entry(42));
    f.next(Opcode::open);
    f.answer_error(Errno::enosys);
    CHECK(create->succeeded());
    CHECK(create->result().fh == 0);
    CHECK_FALSE(create->owes_release());
}

TEST_CASE("STATX: GETATTR in its place, with what it knows in the mask", "[operations]") {
    OperationsFixture f;
    wire::Attr attr = file_attr(abi::kSIfchr | 0600);
    attr.rdev = abi::encode_device(0xabc, 0xdef12);
    attr.atime = static_cast<std::uint64_t>(std::int64_t{-5});
    attr.mtimensec = 17;
    attr.uid = 3;
    attr.gid = 4;
    attr.blocks = 16;
    attr.blksize = 4096;
    for (int i = 0; i < 2; ++i) {
        Counted<ExtendedStatus> status;
        wire::StatxIn wanted{};
        wanted.getattr_flags = wire::kGetattrFh;
        wanted.fh = 9;
        status->start(f.client, kCaller, 5, wanted);
        if (i == 0) {
            CHECK(f.next(Opcode::statx).args<wire::StatxIn>().fh == 9);
            f.answer_error(Errno::enosys);
        }
        const auto& getattr = f.next(Opcode::getattr);
        CHECK(getattr.args<wire::GetattrIn>().getattr_flags == wire::kGetattrFh);
        CHECK(getattr.args<wire::GetattrIn>().fh == 9);
        CHECK(getattr.header().nodeid == 5);
        wire::AttrOut out = attributes(attr);
        out.attr_valid = 3;
        f.answer(out);
        REQUIRE(status.finished == 1);
        CHECK(status->succeeded());
        const wire::StatxOut& result = status->result();
        CHECK(result.attr_valid == 3);
        CHECK(result.stat.mask == 0x7ff);
        CHECK(result.stat.mode == (abi::kSIfchr | 0600));
        CHECK(result.stat.rdev_major == 0xabc);
        CHECK(result.stat.rdev_minor == 0xdef12);
        CHECK(result.stat.atime.tv_sec == -5);
        CHECK(result.stat.mtime.tv_nsec == 17);
        CHECK(result.stat.uid == 3);
        CHECK(result.stat.gid == 4);
        CHECK(result.stat.ino == 99);
        CHECK(result.stat.size == 5000);
        CHECK(result.stat.blocks == 16);
        CHECK(result.stat.blksize == 4096);
        CHECK(result.stat.nlink == 1);
    }
    CHECK(f.silent());
}

TEST_CASE("LSEEK: data up to the end, where the only hole is", "[operations]") {
    using namespace abi;
    struct Case {
        std::uint32_t whence;
        std::uint64_t from;
        Errno error;
        std::uint64_t offset;
    };
    const Case cases[] = {
        {kSeekData, 0, Errno::none, 0},          {kSeekData, 4999, Errno::none, 4999},
        {kSeekData, 5000, Errno::enxio, 0},      {kSeekHole, 0, Errno::none, 5000},
        {kSeekHole, 4999, Errno::none, 5000},    {kSeekHole, 5000, Errno::enxio, 0},
        {kSeekHole, INT64_MAX, Errno::enxio, 0}, {kSeekSet, 0, Errno::einval, 0},
        {kSeekEnd, 9999, Errno::einval, 0},
    };
    OperationsFixture f;
    bool is_first = true;
    for (const Case& c : cases) {
        Counted<SeekFile> seek;
        wire::LseekIn in{};
        in.fh = 3;
        in.whence = c.whence;
        in.offset = c.from;
        seek->start(f.client, kCaller, 5, in);
        if (is_first) {
            CHECK(f.next(Opcode::lseek).args<wire::LseekIn>().whence == c.whence);
            f.answer_error(Errno::enosys);
        }
        is_first = false;
        const auto getattr = f.next(Opcode::getattr).args<wire::GetattrIn>();
        CHECK(getattr.getattr_flags == wire::kGetattrFh);
        CHECK(getattr.fh == 3);
        f.answer(attributes());
        REQUIRE(seek.finished == 1);
        CHECK(seek->errc() == Errc::ok);
        CHECK(seek->error() == c.error);
        if (c.error == Errno::none) CHECK(seek->offset() == c.offset);
    }
}

TEST_CASE("COPY_FILE_RANGE_64: the older form with a length its answer can count; neither: EOPNOTSUPP",
          "[operations]") {
    OperationsFixture f;
    wire::CopyFileRangeIn in{};
    in.fh_in = 3;
    in.fh_out = 4;
    in.nodeid_out = 6;
    in.len = std::uint64_t{1} << 40;
    for (int i = 0; i < 2; ++i) {
        Counted<CopyRange> copy;
        copy->start(f.client, kCaller, 5, in);
        if (i == 0) {
            CHECK(f.next(Opcode::copy_file_range_64).args<wire::CopyFileRangeIn>().len == in.len);
            f.answer_error(Errno::enosys);
        }
        const auto narrow = f.next(Opcode::copy_file_range).args<wire::CopyFileRangeIn>();
        CHECK(narrow.len == 0xfffff000);
        CHECK(narrow.fh_in == 3);
        CHECK(narrow.nodeid_out == 6);
        f.answer(wire::WriteOut{0xfffff000, 0});
        CHECK(copy->succeeded());
        CHECK(copy->copied() == 0xfffff000);
    }
    for (int i = 0; i < 2; ++i) {
        Counted<CopyRange> copy;
        copy->start(f.client, kCaller, 5, in);
        if (i == 0) {
            f.next(Opcode::copy_file_range);
            f.answer_error(Errno::enosys);
        }
        CHECK(copy.finished == 1);
        CHECK(copy->error() == Errno::eopnotsupp);
        CHECK(copy->copied() == 0);
    }
    CHECK(f.silent());
}

TEST_CASE("READDIRPLUS: READDIR in its place, at once the second time, and where it was not agreed on or not wanted",
          "[operations]") {
    constexpr ReadDirectory::Place kPlace{.nodeid = 5, .fh = 3, .cookie = 17};
    OperationsFixture f;
    std::vector<std::byte> buffer(4096);
    const std::vector<std::byte> entries = pattern(100);
    Counted<ReadDirectory> read;
    const auto answer_readdir = [&] {
        const auto in = f.next(Opcode::readdir).args<wire::ReadIn>();
        CHECK(in.fh == kPlace.fh);
        CHECK(in.offset == kPlace.cookie);
        CHECK(in.size == buffer.size());
        f.answer_data(entries);
    };
    const auto check_dirents = [&](Counted<ReadDirectory>& reader) {
        CHECK(reader->succeeded());
        CHECK(reader->format() == DirectoryFormat::dirents);
        CHECK(reader->bytes() == entries.size());
        CHECK(std::equal(entries.begin(), entries.end(), buffer.begin()));
    };

    SECTION("a server without READDIRPLUS is asked for it once") {
        read->start(f.client, kCaller, kPlace, buffer, DirectoryFormat::direntpluses);
        CHECK(f.next(Opcode::readdirplus).args<wire::ReadIn>().offset == kPlace.cookie);
        f.answer_error(Errno::enosys);
        answer_readdir();
        check_dirents(read);

        Counted<ReadDirectory> second;
        second->start(f.client, kCaller, kPlace, buffer, DirectoryFormat::direntpluses);
        answer_readdir();
        check_dirents(second);
    }
    SECTION("who wants names alone asks for READDIR") {
        read->start(f.client, kCaller, kPlace, buffer, DirectoryFormat::dirents);
        answer_readdir();
        check_dirents(read);
    }
    SECTION("where INIT did not agree on READDIRPLUS it is not asked for") {
        f.params.flags.remove(wire::InitFlag::do_readdirplus);
        read->start(f.client, kCaller, kPlace, buffer, DirectoryFormat::direntpluses);
        answer_readdir();
        check_dirents(read);
    }
    SECTION("a server that has it is asked for it") {
        read->start(f.client, kCaller, kPlace, buffer, DirectoryFormat::direntpluses);
        f.next(Opcode::readdirplus);
        f.answer_data(entries);
        CHECK(read->succeeded());
        CHECK(read->format() == DirectoryFormat::direntpluses);
        CHECK(read->bytes() == entries.size());
    }
}

TEST_CASE("READDIRPLUS that fails: the names alone, this once", "[operations]") {
    OperationsFixture f;
    std::vector<std::byte> buffer(4096);
    const Errno error = GENERATE(Errno::enoent, Errno::estale, Errno::eio);
    Counted<ReadDirectory> read;
    read->start(f.client, kCaller, {5, 3, 17}, buffer, DirectoryFormat::direntpluses);
    f.next(Opcode::readdirplus);
    f.answer_error(error);
    CHECK(f.next(Opcode::readdir).args<wire::ReadIn>().offset == 17);
    f.answer_data(pattern(100));
    CHECK(read->succeeded());
    CHECK(read->format() == DirectoryFormat::dirents);
    Counted<ReadDirectory> other;
    other->start(f.client, kCaller, {6, 4, 0}, buffer, DirectoryFormat::direntpluses);
    f.next(Opcode::readdirplus);
    f.answer_error(error);
    f.next(Opcode::readdir);
    f.answer_error(Errno::ebadf);
    CHECK(other->error() == Errno::ebadf);
}

TEST_CASE("a server too old for an operation is not asked for it", "[operations]") {
    OperationsFixture f;
    f.params.minor = 38;
    Counted<ExtendedStatus> status;
    status->start(f.client, kCaller, 5, {});
    f.next(Opcode::getattr);
    f.answer(attributes());
    CHECK(status->succeeded());
    Counted<CopyRange> copy;
    wire::CopyFileRangeIn in{};
    in.len = 100;
    copy->start(f.client, kCaller, 5, in);
    f.next(Opcode::copy_file_range);
    f.answer(wire::WriteOut{100, 0});
    CHECK(copy->copied() == 100);
}
