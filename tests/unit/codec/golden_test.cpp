// SPDX-License-Identifier: BSD-2-Clause
// Messages captured from live daemons pass through the code that runs: read by one side's lane, written by the other's.
#include "client_side.hpp"
#include "support/captured.hpp"
#include "support/catch.hpp"
#include "told_server.hpp"

#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;
using wire::OutHeader;

namespace {

const Golden& named(const std::vector<Golden>& all, const std::string& daemon, const std::string& name) {
    for (const Golden& golden : all) {
        if (golden.daemon == daemon && golden.name == name) return golden;
    }
    throw std::runtime_error("no golden vector " + name);
}

const wire::OpInfo& row_of(const Golden& golden) {
    return *wire::find_op(wire::get_struct<wire::InHeader>(golden.request.data()).opcode);
}
// INIT and DESTROY are the server lane's own.
bool reaches_the_file_system(const wire::OpInfo& op) {
    return op.opcode != Opcode::init && op.opcode != Opcode::destroy;
}

std::uint32_t asked_of(const Golden& golden) {
    const wire::OpInfo& op = row_of(golden);
    const bool reads = op.out_tail == wire::OutTail::data || op.out_tail == wire::OutTail::dirents ||
                       op.out_tail == wire::OutTail::direntpluses;
    if (!reads || op.in_size != sizeof(wire::ReadIn)) return 0;
    return wire::get_struct<wire::ReadIn>(golden.request.data() + sizeof(wire::InHeader)).size;
}

// The client's request that the captured one is, as the server's lane understood it.
AnyRequest& read_by_server(AnyRequest& request, const Golden& golden, ToldServer& server) {
    const auto header = wire::get_struct<wire::InHeader>(golden.request.data());
    request.nodeid = header.nodeid;
    request.caller = {.uid = header.uid, .gid = header.gid, .pid = header.pid};
    const std::uint32_t asked = asked_of(golden);
    if (asked != 0) request.ask(asked);
    if (!reaches_the_file_system(*request.op)) {
        request.set_in(Bytes(golden.request.begin() + sizeof(header), golden.request.end()));
        return request;
    }
    server.fs.body.clear();
    static_cast<void>(server.serve(golden.request, wire::max_reply_size(*request.op, asked)));
    REQUIRE(server.fs.asked == 1);
    CHECK(server.fs.header.unique == header.unique);
    request.set_in(server.fs.in);
    request.name = text_span(server.fs.first);
    request.name2 = text_span(server.fs.second);
    request.set_data(server.fs.data);
    return request;
}

} // namespace

TEST_CASE("every golden request is read by the server, and written again by the client byte for byte", "[codec]") {
    if (captured_bytes_are_foreign()) return;
    const auto all = all_golden();
    REQUIRE(all.size() == 38);
    for (const Golden& golden : all) {
        INFO(golden.daemon << " " << golden.name);
        ClientSide client;
        ToldServer server;
        AnyRequest request(row_of(golden));
        const Bytes sent = client.send(read_by_server(request, golden, server));
        CHECK(sent == with_unique(golden.request, client.queue.last().header().unique));
        client.lane.fail_all(Errc::device_gone);
    }
}

TEST_CASE("every golden reply is accepted by the client, and written again by the server byte for byte", "[codec]") {
    if (captured_bytes_are_foreign()) return;
    for (const Golden& golden : all_golden()) {
        INFO(golden.daemon << " " << golden.name);
        const wire::OpInfo& op = row_of(golden);
        ClientSide client;
        ToldServer server;
        AnyRequest request(op);
        static_cast<void>(client.send(read_by_server(request, golden, server)));
        client.answer(golden.reply);
        REQUIRE(request.ended == 1);
        CHECK(request.errc == Errc::ok);
        if (golden.reply.empty()) {
            // The Rust daemon leaves DESTROY unanswered; nothing else may be.
            CHECK((op.traits.reply == wire::ReplyOwed::never || op.opcode == Opcode::destroy));
            continue;
        }
        CHECK(-static_cast<int>(request.error) == wire::get_struct<OutHeader>(golden.reply.data()).error);
        if (!reaches_the_file_system(op)) continue;
        server.fs.error = request.error;
        server.fs.body = request.body();
        CHECK(server.serve(golden.request, wire::max_reply_size(op, asked_of(golden))) == golden.reply);
    }
}

namespace {

// Compares what the client sends with what was captured from a kernel in front of a daemon.
class GoldenRequests {
public:
    explicit GoldenRequests(std::string daemon) : daemon_(std::move(daemon)) {}

    template <Opcode Op> void operator()(const char* name, CountedCall<Op>& call, std::uint64_t nodeid) const {
        INFO(daemon_ << ": " << name);
        ClientSide client;
        call.nodeid = nodeid;
        call.caller = kCaptured;
        client.lane.enqueue(call);
        client.kick();
        const auto& sent = client.queue.last();
        CHECK(sent.request == with_unique(named(all_, daemon_, name).request, sent.header().unique));
        client.lane.fail_all(Errc::device_gone);
    }

private:
    static constexpr client::Caller kCaptured{.uid = 0, .gid = 0, .pid = 77};

    std::string daemon_;
    decltype(all_golden()) all_ = all_golden();
};

} // namespace

TEST_CASE("requests made from plain values are the golden ones", "[codec]") {
    if (captured_bytes_are_foreign()) return;
    const GoldenRequests same(GENERATE(std::string("c_virtiofsd"), std::string("rust_virtiofsd")));
    using namespace abi;
    CountedCall<Opcode::lookup> lookup;
    lookup.name = text_span("f");
    same("LOOKUP f", lookup, 1);
    CountedCall<Opcode::getattr> getattr;
    same("GETATTR root", getattr, 1);
    CountedCall<Opcode::open> open;
    open.args.flags = kORdwr;
    same("OPEN f O_RDWR", open, 2);
    std::vector<std::byte> room(16);
    CountedCall<Opcode::read> read;
    read.args.size = 16;
    read.data_out = {room.data(), 16, {}};
    same("READ 16 @0", read, 2);
    const auto text = std::as_bytes(std::span("ABCD", 4));
    CountedCall<Opcode::write> write;
    write.args.size = 4;
    write.data_in = {text.data(), 4, {}};
    same("WRITE 4 @0", write, 2);
    CountedCall<Opcode::lseek> lseek;
    lseek.args.whence = kSeekHole;
    same("LSEEK HOLE", lseek, 2);
    CountedCall<Opcode::statfs> statfs;
    same("STATFS", statfs, 1);
}

TEST_CASE("requests that change names, made from plain values, are the golden ones", "[codec]") {
    if (captured_bytes_are_foreign()) return;
    const GoldenRequests same(GENERATE(std::string("c_virtiofsd"), std::string("rust_virtiofsd")));
    using namespace abi;
    CountedCall<Opcode::create> create;
    create.args = {kORdwr | kOCreat, kSIfreg | 0644, 0, 0};
    create.name = text_span("g");
    same("CREATE g 0644 O_RDWR", create, 1);
    CountedCall<Opcode::symlink> symlink;
    symlink.name = text_span("s");
    symlink.name2 = text_span("f");
    same("SYMLINK s->f", symlink, 1);
    CountedCall<Opcode::rename2> rename;
    rename.args = {1, kRenameNoreplace, 0};
    rename.name = text_span("g");
    rename.name2 = text_span("f");
    same("RENAME2 NOREPLACE g->f", rename, 1);
    CountedCall<Opcode::unlink> unlink;
    unlink.name = text_span("g");
    same("UNLINK g", unlink, 1);
    CountedCall<Opcode::forget> forget;
    forget.args.nlookup = 2;
    same("FORGET f x2 (hiprio, no writable part)", forget, 2);
    CountedCall<Opcode::destroy> destroy;
    same("DESTROY", destroy, 0);
}

TEST_CASE("the golden INIT replies say what the daemons are known to say", "[codec]") {
    if (captured_bytes_are_foreign()) return;
    const auto all = all_golden();
    const auto told = [&](const char* daemon) {
        return wire::get_struct<wire::InitOut>(named(all, daemon, "INIT 7.45 all flags").reply.data() +
                                               sizeof(OutHeader));
    };
    const wire::InitOut c = told("c_virtiofsd");
    CHECK(c.major == 7);
    CHECK(c.minor == 36);
    CHECK(c.max_write == 1u << 20);
    CHECK(c.max_pages == 256);
    const wire::InitOut rust = told("rust_virtiofsd");
    CHECK(rust.minor == 38);
    const auto flags = wire::init_flags_from_words(rust.flags, rust.flags2);
    CHECK(flags.has(wire::InitFlag::init_ext));
    CHECK(flags.has(wire::InitFlag::max_pages));
}

TEST_CASE("the golden directory replies list f with its attributes", "[golden]") {
    if (captured_bytes_are_foreign()) return;
    for (const char* daemon : {"c_virtiofsd", "rust_virtiofsd"}) {
        const auto all = all_golden();
        std::string names;
        const Golden& readdir = named(all, daemon, "READDIR 4096");
        wire::DirentReader reader(std::span(readdir.reply).subspan(sizeof(OutHeader)));
        while (reader.next()) names += std::string(reader.entry().name.begin(), reader.entry().name.end()) + " ";
        CHECK(reader.error() == Errc::ok);
        CHECK(names == ". f .. ");

        const Golden& readdirplus = named(all, daemon, "READDIRPLUS 4096");
        const std::span<const std::byte> records = std::span(readdirplus.reply).subspan(sizeof(OutHeader));
        wire::DirentplusReader plus(records);
        Bytes again(records.size());
        wire::DirentplusWriter writer(again);
        while (plus.next()) {
            CHECK(wire::check_direntplus_entry(plus.entry().entry) == Errc::ok);
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
