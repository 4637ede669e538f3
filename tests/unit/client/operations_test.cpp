// SPDX-License-Identifier: BSD-2-Clause
// The requests that operations send, what they make of an answer's content, and which lookups a failure leaves behind.
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using namespace vfsproto::abi;
using abi::Errno;
using wire::Opcode;

namespace {

template <Opcode Op> void name_it(Single<Op>& operation) {
    operation.call.name = text_span("name");
    if (wire::op_info(Op).in_tail == wire::InTail::name_pair) operation.call.name2 = text_span("second");
}

// The outcome of an operation whose answer has this entry.
struct Outcome {
    Errc errc;
    Errno error;
    std::uint64_t surplus_lookup;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};
template <Opcode Op> Outcome with_entry(const wire::EntryOut& out, std::uint32_t mode = 0) {
    OperationsFixture f;
    Counted<Single<Op>> operation;
    name_it(operation.op);
    if constexpr (requires { operation->call.args.mode; }) operation->call.args.mode = mode;
    operation->start(f.client, kCaller, 5);
    f.next(Op);
    if constexpr (std::is_same_v<wire::OutOf<Op>, wire::CreateOut>) {
        f.answer(wire::CreateOut{out, {}});
    } else {
        f.answer(out);
    }
    CHECK(operation.finished == 1);
    return {operation->errc(), operation->error(), operation->surplus_lookup()};
}
constexpr Outcome kGood{Errc::ok, Errno::none, 0};
constexpr Outcome kBad{Errc::protocol_violation, Errno::none, 0};
constexpr Outcome bad_with(std::uint64_t surplus_lookup) {
    return {Errc::protocol_violation, Errno::none, surplus_lookup};
}

wire::EntryOut broken(std::uint64_t nodeid) {
    wire::EntryOut out = entry(nodeid, 0644); // no type
    return out;
}
wire::EntryOut huge(std::uint64_t nodeid) {
    wire::EntryOut out = entry(nodeid);
    out.attr.size = std::uint64_t{1} << 63;
    return out;
}

} // namespace

TEST_CASE("a request carries its caller, its node and its names", "[operations]") {
    OperationsFixture f;
    Counted<Lookup> lookup;
    lookup->call.name = text_span("a name");
    lookup->start(f.client, kCaller, 5);
    const auto& sent = f.next(Opcode::lookup);
    CHECK(sent.header().uid == 1000);
    CHECK(sent.header().gid == 100);
    CHECK(sent.header().pid == 77);
    CHECK(sent.header().nodeid == 5);
    CHECK(sent.body().size() == 7);
    f.answer(entry(42));
    CHECK(lookup->succeeded());
    CHECK(lookup->call.reply.nodeid == 42);
    CHECK(lookup->surplus_lookup() == 0);
}

TEST_CASE("LOOKUP: node 0 is a negative entry with its validity, not a lookup", "[operations]") {
    OperationsFixture f;
    Counted<Lookup> lookup;
    name_it(lookup.op);
    lookup->start(f.client, kCaller, 5);
    f.next(Opcode::lookup);
    wire::EntryOut negative{};
    negative.entry_valid = 7;
    f.answer(negative);
    CHECK(lookup->errc() == Errc::ok);
    CHECK(lookup->error() == Errno::enoent);
    CHECK_FALSE(lookup->succeeded());
    CHECK(lookup->call.reply.entry_valid == 7);
    CHECK(lookup->surplus_lookup() == 0);
    // Used once more, it remembers nothing of that.
    lookup->start(f.client, kCaller, 5);
    f.next(Opcode::lookup);
    f.answer(entry(42));
    CHECK(lookup->succeeded());
}

TEST_CASE("an entry that cannot be is refused, and the lookup it cost is reported", "[operations]") {
    CHECK(with_entry<Opcode::lookup>(entry(42)) == kGood);
    CHECK(with_entry<Opcode::lookup>(entry(1)) == kBad); // the root is never given back
    CHECK(with_entry<Opcode::lookup>(broken(42)) == bad_with(42));
    CHECK(with_entry<Opcode::lookup>(huge(42)) == bad_with(42));
    CHECK(with_entry<Opcode::link>(entry(42)) == kGood);
    CHECK(with_entry<Opcode::link>(entry(0)) == kBad);
    CHECK(with_entry<Opcode::link>(entry(1)) == kBad);
    CHECK(with_entry<Opcode::link>(broken(42)) == bad_with(42));
    CHECK(with_entry<Opcode::mkdir>(broken(42)) == bad_with(42));
    CHECK(with_entry<Opcode::tmpfile>(broken(42)) == bad_with(42));
    CHECK(with_entry<Opcode::mknod>(huge(42)) == bad_with(42));
    CHECK(with_entry<Opcode::symlink>(entry(0, kSIflnk)) == kBad);
}

TEST_CASE("an operation used again has no surplus lookup of the time before", "[operations]") {
    OperationsFixture f;
    Counted<Lookup> lookup;
    name_it(lookup.op);
    lookup->start(f.client, kCaller, 5);
    f.next(Opcode::lookup);
    f.answer(broken(42));
    CHECK(lookup->surplus_lookup() == 42);
    lookup->start(f.client, kCaller, 5);
    f.next(Opcode::lookup);
    f.answer(entry(43));
    CHECK(lookup->succeeded());
    CHECK(lookup->surplus_lookup() == 0);
}

TEST_CASE("what was made must be of the type that was asked for", "[operations]") {
    CHECK(with_entry<Opcode::mkdir>(entry(42, kSIfdir | 0755)) == kGood);
    CHECK(with_entry<Opcode::mkdir>(entry(42, kSIfreg)) == bad_with(42));
    CHECK(with_entry<Opcode::symlink>(entry(42, kSIflnk | 0777)) == kGood);
    CHECK(with_entry<Opcode::symlink>(entry(42, kSIfdir)) == bad_with(42));
    CHECK(with_entry<Opcode::mknod>(entry(42, kSIfifo), kSIfifo | 0600) == kGood);
    CHECK(with_entry<Opcode::mknod>(entry(42, kSIfsock), kSIfifo | 0600) == bad_with(42));
    CHECK(with_entry<Opcode::mknod>(entry(42, kSIfreg), 0600) == kGood);
    CHECK(with_entry<Opcode::mknod>(entry(42, kSIfifo), 0600) == bad_with(42));
    CHECK(with_entry<Opcode::tmpfile>(entry(42)) == kGood);
    CHECK(with_entry<Opcode::tmpfile>(entry(42, kSIfdir)) == bad_with(42));
    CHECK(with_entry<Opcode::link>(entry(42, kSIfsock)) == kGood);
    CHECK(with_entry<Opcode::lookup>(entry(42, kSIfblk)) == kGood);
}

TEST_CASE("attributes that cannot be are refused", "[operations]") {
    const auto getattr = [](const wire::Attr& attr) {
        OperationsFixture f;
        Counted<GetAttributes> get;
        get->start(f.client, kCaller, 5);
        f.next(Opcode::getattr);
        f.answer(attributes(attr));
        Counted<SetAttributes> set;
        set->start(f.client, kCaller, 5);
        f.next(Opcode::setattr);
        f.answer(attributes(attr));
        CHECK(get->errc() == set->errc());
        return get->errc();
    };
    CHECK(getattr(file_attr()) == Errc::ok);
    CHECK(getattr(file_attr(0644)) == Errc::protocol_violation);
    wire::Attr attr = file_attr();
    attr.size = ~std::uint64_t{0};
    CHECK(getattr(attr) == Errc::protocol_violation);
}

TEST_CASE("STATX: size and type count when the mask says they are there", "[operations]") {
    const auto statx = [](std::uint32_t mask, std::uint64_t size, std::uint16_t mode) {
        OperationsFixture f;
        Counted<ExtendedStatus> status;
        status->start(f.client, kCaller, 5, {});
        f.next(Opcode::statx);
        wire::StatxOut out{};
        out.stat.mask = mask;
        out.stat.size = size;
        out.stat.mode = mode;
        f.answer(out);
        CHECK(status.finished == 1);
        return status->errc();
    };
    constexpr std::uint64_t kTooBig = std::uint64_t{1} << 63;
    CHECK(statx(kStatxBasicStats, 5, kSIfreg) == Errc::ok);
    CHECK(statx(kStatxBasicStats, kTooBig, kSIfreg) == Errc::protocol_violation);
    CHECK(statx(kStatxBasicStats, 5, 0) == Errc::protocol_violation);
    CHECK(statx(kStatxMode, kTooBig, 0) == Errc::ok);
    CHECK(statx(0, 0, 0) == Errc::ok);
}

TEST_CASE("a server's error ends an operation with that error", "[operations]") {
    OperationsFixture f;
    Counted<MakeDirectory> make;
    name_it(make.op);
    make->start(f.client, kCaller, 5);
    f.next(Opcode::mkdir);
    f.answer_error(Errno::eexist);
    CHECK(make.finished == 1);
    CHECK(make->errc() == Errc::ok);
    CHECK(make->error() == Errno::eexist);
    CHECK(make->surplus_lookup() == 0);
}

TEST_CASE("OPEN never carries what belongs to CREATE or to the host, and truncates as agreed", "[operations]") {
    OperationsFixture f;
    const std::uint32_t flags = kORdwr | kOCreat | kOExcl | kONoctty | kOTrunc | kOAppend | kODirect;
    Counted<OpenFile> atomic;
    atomic->start(f.client, kCaller, 5, flags);
    CHECK(f.next(Opcode::open).args<wire::OpenIn>().flags == (kORdwr | kOTrunc | kOAppend | kODirect));
    f.answer(wire::OpenOut{9, wire::kFopenDirectIo, 0});
    CHECK(atomic.finished == 1);
    CHECK(atomic->succeeded());
    CHECK(atomic->result().fh == 9);
    CHECK(atomic->result().open_flags == wire::kFopenDirectIo);
    CHECK(atomic->owes_release());
    CHECK(f.silent());

    f.params.flags.remove(wire::InitFlag::atomic_o_trunc);
    Counted<OpenFile> two;
    two->start(f.client, kCaller, 5, flags);
    CHECK(f.next(Opcode::open).args<wire::OpenIn>().flags == (kORdwr | kOAppend | kODirect));
    f.answer(wire::OpenOut{9, 0, 0});
    CHECK(two.finished == 0);
    const auto& truncate = f.next(Opcode::setattr);
    CHECK(truncate.header().nodeid == 5);
    CHECK(truncate.args<wire::SetattrIn>().valid == (wire::kSetattrSize | wire::kSetattrFh));
    CHECK(truncate.args<wire::SetattrIn>().fh == 9);
    CHECK(truncate.args<wire::SetattrIn>().size == 0);
    f.answer(attributes());
    CHECK(two.finished == 1);
    CHECK(two->succeeded());
    CHECK(two->owes_release());

    Counted<OpenFile> without;
    without->start(f.client, kCaller, 5, kORdonly);
    f.next(Opcode::open);
    f.answer(wire::OpenOut{9, 0, 0});
    CHECK(without.finished == 1);
}

TEST_CASE("OPEN that failed owes nothing; a truncation that failed owes the RELEASE", "[operations]") {
    OperationsFixture f;
    f.params.flags.remove(wire::InitFlag::atomic_o_trunc);
    Counted<OpenFile> refused;
    refused->start(f.client, kCaller, 5, kOTrunc | kOWronly);
    f.next(Opcode::open);
    f.answer_error(Errno::eacces);
    CHECK(refused->error() == Errno::eacces);
    CHECK_FALSE(refused->owes_release());
    Counted<OpenFile> half;
    half->start(f.client, kCaller, 5, kOTrunc | kOWronly);
    f.next(Opcode::open);
    f.answer(wire::OpenOut{9, 0, 0});
    f.next(Opcode::setattr);
    f.answer_error(Errno::erofs);
    CHECK(half.finished == 1);
    CHECK(half->error() == Errno::erofs);
    CHECK(half->owes_release());
    CHECK(half->result().fh == 9);
}

TEST_CASE("without OPEN a truncation goes by the node alone", "[operations]") {
    OperationsFixture f;
    f.sticky.mark(Opcode::open);
    Counted<OpenFile> open;
    open->start(f.client, kCaller, 5, kOTrunc | kOWronly);
    CHECK(f.next(Opcode::setattr).args<wire::SetattrIn>().valid == wire::kSetattrSize);
    f.answer(attributes());
    CHECK(open->succeeded());
    CHECK_FALSE(open->owes_release());
}

TEST_CASE("OPENDIR asks for a directory", "[operations]") {
    OperationsFixture f;
    Counted<OpenDirectory> open;
    open->start(f.client, kCaller, 1, kOCreat);
    CHECK(f.next(Opcode::opendir).args<wire::OpenIn>().flags == kODirectory);
    f.answer(wire::OpenOut{4, 0, 0});
    CHECK(open->succeeded());
    CHECK(open->owes_release());
    Counted<OpenDirectory> refused;
    refused->start(f.client, kCaller, 1, 0);
    f.next(Opcode::opendir);
    f.answer_error(Errno::enotdir);
    CHECK_FALSE(refused->owes_release());
}

TEST_CASE("CREATE carries every flag but O_NOCTTY, and the mode as agreed", "[operations]") {
    OperationsFixture f;
    const std::uint32_t flags = kORdwr | kOCreat | kOExcl | kONoctty;
    Counted<CreateFile> create;
    create->start(f.client, kCaller, 5, {text_span("g"), flags, 06666, 022});
    auto in = f.next(Opcode::create).args<wire::CreateIn>();
    CHECK(in.flags == (kORdwr | kOCreat | kOExcl));
    CHECK(in.mode == (kSIfreg | 06666)); // DONT_MASK: the server does it
    CHECK(in.umask == 022);
    f.answer(wire::CreateOut{entry(42), {8, 0, 0}});
    CHECK(create->succeeded());
    CHECK(create->entry().nodeid == 42);
    CHECK(create->result().fh == 8);
    CHECK(create->owes_release());

    f.params.flags.remove(wire::InitFlag::dont_mask);
    Counted<CreateFile> masked;
    masked->start(f.client, kCaller, 5, {text_span("g"), flags, 06666, 022});
    in = f.next(Opcode::create).args<wire::CreateIn>();
    CHECK(in.mode == (kSIfreg | 06644));
    CHECK(in.umask == 022);
    f.answer_error(Errno::enospc);
    CHECK(masked->error() == Errno::enospc);
    CHECK_FALSE(masked->owes_release());
    CHECK(mode_to_send(f.params, 0777, 07777) == 0);
    CHECK(mode_to_send(f.params, 07777, 07000) == 07777);
}

TEST_CASE("CREATE that opened something else than a file is refused, its lookup and its handle reported",
          "[operations]") {
    for (const auto& [out, surplus_lookup] : {std::pair{entry(42, kSIfdir), 42}, std::pair{broken(42), 42},
                                              std::pair{entry(1), 0}, std::pair{entry(0), 0}}) {
        OperationsFixture f;
        Counted<CreateFile> create;
        create->start(f.client, kCaller, 5, {text_span("g"), kOCreat, 0644, 0});
        f.next(Opcode::create);
        f.answer(wire::CreateOut{out, {8, 0, 0}});
        CHECK(create.finished == 1);
        CHECK(create->errc() == Errc::protocol_violation);
        CHECK(create->surplus_lookup() == static_cast<std::uint64_t>(surplus_lookup));
        CHECK(create->owes_release());
    }
}

TEST_CASE("CREATE by MKNOD and OPEN: each step may fail, and leaves behind what it made", "[operations]") {
    const auto fall_back = [](OperationsFixture& f, Counted<CreateFile>& create) {
        f.sticky.mark(Opcode::create);
        create->start(f.client, kCaller, 5, {text_span("g"), kOCreat | kORdwr, 0644, 0});
        f.next(Opcode::mknod);
    };
    {
        OperationsFixture f;
        Counted<CreateFile> create;
        fall_back(f, create);
        f.answer_error(Errno::eexist);
        CHECK(create->error() == Errno::eexist);
        CHECK(create->surplus_lookup() == 0);
    }
    {
        OperationsFixture f;
        Counted<CreateFile> create;
        fall_back(f, create);
        f.answer(entry(42, kSIfifo));
        CHECK(create.finished == 1);
        CHECK(create->errc() == Errc::protocol_violation);
        CHECK(create->surplus_lookup() == 42);
    }
    {
        OperationsFixture f;
        Counted<CreateFile> create;
        fall_back(f, create);
        f.answer(entry(42));
        f.next(Opcode::open);
        f.answer_error(Errno::emfile);
        CHECK(create.finished == 1);
        CHECK(create->error() == Errno::emfile);
        CHECK(create->surplus_lookup() == 42);
        CHECK_FALSE(create->owes_release());
    }
    {
        OperationsFixture f;
        Counted<CreateFile> create;
        fall_back(f, create);
        f.answer(entry(42));
        f.next(Opcode::open);
        f.lane.fail_all(Errc::device_gone);
        CHECK(create.finished == 1);
        CHECK(create->errc() == Errc::device_gone);
    }
}

TEST_CASE("LSEEK and COPY_FILE_RANGE refuse answers that cannot be", "[operations]") {
    OperationsFixture f;
    Counted<SeekFile> seek;
    seek->start(f.client, kCaller, 5, {1, 100, kSeekHole, 0});
    f.next(Opcode::lseek);
    f.answer(wire::LseekOut{5000});
    CHECK(seek->succeeded());
    CHECK(seek->offset() == 5000);
    seek->start(f.client, kCaller, 5, {1, 100, kSeekHole, 0});
    f.next(Opcode::lseek);
    f.answer(wire::LseekOut{std::uint64_t{1} << 63});
    CHECK(seek->errc() == Errc::protocol_violation);
    seek->start(f.client, kCaller, 5, {1, 100, kSeekData, 0});
    f.next(Opcode::lseek);
    f.answer_error(Errno::enxio);
    CHECK(seek->error() == Errno::enxio);
    // The fallback asks for the end of the file by GETATTR as well.
    f.sticky.mark(Opcode::lseek);
    seek->start(f.client, kCaller, 5, {1, 100, kSeekHole, 0});
    f.next(Opcode::getattr);
    wire::Attr attr = file_attr();
    attr.size = ~std::uint64_t{0};
    f.answer(attributes(attr));
    CHECK(seek->errc() == Errc::protocol_violation);

    wire::CopyFileRangeIn in{};
    in.len = 100;
    Counted<CopyRange> copy;
    copy->start(f.client, kCaller, 5, in);
    f.next(Opcode::copy_file_range_64);
    f.answer(wire::CopyFileRangeOut{100});
    CHECK(copy->copied() == 100);
    copy->start(f.client, kCaller, 5, in);
    f.next(Opcode::copy_file_range_64);
    f.answer(wire::CopyFileRangeOut{101});
    CHECK(copy->errc() == Errc::protocol_violation);
    CHECK(copy->copied() == 0);
    f.sticky.mark(Opcode::copy_file_range_64);
    copy->start(f.client, kCaller, 5, in);
    f.next(Opcode::copy_file_range);
    f.answer(wire::WriteOut{101, 0});
    CHECK(copy->errc() == Errc::protocol_violation);
    CHECK(copy->copied() == 0);
    copy->start(f.client, kCaller, 5, in);
    f.next(Opcode::copy_file_range);
    f.answer_error(Errno::exdev);
    CHECK(copy->error() == Errno::exdev);
}

TEST_CASE("a directory's buffer larger than one request may carry is used as far as it may", "[operations]") {
    OperationsFixture f;
    std::vector<std::byte> buffer(1 << 20);
    Counted<ReadDirectory> read;
    read->start(f.client, kCaller, {5, 3, 0}, buffer, DirectoryFormat::direntpluses);
    CHECK(f.next(Opcode::readdirplus).args<wire::ReadIn>().size == 16384);
    f.answer();
    CHECK(read->succeeded());
    CHECK(read->bytes() == 0);
    read->start(f.client, kCaller, {5, 3, 0}, buffer, DirectoryFormat::dirents);
    f.next(Opcode::readdir);
    f.answer_error(Errno::enotdir);
    CHECK(read->error() == Errno::enotdir);
    CHECK(read->bytes() == 0);
}

TEST_CASE("SETXATTR is 8 bytes of struct without its extension and 16 with it", "[operations]") {
    OperationsFixture f;
    const auto value = pattern(10);
    for (const bool extended : {false, true, false}) {
        if (extended) {
            f.params.flags.add(wire::InitFlag::setxattr_ext);
        } else {
            f.params.flags.remove(wire::InitFlag::setxattr_ext);
        }
        Counted<SetXattr> set;
        prepare_setxattr(set.op, f.params, text_span("user.x"), value, kXattrCreate);
        set->start(f.client, kCaller, 5);
        const auto& sent = f.next(Opcode::setxattr);
        const std::size_t fixed = extended ? 16 : 8;
        CHECK(sent.header().len == 40 + fixed + 7 + 10);
        CHECK(sent.args<std::uint32_t>(0) == 10);
        CHECK(sent.args<std::uint32_t>(4) == kXattrCreate);
        CHECK(sent.args<char>(fixed) == 'u');
        CHECK(sent.body(fixed + 7) == value);
        f.answer();
        CHECK(set->succeeded());
    }
    // An empty value is a value.
    Counted<SetXattr> empty;
    prepare_setxattr(empty.op, f.params, text_span("user.x"), {}, 0);
    empty->start(f.client, kCaller, 5);
    CHECK(f.next(Opcode::setxattr).header().len == 40 + 8 + 7);
    f.answer();
    CHECK(empty->succeeded());
}

TEST_CASE("GETXATTR gives the size when it was asked for 0 bytes, and the value otherwise", "[operations]") {
    OperationsFixture f;
    Counted<GetXattr> get;
    get->call.name = text_span("user.x");
    get->start(f.client, kCaller, 5);
    CHECK(f.next(Opcode::getxattr).args<wire::GetxattrIn>().size == 0);
    f.answer(wire::GetxattrOut{10, 0});
    CHECK(get->call.reply.size == 10);
    std::vector<std::byte> buffer(10);
    get->call.args.size = 10;
    get->call.data_out = {buffer.data(), 10, {}};
    get->start(f.client, kCaller, 5);
    f.next(Opcode::getxattr);
    f.answer_data(pattern(10));
    CHECK(get->succeeded());
    CHECK(get->call.bytes == 10);
    CHECK(buffer == pattern(10));
    get->start(f.client, kCaller, 5);
    f.next(Opcode::getxattr);
    f.answer_error(Errno::erange);
    CHECK(get->error() == Errno::erange);
}

TEST_CASE("WRITE that claims more than was sent is refused in its single form too", "[operations]") {
    OperationsFixture f;
    const auto data = pattern(100);
    Counted<Single<Opcode::write>> write;
    write->call.args.size = 100;
    write->call.data_in = {data.data(), 100, {}};
    write->start(f.client, kCaller, 5);
    f.next(Opcode::write);
    f.answer(wire::WriteOut{101, 0});
    CHECK(write->errc() == Errc::protocol_violation);
    write->start(f.client, kCaller, 5);
    f.next(Opcode::write);
    f.answer(wire::WriteOut{99, 0});
    CHECK(write->succeeded());
    CHECK(write->call.reply.size == 99);
}

TEST_CASE("an operation may be destroyed by its own end", "[operations]") {
    OperationsFixture f;
    auto* open = new OpenFile;
    int ended = 0;
    open->user = &ended;
    open->on_finish = [](Operation& operation) noexcept {
        ++*static_cast<int*>(operation.user);
        delete static_cast<OpenFile*>(&operation);
    };
    open->start(f.client, kCaller, 5, kOTrunc);
    f.next(Opcode::open);
    f.answer(wire::OpenOut{});
    CHECK(ended == 1);
}

TEST_CASE("what no file has room for is refused before it is sent: space, holes, copies", "[operations]") {
    constexpr std::uint64_t kEnd = INT64_MAX;
    constexpr std::uint64_t kNegative = std::uint64_t{0} - 100;
    OperationsFixture f;
    const auto allocate = [&](std::uint64_t offset, std::uint64_t length) {
        Counted<Allocate> allocation;
        allocation->call.args.offset = offset;
        allocation->call.args.length = length;
        allocation->start(f.client, kCaller, 5);
        CHECK(allocation.finished == 1);
        return allocation->error();
    };
    CHECK(allocate(kNegative, 4096) == Errno::einval);
    CHECK(allocate(kEnd, 1) == Errno::efbig);
    CHECK(allocate(4096, kNegative) == Errno::efbig);

    Counted<SeekFile> seek;
    seek->start(f.client, kCaller, 5, {.fh = 1, .offset = kNegative, .whence = kSeekData, .padding = 0});
    CHECK(seek.finished == 1);
    CHECK(seek->error() == Errno::enxio);

    const auto copy = [&](std::uint64_t from, std::uint64_t to, std::uint64_t len) {
        Counted<CopyRange> copying;
        wire::CopyFileRangeIn wanted{};
        wanted.off_in = from;
        wanted.off_out = to;
        wanted.len = len;
        copying->start(f.client, kCaller, 5, wanted);
        CHECK(copying.finished == 1);
        return copying->error();
    };
    CHECK(copy(kNegative, 0, 4096) == Errno::einval);
    CHECK(copy(0, kNegative, 4096) == Errno::einval);
    CHECK(copy(kEnd, 0, 4096) == Errno::einval);
    CHECK(copy(0, kEnd, 4096) == Errno::efbig);

    // One READ or WRITE alone as well.
    Counted<Single<Opcode::write>> write;
    write->call.args.offset = kNegative;
    write->call.args.size = 200;
    write->start(f.client, kCaller, 5);
    CHECK(write->error() == Errno::einval);
    Counted<Single<Opcode::read>> read;
    read->call.args.offset = kEnd;
    read->call.args.size = 200;
    read->start(f.client, kCaller, 5);
    CHECK(read->error() == Errno::einval);
    CHECK(f.queue.sent_count() == 0);
}
