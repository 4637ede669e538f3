// SPDX-License-Identifier: BSD-2-Clause
// A lane counts the requests of each row, how they ended, and, as the rest, the transfers of the fast path.
#include "lane_fixture.hpp"

#include <memory>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using client::HeldMemory;
using client::LateReply;
using client::RowCounters;
using wire::Opcode;

namespace {

struct Late : LateReply {
    explicit Late(HeldMemory held = HeldMemory::none) {
        memory = held;
        owner = this;
        on_late = [](LateReply& reply) noexcept { ++static_cast<Late*>(reply.owner)->came; };
    }
    int came = 0;
};

// A READ or a WRITE of 512 bytes of registered memory.
template <Opcode Op> struct FastTransfer : client::Transfer {
    explicit FastTransfer(LaneFixture& f) : memory(f.memory.add(512)) {
        span = {.nodeid = 5, .fh = 42, .host = memory.host(), .len = 512};
        span.lies_in(memory);
        on_done = [](client::Transfer& transfer) noexcept { ++static_cast<FastTransfer&>(transfer).ended; };
        f.lane.template start<Op>(*this, span, {});
    }

    Region memory;
    client::TransferSpan span{};
    int ended = 0;
};

void check_row(const LaneFixture& f, Opcode op, const RowCounters& expected) {
    INFO(wire::op_info(op).name);
    const RowCounters& row = f.lane.operations().of(op);
    CHECK(row.finished == expected.finished);
    CHECK(row.errors == expected.errors);
    CHECK(row.failures == expected.failures);
}

} // namespace

TEST_CASE("each request is counted in its row when it ends, with the server's errors apart", "[counters]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 8);
    CountedCall<Opcode::statfs> fixed[2]; // they take the fast path of fixed requests
    for (auto& call : fixed) f.lane.enqueue(call);
    CountedCall<Opcode::lookup> named[3];
    for (auto& call : named) {
        call.name = text_span("f");
        f.lane.enqueue(call);
    }
    f.kick();
    check_row(f, Opcode::statfs, {});
    CHECK(f.lane.operations().finished() == 0);
    f.queue.reply(0, wire::Kstatfs{});
    f.queue.reply_error(1, Errno::eio);
    f.queue.reply(2, wire::EntryOut{});
    f.queue.reply_error(3, Errno::enoent);
    f.queue.reply_error(4, Errno::eacces);
    f.drain();
    check_row(f, Opcode::statfs, {2, 1, 0});
    check_row(f, Opcode::lookup, {3, 2, 0});
    CHECK(f.lane.operations().finished() == 5);
    CHECK(f.lane.counters().finished == 5);
    CHECK(f.lane.fast_transfers() == 0);
    for (const wire::OpInfo& op : wire::kOpInfo) {
        if (op.opcode != Opcode::statfs && op.opcode != Opcode::lookup) check_row(f, op.opcode, {});
    }
}

TEST_CASE("a reply that breaks a rule and a lost device are failures and no errors", "[counters]") {
    LaneFixture f;
    CountedCall<Opcode::statfs> calls[5]; // the last of them finds no slot
    for (auto& call : calls) f.lane.enqueue(call);
    f.kick();
    f.queue.complete(0, 3);
    f.queue.reply(1, wire::Kstatfs{});
    f.drain();
    check_row(f, Opcode::statfs, {2, 0, 1});
    f.kick();
    f.lane.fail_all(Errc::device_gone);
    check_row(f, Opcode::statfs, {5, 0, 4});
    CHECK(f.lane.counters().finished == 5);
    CountedCall<Opcode::statfs> refused;
    f.lane.enqueue(refused);
    CHECK(refused.errc == Errc::device_gone);
    check_row(f, Opcode::statfs, {5, 0, 4}); // it was not sent
    CHECK(f.lane.fast_transfers() == 0);
}

TEST_CASE("a request that never left the line is counted nowhere", "[counters]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 1);
    CountedCall<Opcode::statfs> calls[3];
    for (auto& call : calls) f.lane.enqueue(call);
    f.kick();
    Late late;
    REQUIRE(f.lane.abandon(calls[1], late, Errc::abandoned) == Errc::ok);
    f.lane.fail_all(Errc::device_gone);
    CHECK(calls[2].ended == 1);
    check_row(f, Opcode::statfs, {1, 0, 1});
    CHECK(f.lane.counters().finished == 1);
    CHECK(f.lane.counters().abandoned == 0);
    CHECK(f.lane.counters().late == 0);
}

TEST_CASE("a request that may go without a reply is no failure", "[counters]") {
    LaneFixture f;
    CountedCall<Opcode::notify_reply> told;
    told.given_unique = 77;
    f.lane.enqueue(told);
    REQUIRE(told.ended == 0);
    f.kick();
    f.queue.complete(0, 0);
    f.drain();
    CHECK(told.succeeded());
    check_row(f, Opcode::notify_reply, {1, 0, 0});
}

TEST_CASE("an abandoned request is counted once, when its late reply comes or the device is lost", "[counters]") {
    LaneFixture f;
    CountedCall<Opcode::statfs> calls[3];
    Late late[3];
    for (std::size_t i = 0; i < 3; ++i) f.lane.enqueue(calls[i]);
    f.kick();
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(f.lane.abandon(calls[i], late[i], Errc::abandoned) == Errc::ok);
    check_row(f, Opcode::statfs, {});
    CHECK(f.lane.counters().abandoned == 3);
    CHECK(f.lane.counters().late == 0);
    f.queue.reply(0, wire::Kstatfs{});
    f.queue.reply_error(1, Errno::eintr);
    f.drain();
    CHECK(late[1].came == 1);
    check_row(f, Opcode::statfs, {2, 1, 0});
    CHECK(f.lane.counters().late == 2);
    f.lane.fail_all(Errc::device_gone);
    CHECK(late[2].came == 1);
    check_row(f, Opcode::statfs, {3, 1, 1});
    CHECK(f.lane.counters().late == 3);
    CHECK(f.lane.counters().finished == 3);
}

TEST_CASE("transfers of the fast path are what no row has, and those of the slow one are in theirs", "[counters]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 8);
    FastTransfer<Opcode::read> reads[2]{FastTransfer<Opcode::read>(f), FastTransfer<Opcode::read>(f)};
    FastTransfer<Opcode::write> write(f);
    CountedCall<Opcode::statfs> call;
    f.lane.enqueue(call);
    client::Transfer bounced;
    bounced.on_done = [](client::Transfer&) noexcept {};
    std::byte memory[16];
    f.lane.start<Opcode::read>(bounced, {.nodeid = 5, .host = memory, .len = sizeof(memory)}, {});
    f.kick();
    REQUIRE(f.queue.sent_count() == 5);
    REQUIRE(f.lane.counters().slow_transfers == 1);
    f.queue.reply(0);
    f.queue.reply_error(1, Errno::eio); // not counted as an error: it would be on the fast path
    f.queue.reply(2, wire::WriteOut{512, 0});
    f.queue.reply(3, wire::Kstatfs{});
    f.queue.reply_bytes(4, "abc", 3);
    f.drain();
    CHECK(reads[1].error == Errno::eio);
    CHECK(write.bytes == 512);
    CHECK(bounced.bytes == 3);
    CHECK(f.lane.counters().finished == 5);
    CHECK(f.lane.fast_transfers() == 3);
    CHECK(f.lane.counters().lost_transfers == 0);
    check_row(f, Opcode::read, {1, 0, 0});
    check_row(f, Opcode::write, {});
    check_row(f, Opcode::statfs, {1, 0, 0});
}

TEST_CASE("a fast transfer that breaks a rule, or is lost, is a lost one; an abandoned one has a row", "[counters]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 4);
    FastTransfer<Opcode::read> broken(f);
    FastTransfer<Opcode::read> abandoned(f);
    FastTransfer<Opcode::write> lost(f);
    f.kick();
    REQUIRE(f.queue.sent_count() == 3);
    Late late(HeldMemory::until_late);
    REQUIRE(f.lane.abandon(abandoned, late, Errc::timed_out) == Errc::ok);
    f.queue.complete(0, 3);
    f.queue.reply(1);
    f.drain();
    CHECK(broken.errc == Errc::protocol_violation);
    CHECK(f.lane.counters().lost_transfers == 1);
    CHECK(f.lane.fast_transfers() == 1);
    check_row(f, Opcode::read, {1, 0, 0});
    CHECK(f.lane.counters().late == 1);
    f.lane.fail_all(Errc::device_gone);
    CHECK(lost.errc == Errc::device_gone);
    CHECK(f.lane.counters().lost_transfers == 2);
    CHECK(f.lane.fast_transfers() == 2);
    check_row(f, Opcode::write, {});
    CHECK(f.lane.counters().finished == 3);
}
