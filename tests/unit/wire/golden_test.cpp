// SPDX-License-Identifier: BSD-2-Clause
#include "golden_file.hpp"
#include "support/captured.hpp"
#include "support/catch.hpp"
#include "vfsproto/fuse/wire/codec.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/linux_abi.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

using namespace vfsproto;
using namespace vfsproto::wire;
using test::Bytes;
using test::Golden;

namespace {

Bytes written(Result<u32> size, const Bytes& into) {
    REQUIRE(size);
    return {into.begin(), into.begin() + *size};
}

template <class In> In of_size(u32 size) {
    In in{};
    in.size = size;
    return in;
}

Bytes reply_by_us(const Golden& golden, const OpInfo& op, u32 asked) {
    const auto header = get_struct<OutHeader>(golden.reply.data());
    Bytes bytes(golden.reply.size());
    if (header.error != 0) {
        const auto error = static_cast<Errno>(-header.error);
        return written(encode_error(bytes, header.unique, error), bytes);
    }
    const std::span<const std::byte> body = std::span(golden.reply).subspan(sizeof(OutHeader));
    const auto data = check_reply_size(op, body.size(), asked);
    REQUIRE(data);
    const Result<u32> size = encode_reply(bytes, op, header.unique, body.first(body.size() - *data), body.last(*data));
    return written(size, bytes);
}

u32 asked_of(const Golden& golden, Opcode op) {
    const bool reads = op == Opcode::read || op == Opcode::readdir || op == Opcode::readdirplus;
    return reads ? get_struct<ReadIn>(golden.request.data() + sizeof(InHeader)).size : 0;
}

const Golden& named(const std::vector<Golden>& all, const std::string& daemon, const std::string& name) {
    for (const Golden& golden : all) {
        if (golden.daemon == daemon && golden.name == name) return golden;
    }
    throw std::runtime_error("no golden vector " + name);
}

constexpr InHeader from_pid_77(u64 unique, u64 nodeid) { return make_header(Opcode{}, 0, unique, nodeid, {0, 0, 77}); }

} // namespace

TEST_CASE("every golden request is read, and written again byte for byte") {
    if (test::captured_bytes_are_foreign()) return;
    const auto all = test::all_golden();
    REQUIRE(all.size() == 38);
    for (const Golden& golden : all) {
        INFO(golden.daemon << " " << golden.name);
        const auto header = decode_in_header(golden.request, golden.request.size());
        REQUIRE(header);
        const OpInfo* op = find_op(header->opcode);
        REQUIRE(op != nullptr);
        const auto parts = decode_request(*op, *header, golden.request, golden.request.size(), {});
        REQUIRE(parts);
        const std::span<const std::byte> whole(golden.request);
        Bytes again(golden.request.size());
        const auto size = encode_request(
            again, *op, *header, whole.subspan(sizeof(InHeader), parts->fixed_size),
            {.first = parts->first, .second = parts->second, .data = whole.subspan(parts->data_at, parts->data_size)},
            {});
        CHECK(written(size, again) == golden.request);
    }
}

TEST_CASE("every golden reply is accepted, and written again byte for byte") {
    if (test::captured_bytes_are_foreign()) return;
    for (const Golden& golden : test::all_golden()) {
        INFO(golden.daemon << " " << golden.name);
        const auto request = get_struct<InHeader>(golden.request.data());
        const OpInfo& op = *find_op(request.opcode);
        if (golden.reply.empty()) {
            // The Rust daemon leaves DESTROY unanswered; nothing else may be.
            CHECK((op.traits.reply == ReplyOwed::never || op.opcode == Opcode::destroy));
            continue;
        }
        const u32 asked = asked_of(golden, op.opcode);
        bool read = false;
        for_each_row(OpTable{}, [&]<class R>(R) {
            if (R::opcode != op.opcode) return;
            const auto reply = decode_whole_reply<R>(golden.reply, request.unique, asked);
            read = static_cast<bool>(reply);
        });
        CHECK(read);
        CHECK(reply_by_us(golden, op, asked) == golden.reply);
    }
}

TEST_CASE("requests made from plain values are the golden ones") {
    if (test::captured_bytes_are_foreign()) return;
    const auto all = test::all_golden();
    const auto daemon = GENERATE(std::string("c_virtiofsd"), std::string("rust_virtiofsd"));
    Bytes into(256);
    const auto same = [&](const char* name, Result<u32> size) {
        INFO(name);
        CHECK(written(size, into) == named(all, daemon, name).request);
    };
    same("LOOKUP f", encode_request<Opcode::lookup>(into, from_pid_77(4, 1), {}, {.first = "f"}));
    same("GETATTR root", encode_request<Opcode::getattr>(into, from_pid_77(8, 1), {}));
    same("OPEN f O_RDWR", encode_request<Opcode::open>(into, from_pid_77(10, 2), {linux_abi::kORdwr, 0}));
    same("READ 16 @0", encode_request<Opcode::read>(into, from_pid_77(12, 2), of_size<ReadIn>(16)));
    const auto text = std::as_bytes(std::span("ABCD", 4));
    same("WRITE 4 @0", encode_request<Opcode::write>(into, from_pid_77(14, 2), of_size<WriteIn>(4), {.data = text}));
    same("LSEEK HOLE", encode_request<Opcode::lseek>(into, from_pid_77(16, 2), {0, 0, linux_abi::kSeekHole, 0}));
    same("STATFS", encode_request<Opcode::statfs>(into, from_pid_77(18, 1), {}));
    const CreateIn create{linux_abi::kORdwr | linux_abi::kOCreat, linux_abi::kSIfreg | 0644, 0, 0};
    same("CREATE g 0644 O_RDWR", encode_request<Opcode::create>(into, from_pid_77(26, 1), create, {.first = "g"}));
    same("SYMLINK s->f", encode_request<Opcode::symlink>(into, from_pid_77(28, 1), {}, {.first = "s", .second = "f"}));
    same("RENAME2 NOREPLACE g->f",
         encode_request<Opcode::rename2>(into, from_pid_77(30, 1), {1, linux_abi::kRenameNoreplace, 0},
                                         {.first = "g", .second = "f"}));
    same("UNLINK g", encode_request<Opcode::unlink>(into, from_pid_77(32, 1), {}, {.first = "g"}));
    same("FORGET f x2 (hiprio, no writable part)", encode_request<Opcode::forget>(into, from_pid_77(36, 2), {2}));
    same("DESTROY", encode_request<Opcode::destroy>(into, from_pid_77(38, 0), {}));
}

TEST_CASE("data sent from elsewhere is counted in the header and not written") {
    if (test::captured_bytes_are_foreign()) return;
    Bytes whole(256), pieces(256, std::byte{0xee});
    const auto text = std::as_bytes(std::span("ABCD", 4));
    const auto one = encode_request<Opcode::write>(whole, from_pid_77(14, 2), of_size<WriteIn>(4), {.data = text});
    const auto two =
        encode_request<Opcode::write>(pieces, from_pid_77(14, 2), of_size<WriteIn>(4), {.data_elsewhere = 4});
    REQUIRE((one && two));
    CHECK(*two + 4 == *one);
    CHECK(std::equal(pieces.begin(), pieces.begin() + *two, whole.begin()));
    CHECK(pieces[*two] == std::byte{0xee});
}

TEST_CASE("the golden INIT replies say what the daemons are known to say") {
    if (test::captured_bytes_are_foreign()) return;
    const auto all = test::all_golden();
    const auto c = decode_whole_reply<RowOf<Opcode::init>>(named(all, "c_virtiofsd", "INIT 7.45 all flags").reply, 2);
    REQUIRE(c);
    CHECK(c->out.major == 7);
    CHECK(c->out.minor == 36);
    CHECK(c->out.max_write == 1u << 20);
    CHECK(c->out.max_pages == 256);
    const auto rust =
        decode_whole_reply<RowOf<Opcode::init>>(named(all, "rust_virtiofsd", "INIT 7.45 all flags").reply, 2);
    REQUIRE(rust);
    CHECK(rust->out.minor == 38);
    const auto flags = InitFlags::from_words(rust->out.flags, rust->out.flags2);
    CHECK(flags.has(InitFlag::init_ext));
    CHECK(flags.has(InitFlag::max_pages));
}

TEST_CASE("the golden directory replies list f with its attributes") {
    if (test::captured_bytes_are_foreign()) return;
    for (const char* daemon : {"c_virtiofsd", "rust_virtiofsd"}) {
        const auto all = test::all_golden();
        std::string names;
        const Golden& readdir = named(all, daemon, "READDIR 4096");
        DirentReader reader(std::span(readdir.reply).subspan(sizeof(OutHeader)));
        while (reader.next()) names += std::string(reader.entry().name.begin(), reader.entry().name.end()) + " ";
        CHECK(reader.error() == Errc::ok);
        CHECK(names == ". f .. ");

        const Golden& readdirplus = named(all, daemon, "READDIRPLUS 4096");
        const std::span<const std::byte> records = std::span(readdirplus.reply).subspan(sizeof(OutHeader));
        DirentplusReader plus(records);
        Bytes again(records.size());
        DirentplusWriter writer(again);
        while (plus.next()) {
            CHECK(check_direntplus_entry(plus.entry().entry) == Errc::ok);
            if (plus.entry().dirent.name == "f")
                CHECK(plus.entry().entry.attr.size == 5000);
            else
                CHECK(plus.entry().entry.nodeid == 0);
            REQUIRE(writer.add(plus.entry()));
        }
        CHECK(plus.error() == Errc::ok);
        CHECK(std::equal(again.begin(), again.end(), records.begin(), records.end()));
    }
}
