// SPDX-License-Identifier: BSD-2-Clause
// Operations of several requests are let go of at each of them.
#include "operations_fixture.hpp"
#include "vfsproto/fuse/client/late_reply.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

#include <array>

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using namespace vfsproto::abi;
using abi::Errno;
using wire::Opcode;

namespace {

constexpr std::uint64_t kParent = 5;
constexpr std::uint64_t kNew = 42;

struct Late : LateReply {
    Late() {
        owner = this;
        on_late = [](LateReply& reply) noexcept { ++static_cast<Late*>(reply.owner)->came; };
        memory = HeldMemory::until_late;
    }
    int came = 0;
};

template <class Op> void let_go_of(Counted<Op>& operation, Late& late) {
    REQUIRE(operation.finished == 0);
    CHECK(operation->unique() != 0);
    REQUIRE(operation->abandon(late, Errc::abandoned) == Errc::ok);
    CHECK(operation.finished == 1);
    CHECK(operation->errc() == Errc::abandoned);
    CHECK(operation->unique() == 0);
    CHECK(operation->abandon(late, Errc::abandoned) == Errc::wrong_state);
}

// The server sees the request that was let go of, and nothing more is asked.
bool sees_no_other(OperationsFixture& f) {
    f.kick();
    return f.queue.visible().size() == 1;
}

} // namespace

TEST_CASE("an operation that has not started, or has ended, is not abandoned", "[abandon]") {
    OperationsFixture f;
    Late late;
    Counted<GetAttributes> get;
    CHECK(get->abandon(late, Errc::abandoned) == Errc::wrong_state);
    CHECK(get->unique() == 0);
    get->start(f.client, kCaller, kParent);
    f.next(Opcode::getattr);
    f.answer_error(Errno::eio);
    REQUIRE(get.finished == 1);
    CHECK(get->abandon(late, Errc::abandoned) == Errc::wrong_state);
    CHECK(get.finished == 1);
}

TEST_CASE("a creation is let go of at its CREATE, its MKNOD and its OPEN", "[abandon]") {
    OperationsFixture f;
    const int at = GENERATE(0, 1, 2);
    Late late;
    Counted<CreateFile> create;
    create->start(f.client, kCaller, kParent, {text_span("new"), kOWronly, 0640, 022});
    f.next(Opcode::create);
    if (at > 0) {
        f.answer_error(Errno::enosys);
        f.next(Opcode::mknod);
    }
    if (at > 1) {
        f.answer(entry(kNew));
        f.next(Opcode::open);
    }
    let_go_of(create, late);
    CHECK(sees_no_other(f));
    CHECK_FALSE(create->owes_release());
    CHECK(create->surplus_lookup() == (at > 1 ? kNew : 0)); // MKNOD counted it

    wire::CreateOut made{};
    made.entry = entry(kNew);
    made.open.fh = 7;
    if (at == 0) f.answer(made);
    if (at == 1) f.answer(made.entry);
    if (at == 2) f.answer(made.open);
    CHECK(late.came == 1);
    CHECK(late.verdict.succeeded());
    CHECK(late.granted.nodeid == (at < 2 ? kNew : 0));
    CHECK((late.granted.gives_back == Opcode::release) == (at != 1));
    CHECK(create.finished == 1);
}

TEST_CASE("an open whose truncation is let go of still owes its RELEASE", "[abandon]") {
    OperationsFixture f;
    f.params.flags.remove(wire::InitFlag::atomic_o_trunc);
    Late late;
    Counted<OpenFile> open;
    open->start(f.client, kCaller, kNew, kOWronly | kOTrunc);
    f.next(Opcode::open);
    f.answer(wire::OpenOut{7, 0, 0});
    f.next(Opcode::setattr);
    let_go_of(open, late);
    CHECK(open->owes_release());
    CHECK(open->result().fh == 7);
}

TEST_CASE("a READDIRPLUS that is let go of does not become a READDIR", "[abandon]") {
    OperationsFixture f;
    Late late;
    std::vector<std::byte> room(4096);
    Counted<ReadDirectory> read;
    read->start(f.client, kCaller, {kParent, 7, 0}, room, DirectoryFormat::direntpluses);
    f.next(Opcode::readdirplus);
    let_go_of(read, late);
    CHECK(sees_no_other(f));
}

TEMPLATE_TEST_CASE("a transfer of many pieces is let go of as a whole", "[abandon]", ReadFile, WriteFile) {
    OperationsFixture f;
    constexpr bool kReads = std::is_same_v<TestType, ReadFile>;
    constexpr Opcode kOp = kReads ? Opcode::read : Opcode::write;
    const bool some_moved = GENERATE(false, true);
    const std::size_t piece = f.params.max_read;
    std::vector<std::byte> bytes(20 * piece);
    TransferSpan span;
    span.nodeid = kNew;
    span.host = bytes.data();
    span.len = bytes.size();
    Counted<TestType> transfer;
    std::array<LateReply, TestType::kPieces> none;
    CHECK(transfer->abandon(none, Errc::abandoned) == Errc::wrong_state);
    transfer->start(f.client, kCaller, span);
    f.next(kOp);
    if (some_moved) {
        if constexpr (kReads) f.answer_data(std::vector<std::byte>(piece));
        if constexpr (!kReads) f.answer(wire::WriteOut{static_cast<std::uint32_t>(piece), 0});
    }
    CHECK(transfer->abandon(none, Errc::abandoned) == Errc::wrong_state); // they would keep no memory
    REQUIRE(transfer.finished == 0);
    std::array<LateReply, TestType::kPieces> held;
    int came = 0;
    for (LateReply& each : held) {
        each.memory = HeldMemory::until_late;
        each.owner = &came;
        each.on_late = [](LateReply& reply) noexcept { ++*static_cast<int*>(reply.owner); };
    }
    f.kick();
    const std::size_t under_way = f.queue.visible().size();
    CHECK(under_way == TestType::kPieces);
    REQUIRE(transfer->abandon(held, Errc::abandoned) == Errc::ok);
    CHECK(transfer.finished == 1);
    CHECK(transfer->errc() == (some_moved ? Errc::ok : Errc::abandoned));
    CHECK(transfer->done() == (some_moved ? piece : 0));
    CHECK(transfer->abandon(held, Errc::abandoned) == Errc::wrong_state);
    while (!f.silent()) {
        f.next(kOp);
        f.answer_error(Errno::eio);
    }
    CHECK(came == static_cast<int>(under_way));
    CHECK(transfer.finished == 1);
}
