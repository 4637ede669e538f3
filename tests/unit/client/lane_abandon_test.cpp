// SPDX-License-Identifier: BSD-2-Clause
// Requests that are let go: in the line, in flight, by a deadline; and what their late replies granted.
#include "lane_fixture.hpp"

#include "vfsproto/fuse/client/undo_grants.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <memory>

using namespace vfsproto;
using namespace vfsproto::test;
using client::HeldMemory;
using client::LaneOptions;
using client::LateReply;
using wire::Opcode;

namespace {

constexpr std::uint64_t kNode = 77;
constexpr std::uint64_t kHandle = 0x1111'2222'3333'4444;
constexpr std::uint64_t kParent = 5;

// The things that have to be given back, as a host would collect them.
struct Undone {
    void forget(std::uint64_t nodeid) { forgotten.push_back(nodeid); }
    void release(Opcode op, std::uint64_t nodeid, std::uint64_t fh) { released.push_back({op, nodeid, fh}); }

    struct Release {
        Opcode op;
        std::uint64_t nodeid;
        std::uint64_t fh;
    };
    std::vector<std::uint64_t> forgotten;
    std::vector<Release> released;
};

struct Late : LateReply {
    explicit Late(HeldMemory held = HeldMemory::none) {
        memory = held;
        owner = this;
        on_late = [](LateReply& reply) noexcept {
            auto& self = *static_cast<Late*>(reply.owner);
            ++self.came;
            client::undo_grants(reply.granted, self.undone);
        };
    }
    int came = 0;
    Undone undone;
};

// Sends a request, lets go of it and of its storage, then answers it.
template <Opcode Op> struct LetGo {
    explicit LetGo(LaneFixture& f) : f_(f), call(std::make_unique<CountedCall<Op>>()) { call->nodeid = kParent; }

    void abandon() {
        f_.lane.enqueue(*call);
        f_.kick();
        number = f_.queue.sent_count() - 1;
        REQUIRE(f_.lane.abandon(*call, late, Errc::abandoned) == Errc::ok);
        CHECK(call->ended == 1);
        CHECK(call->errc == Errc::abandoned);
        call.reset(); // a write to it from here on is one to freed memory
        CHECK_FALSE(f_.lane.idle());
        CHECK(late.came == 0);
    }
    template <class Out> void answer(const Out& out) {
        f_.queue.reply(number, out);
        f_.drain();
        CHECK(late.came == 1);
        CHECK(f_.lane.idle());
    }

    LaneFixture& f_;
    std::unique_ptr<CountedCall<Op>> call;
    Late late;
    std::size_t number = 0;
};

} // namespace

TEST_CASE("a request that waits for a slot is abandoned without a trace of it on the queue", "[abandon]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 1);
    CountedCall<Opcode::statfs> calls[4];
    for (auto& call : calls) f.lane.enqueue(call);
    REQUIRE(f.queue.sent_count() == 1);
    Late late;
    CHECK(f.lane.unique_of(calls[2]) == 0);
    CHECK(f.lane.abandon(calls[2], late, Errc::abandoned) == Errc::ok);
    CHECK(f.lane.abandon(calls[3], late, Errc::abandoned) == Errc::ok); // the last of the line
    CHECK(calls[2].ended == 1);
    CHECK(calls[2].errc == Errc::abandoned);
    CHECK(f.lane.abandon(calls[2], late, Errc::abandoned) == Errc::wrong_state);
    f.lane.enqueue(calls[3]); // and once more, behind the other
    for (std::size_t i = 0; i < 3; ++i) {
        f.kick();
        f.queue.reply(i, wire::Kstatfs{});
        f.drain();
    }
    CHECK(f.queue.sent_count() == 3);
    CHECK(calls[1].ended == 1);
    CHECK(calls[3].ended == 2);
    CHECK(late.came == 0);
    CHECK(f.lane.idle());
}

TEST_CASE("a request in flight is abandoned at once, and its late reply reports what it granted", "[abandon]") {
    LaneFixture f;
    SECTION("a lookup") {
        LetGo<Opcode::lookup> lookup(f);
        lookup.call->name = text_span("f");
        lookup.abandon();
        wire::EntryOut out{};
        out.nodeid = kNode;
        lookup.answer(out);
        CHECK(lookup.late.undone.forgotten == std::vector{kNode});
        CHECK(lookup.late.undone.released.empty());
    }
    SECTION("no lookup, for a name that is not there") {
        LetGo<Opcode::lookup> lookup(f);
        lookup.call->name = text_span("f");
        lookup.abandon();
        lookup.answer(wire::EntryOut{});
        CHECK(lookup.late.undone.forgotten.empty());
    }
    SECTION("a handle of the node that was opened") {
        LetGo<Opcode::opendir> open(f);
        open.abandon();
        wire::OpenOut out{};
        out.fh = kHandle;
        open.answer(out);
        REQUIRE(open.late.undone.released.size() == 1);
        CHECK(open.late.undone.released[0].op == Opcode::releasedir);
        CHECK(open.late.undone.released[0].nodeid == kParent);
        CHECK(open.late.undone.released[0].fh == kHandle);
    }
    SECTION("a lookup and a handle of the node that was made") {
        LetGo<Opcode::create> create(f);
        create.call->name = text_span("f");
        create.abandon();
        wire::CreateOut out{};
        out.entry.nodeid = kNode;
        out.open.fh = kHandle;
        create.answer(out);
        CHECK(create.late.undone.forgotten == std::vector{kNode});
        REQUIRE(create.late.undone.released.size() == 1);
        CHECK(create.late.undone.released[0].op == Opcode::release);
        CHECK(create.late.undone.released[0].nodeid == kNode);
        CHECK(create.late.undone.released[0].fh == kHandle);
    }
    SECTION("nothing, for a row that grants nothing") {
        LetGo<Opcode::getattr> getattr(f);
        getattr.abandon();
        getattr.answer(wire::AttrOut{});
        CHECK(getattr.late.verdict.succeeded());
        CHECK(getattr.late.undone.forgotten.empty());
    }
}

TEST_CASE("each record of a late READDIRPLUS that names a node is a lookup to give back", "[abandon]") {
    LaneFixture f;
    auto call = std::make_unique<CountedCall<Opcode::readdirplus>>();
    auto room = std::make_unique<std::vector<std::byte>>(4096);
    call->args.size = 4096;
    call->data_out = {room->data(), 4096, {}};
    f.lane.enqueue(*call);
    f.kick();
    Late late;
    REQUIRE(f.lane.abandon(*call, late, Errc::abandoned) == Errc::ok);
    call.reset();
    room.reset();
    std::vector<std::byte> records(4096);
    wire::DirentplusWriter writer(records);
    const auto add = [&](const char* name, std::uint64_t nodeid) {
        wire::DirEntryPlus record{};
        record.dirent.name = wire::Name(name, std::strlen(name));
        record.dirent.ino = 1;
        record.entry.nodeid = nodeid;
        REQUIRE(writer.add(record));
    };
    add(".", 1);
    add("..", 1);
    add("a", 100);
    add("b", 0); // none was made
    add("c", 101);
    f.queue.reply_bytes(0, records.data(), writer.size());
    f.drain();
    CHECK(late.came == 1);
    CHECK(late.undone.forgotten == std::vector<std::uint64_t>{100, 101});
    CHECK(f.lane.idle());
}

TEST_CASE("a late error, a late violation and a lost device grant nothing", "[abandon]") {
    LaneFixture f;
    const int how = GENERATE(0, 1, 2);
    LetGo<Opcode::create> create(f);
    create.call->name = text_span("f");
    create.abandon();
    Errc expected = Errc::ok;
    if (how == 0) f.queue.reply_error(create.number, abi::Errno::eacces);
    if (how == 1) {
        f.queue.complete(create.number, 3);
        expected = Errc::protocol_violation;
    }
    if (how == 2) {
        f.lane.fail_all(Errc::device_gone);
        expected = Errc::device_gone;
    }
    f.drain();
    CHECK(create.late.came == 1);
    CHECK(create.late.verdict.errc == expected);
    CHECK_FALSE(create.late.verdict.succeeded());
    CHECK(create.late.undone.forgotten.empty());
    CHECK(create.late.undone.released.empty());
    CHECK(f.lane.idle());
}

TEST_CASE("registered payload is the device's until the chain is back, and somebody has to keep it", "[abandon]") {
    LaneFixture f;
    const Region memory = f.memory.add(512);
    const Segment segment = memory.segment(memory.host(), 512);
    CountedCall<Opcode::read> call;
    call.args.size = 512;
    call.data_out = {memory.host(), 512, f.list(segment)};
    f.lane.enqueue(call);
    f.kick();
    Late without;
    CHECK(f.lane.abandon(call, without, Errc::abandoned) == Errc::wrong_state);
    CHECK(call.ended == 0);
    Late keeper(HeldMemory::until_late);
    CHECK(f.lane.abandon(call, keeper, Errc::abandoned) == Errc::ok);
    CHECK(call.ended == 1);
    CHECK(keeper.came == 0);
    f.queue.reply_bytes(0, "abc", 3);
    f.drain();
    CHECK(keeper.came == 1);
    CHECK(f.lane.idle());
}

TEST_CASE("a deadline ends a request wherever it is, and the next one is told", "[abandon]") {
    constexpr std::uint64_t kEarly = 100;
    constexpr std::uint64_t kLater = 200;
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 2);
    Late late[3];
    CountedCall<Opcode::statfs> calls[4];
    const std::uint64_t deadlines[] = {kLater, kEarly, kEarly, 0};
    for (std::size_t i = 0; i < 4; ++i) {
        calls[i].deadline = deadlines[i];
        if (i < 3) calls[i].late = &late[i];
        f.lane.enqueue(calls[i]);
    }
    f.kick();
    REQUIRE(f.queue.sent_count() == 2);
    CHECK(f.lane.expire(kEarly - 1) == kEarly);
    CHECK(f.lane.expire(kEarly) == kLater);
    CHECK(calls[0].ended == 0);
    CHECK(calls[1].ended == 1);
    CHECK(calls[1].errc == Errc::timed_out);
    CHECK(calls[2].ended == 1); // it waited
    CHECK(calls[3].ended == 0);
    CHECK(f.lane.expire(kLater) == 0);
    CHECK(calls[0].errc == Errc::timed_out);
    CHECK(f.lane.counters().abandoned == 2);
    // The slots come back with the late replies, and serve the one that waits.
    f.queue.reply(0, wire::Kstatfs{});
    f.drain();
    f.kick();
    CHECK(f.queue.sent_count() == 3);
    f.queue.reply(1, wire::Kstatfs{});
    f.queue.reply(2, wire::Kstatfs{});
    f.drain();
    CHECK(late[0].came == 1);
    CHECK(late[1].came == 1);
    CHECK(late[2].came == 0);
    CHECK(calls[3].succeeded());
    CHECK(f.lane.idle());

    CountedCall<Opcode::statfs> unbounded;
    unbounded.deadline = kEarly;
    f.lane.enqueue(unbounded);
    CHECK(unbounded.errc == Errc::bad_argument); // nothing could take its place
}

TEST_CASE("the unique of a request in flight is the one on the wire", "[abandon]") {
    LaneFixture f;
    CountedCall<Opcode::statfs> first;
    CountedCall<Opcode::lookup> second;
    second.name = text_span("f");
    f.lane.enqueue(first);
    f.lane.enqueue(second);
    f.kick();
    client::ErasedLane& lane = f.lane;
    CHECK(lane.unique_of(first) == f.queue.sent(0).header().unique);
    CHECK(lane.unique_of(second) == f.queue.sent(1).header().unique);
    f.queue.reply(0, wire::Kstatfs{});
    f.drain();
    CHECK(lane.unique_of(first) == 0);
    f.lane.fail_all(Errc::device_gone);
}

TEST_CASE("requests that wait for another one never take the last slot", "[abandon]") {
    constexpr std::size_t kSlots = 4;
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, kSlots);
    CountedCall<Opcode::setlkw> waits[kSlots + 1];
    for (auto& wait : waits) f.lane.enqueue(wait);
    CHECK(f.queue.sent_count() == kSlots - 1);
    CountedCall<Opcode::setlk> unlock;
    f.lane.enqueue(unlock);
    f.kick();
    REQUIRE(f.queue.sent_count() == kSlots);
    f.queue.reply(kSlots - 1);
    f.drain();
    CHECK(unlock.succeeded());
    CHECK(f.queue.sent_count() == kSlots); // the slot stays free
    f.queue.reply(0);                      // the lock is handed on
    f.drain();
    CHECK(waits[0].succeeded());
    CHECK(f.queue.sent_count() == kSlots + 1);
    // One abandoned in the line, the others with the device.
    Late late;
    CHECK(f.lane.abandon(waits[kSlots], late, Errc::abandoned) == Errc::ok);
    f.lane.fail_all(Errc::device_gone);
    for (auto& wait : waits) CHECK(wait.ended == 1);
    CHECK(f.lane.idle());
}

TEST_CASE("slots lie in as many regions as are given, each whole in one", "[abandon]") {
    SharedMemory memory;
    ScriptedQueue queue(memory);
    LaneOptions options;
    options.bounce = LaneFixture::kBounce;
    const std::size_t stride = client::Lane::memory_bytes(1, options.bounce);
    const Region regions[] = {memory.add(stride), memory.add(stride - 1), memory.add(2 * stride + 100)};
    std::vector<client::Lane::Entry> entries(8);
    client::Lane lane;
    REQUIRE(lane.init(make_queue_ref(queue), entries, regions, options) == Errc::ok);
    CountedCall<Opcode::statfs> calls[4];
    for (auto& call : calls) lane.enqueue(call);
    lane.kick();
    CHECK(queue.sent_count() == 3);
    CHECK(queue.blamed() == "");
    for (std::size_t i = 0; i < 3; ++i) queue.reply(i, wire::Kstatfs{});
    lane.drain();
    lane.kick();
    queue.reply(3, wire::Kstatfs{});
    lane.drain();
    for (auto& call : calls) CHECK(call.succeeded());
}

TEMPLATE_TEST_CASE_SIG(
    "a transfer on the fast path can be let go, and its memory is the device's until the chain is back", "[abandon]",
    ((Opcode Op), Op), Opcode::read, Opcode::write) {
    LaneFixture f;
    constexpr std::uint32_t kSize = 512;
    const Region memory = f.memory.add(kSize);
    struct Counted : client::Transfer {
        int ended = 0;
    } transfer;
    transfer.on_done = [](client::Transfer& done) noexcept { ++static_cast<Counted&>(done).ended; };
    client::TransferSpan span{.nodeid = 7, .host = memory.host(), .len = kSize};
    span.lies_in(memory);
    f.lane.start<Op>(transfer, span, {});
    f.kick();
    CHECK(f.lane.counters().slow_transfers == 0);
    CHECK(f.lane.unique_of(transfer) == f.queue.last().header().unique);
    Late without;
    CHECK(f.lane.abandon(transfer, without, Errc::abandoned) == Errc::wrong_state);
    CHECK(transfer.ended == 0);
    Late late;
    late.memory = client::HeldMemory::until_late;
    CHECK(f.lane.abandon(transfer, late, Errc::timed_out) == Errc::ok);
    CHECK(transfer.ended == 1);
    CHECK(transfer.errc == Errc::timed_out);
    CHECK(transfer.bytes == 0);
    CHECK(f.lane.in_flight() == 1); // its slot is the late reply's
    CHECK(f.lane.unique_of(transfer) == 0);
    CHECK(f.lane.abandon(transfer, late, Errc::timed_out) == Errc::wrong_state);
    if constexpr (Op == Opcode::read) {
        f.queue.reply(0);
    } else {
        f.queue.reply(0, wire::WriteOut{kSize, 0});
    }
    CHECK(f.drain() == 1);
    CHECK(late.came == 1);
    CHECK(late.verdict.succeeded());
    CHECK(late.granted.nodeid == 0);
    CHECK(f.lane.idle());
    CHECK(transfer.ended == 1);
    // The slot carries the next one as if nothing had been.
    f.lane.start<Op>(transfer, span, {});
    CHECK(f.lane.unique_of(transfer) != 0);
}

TEST_CASE("a transfer that waits for a slot can be let go, with no late reply", "[abandon]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 1);
    CountedCall<Opcode::statfs> first;
    f.lane.enqueue(first);
    struct Counted : client::Transfer {
        int ended = 0;
    } transfer;
    transfer.on_done = [](client::Transfer& done) noexcept { ++static_cast<Counted&>(done).ended; };
    std::byte bytes[64];
    f.lane.start<Opcode::read>(transfer, {.nodeid = 7, .host = bytes, .len = sizeof(bytes)}, {});
    CHECK(f.lane.unique_of(transfer) == 0);
    Late late;
    CHECK(f.lane.abandon(transfer, late, Errc::abandoned) == Errc::ok);
    CHECK(transfer.ended == 1);
    CHECK(transfer.errc == Errc::abandoned);
    f.kick();
    f.queue.reply(0, wire::Kstatfs{});
    f.drain();
    CHECK(f.queue.sent_count() == 1);
    CHECK(late.came == 0);
}

TEST_CASE("a trace is told that a request was abandoned, and its real end later", "[abandon]") {
    std::vector<client::TraceEvent> told;
    LaneOptions options;
    options.trace.context = &told;
    options.trace.finished = [](void* context, const client::TraceEvent& event) noexcept {
        static_cast<std::vector<client::TraceEvent>*>(context)->push_back(event);
    };
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 4, options);
    const bool is_lost = GENERATE(false, true);
    LetGo<Opcode::opendir> open(f);
    open.abandon();
    REQUIRE(told.size() == 1);
    CHECK(told[0].end == client::TraceEnd::abandoned);
    CHECK(told[0].errc == Errc::abandoned);
    if (is_lost) {
        f.lane.fail_all(Errc::device_gone);
    } else {
        f.queue.reply_error(open.number, abi::Errno::eacces);
        f.drain();
    }
    REQUIRE(told.size() == 2);
    CHECK(told[1].end == client::TraceEnd::late);
    CHECK(told[1].op == &wire::op_info(Opcode::opendir));
    CHECK(told[1].unique == told[0].unique);
    CHECK(told[1].nodeid == kParent);
    CHECK(told[1].errc == (is_lost ? Errc::device_gone : Errc::ok));
    CHECK(told[1].error == (is_lost ? 0 : static_cast<int>(abi::Errno::eacces)));
}
