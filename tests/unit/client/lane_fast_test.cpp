// SPDX-License-Identifier: BSD-2-Clause
// The fast path of READ and WRITE through a lane. Nobody can tell it from the slow one, but by its cost.
#include "lane_fixture.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using client::Lane;
using client::LaneOptions;
using wire::Opcode;
using Ordered = CountedCall<Opcode::statfs>;

namespace {

constexpr QueueLimits kLimits{.max_inflight = 64, .max_segments = 4};

constexpr client::Caller kCaller{.uid = 7, .gid = 8, .pid = 9};

// One READ or WRITE of registered memory, of 512 bytes if nothing else is said, to be sent by either path.
template <Opcode Op> struct Piece : client::Transfer {
    explicit Piece(LaneFixture& f, std::uint32_t size = 512) : memory(f.memory.add(size + 64)) {
        const auto content = pattern(size, 4);
        std::memcpy(memory.host() + 32, content.data(), size);
        span = {.nodeid = 0x1122334455667788,
                .fh = 42,
                .offset = 0x99aabbccddee,
                .host = memory.host() + 32,
                .len = size,
                .lock_owner = 0x1234'5678'9abc'def0,
                .open_flags = 5,
                .transfer_flags = 6};
        span.lies_in(memory);
        on_done = [](client::Transfer& transfer) noexcept { ++static_cast<Piece&>(transfer).ended; };
    }
    // The path that the lane takes.
    void send(LaneFixture& f) {
        const std::uintptr_t slow = f.lane.counters().slow_transfers;
        const int ended_before = ended;
        f.lane.template start<Op>(*this, span, kCaller);
        if (f.lane.counters().slow_transfers == slow && ended == ended_before) ++fast;
    }
    // Sends it as a request of its own, which is what the fast path is compared with.
    void send_as_request(LaneFixture& f) {
        call.nodeid = span.nodeid;
        call.caller = kCaller;
        call.args.fh = span.fh;
        call.args.offset = span.offset;
        call.args.size = static_cast<std::uint32_t>(span.len);
        call.args.flags = span.open_flags;
        call.args.lock_owner = span.lock_owner;
        if constexpr (Op == Opcode::read) {
            call.args.read_flags = span.transfer_flags;
        } else {
            call.args.write_flags = span.transfer_flags;
        }
        segments[1] = {span.device, call.args.size};
        if constexpr (Op == Opcode::read) {
            call.data_out = {memory.host() + 32, call.args.size, segments};
        } else {
            call.data_in = {memory.host() + 32, call.args.size, segments};
        }
        call.owner = this;
        call.on_done = [](client::Request& request) noexcept {
            auto& self = *static_cast<Piece*>(request.owner);
            self.errc = request.errc;
            self.error = request.error;
            self.bytes = request.bytes;
            if constexpr (Op == Opcode::write) self.bytes = self.call.reply.size;
            ++self.ended;
        };
        f.lane.enqueue(call);
    }

    Region memory;
    client::TransferSpan span{};
    client::Call<Op> call;
    Segment segments[2]{};
    int ended = 0;
    int fast = 0;
};

template <Opcode Op> void check_same_bytes() {
    LaneFixture f(kLimits, 4, {});
    Piece<Op> any(f);
    Piece<Op> plain(f);
    any.send_as_request(f);
    plain.send(f);
    CHECK(plain.fast == 1);
    f.kick();
    REQUIRE(f.queue.sent_count() == 2);
    const ScriptedQueue::Sent& a = f.queue.sent(0);
    const ScriptedQueue::Sent& b = f.queue.sent(1);
    REQUIRE(a.readable.size() == b.readable.size());
    REQUIRE(a.writable.size() == b.writable.size());
    for (std::size_t i = 0; i < a.readable.size(); ++i) CHECK(a.readable[i].len == b.readable[i].len);
    for (std::size_t i = 0; i < a.writable.size(); ++i) CHECK(a.writable[i].len == b.writable[i].len);
    auto expected = a.request;
    const std::uint64_t unique = b.header().unique;
    std::memcpy(expected.data() + offsetof(wire::InHeader, unique), &unique, sizeof(unique));
    CHECK(b.request == expected);
    CHECK(unique >> 25 == (a.header().unique >> 25) + 1);
    CHECK((unique >> 17 & 0xff) == 1);
    CHECK((unique >> 1 & 0xffff) == b.token.slot);
    CHECK(f.lane.counters().started == 2);
    CHECK(f.lane.counters().copies == 0);
    CHECK(f.lane.arm_burst().completions == 2);
}

// Returns the verdict on a reply of this size, which is the same on either path.
template <Opcode Op> Errc verdict(std::uint32_t len, std::uint32_t written, std::int32_t error, std::uint64_t change) {
    Errc errc[2]{};
    for (int path = 0; path < 2; ++path) {
        LaneFixture f(kLimits);
        Piece<Op> piece(f);
        path == 0 ? piece.send_as_request(f) : piece.send(f);
        f.kick();
        const struct {
            wire::OutHeader header;
            wire::WriteOut taken;
        } reply{{len, error, f.queue.sent(0).header().unique ^ change}, {}};
        f.queue.write(0, &reply, Op == Opcode::write ? sizeof(reply) : sizeof(reply.header));
        f.queue.complete(0, written);
        f.drain();
        REQUIRE(piece.ended == 1);
        CHECK(piece.fast == path);
        errc[path] = piece.errc;
        if (errc[path] != Errc::ok) CHECK(piece.error == abi::Errno::none);
        if (error < 0 && errc[path] == Errc::ok) CHECK(piece.error == static_cast<abi::Errno>(-error));
        CHECK(f.lane.in_flight() == 0);
        CHECK(f.lane.error() == (errc[path] == Errc::unique_mismatch ? errc[path] : Errc::ok));
        CHECK(f.lane.counters().violations == (errc[path] == Errc::ok ? 0u : 1u));
    }
    CHECK(errc[0] == errc[1]);
    return errc[1];
}

} // namespace

TEST_CASE("both paths send the same bytes in the same segments", "[lane]") {
    check_same_bytes<Opcode::read>();
    check_same_bytes<Opcode::write>();
}

TEST_CASE("both paths judge a reply alike", "[lane]") {
    for (const std::uint32_t body : {0u, 1u, 7u, 8u, 9u, 511u, 512u, 513u, 520u, 0xffffff00u}) {
        INFO(body);
        CHECK(verdict<Opcode::read>(16 + body, 16 + body, 0, 0) == (body <= 512 ? Errc::ok : Errc::protocol_violation));
        CHECK(verdict<Opcode::write>(16 + body, 16 + body, 0, 0) == (body == 8 ? Errc::ok : Errc::protocol_violation));
    }
    CHECK(verdict<Opcode::read>(16, 16, -5, 0) == Errc::ok);
    CHECK(verdict<Opcode::read>(17, 17, -5, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::write>(24, 24, -5, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::write>(16, 16, 5, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::write>(16, 16, -512, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::read>(20, 21, 0, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::read>(0, 0, 0, 0) == Errc::protocol_violation);
    CHECK(verdict<Opcode::read>(20, 20, 0, 2) == Errc::unique_mismatch);
}

TEST_CASE("data and struct arrive on the fast path", "[lane]") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> read(f);
    Piece<Opcode::write> write(f);
    read.send(f);
    write.send(f);
    f.kick();
    const auto data = pattern(100, 9);
    f.queue.reply_bytes(0, data.data(), data.size());
    f.queue.reply(1, wire::WriteOut{77, 0});
    CHECK(f.drain() == 2);
    CHECK(read.succeeded());
    CHECK(read.bytes == 100);
    CHECK(std::memcmp(read.memory.host() + 32, data.data(), 100) == 0);
    CHECK(write.succeeded());
    CHECK(write.bytes == 77);
}

TEST_CASE("a server that says it took more than it was sent lies", "[lane]") {
    LaneFixture f(kLimits);
    Piece<Opcode::write> write(f);
    write.send(f);
    f.kick();
    f.queue.reply(0, wire::WriteOut{513, 0});
    f.drain();
    CHECK(write.errc == Errc::protocol_violation);
    CHECK(write.bytes == 0);
}

TEST_CASE("a transfer used again remembers nothing of its last answer", "[lane]") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> read(f);
    read.send(f);
    f.kick();
    f.queue.reply_error(0, abi::Errno::eio);
    f.drain();
    CHECK(read.error == abi::Errno::eio);
    CHECK(read.bytes == 0);
    read.send(f);
    f.kick();
    f.queue.reply(1);
    f.drain();
    CHECK(read.succeeded());
    CHECK(read.bytes == 0);
    CHECK(read.ended == 2);
}

TEST_CASE("what one slot carries one after the other on either path is told apart", "[lane]") {
    LaneFixture f(kLimits, 1, {});
    Piece<Opcode::read> read(f);
    Piece<Opcode::write> write(f, 256);
    Ordered other;
    std::vector<std::vector<std::byte>> sent[2];
    for (int round = 0; round < 2; ++round) {
        for (int what = 0; what < 6; ++what) {
            const std::size_t number = f.queue.sent_count();
            switch (what) {
            case 0: read.send(f); break;
            case 1: write.send(f); break;
            case 2: f.lane.enqueue(other); break;
            case 3: write.send(f); break;
            case 4: read.send_as_request(f); break;
            case 5: read.send(f); break;
            }
            f.kick();
            auto request = f.queue.last().request;
            std::memset(request.data() + offsetof(wire::InHeader, unique), 0, sizeof(std::uint64_t));
            sent[round].push_back(request);
            if (what == 2) {
                f.queue.reply(number, wire::Kstatfs{});
            } else if (what == 1 || what == 3) {
                f.queue.reply(number, wire::WriteOut{256, 0});
            } else {
                f.queue.reply(number);
            }
            f.drain();
        }
    }
    CHECK(sent[0] == sent[1]);
    CHECK(sent[0][0] == sent[0][4]);
    CHECK(sent[0][0] == sent[0][5]);
    CHECK(sent[0][1] == sent[0][3]);
    CHECK(sent[0][0] != sent[0][1]);
    CHECK(read.ended == 6);
    CHECK(read.fast == 4);
    CHECK(write.fast == 4);
}

TEST_CASE("after an init on other memory nothing is left of what the slots had prepared", "[lane]") {
    LaneFixture f(kLimits, 1, {});
    Piece<Opcode::read> read(f);
    read.send(f);
    f.kick();
    auto expected = f.queue.last().request;
    f.queue.reply(0);
    f.drain();
    const Region block = f.memory.add(Lane::memory_bytes(1, LaneFixture::kBounce));
    REQUIRE(f.lane.init(make_queue_ref(f.queue), f.entries, block, f.options) == Errc::ok);
    read.send(f);
    f.kick();
    const std::uint64_t unique = f.queue.last().header().unique;
    std::memcpy(expected.data() + offsetof(wire::InHeader, unique), &unique, sizeof(unique));
    CHECK(f.queue.last().request == expected);
}

TEST_CASE("the fast path is not taken past those that wait, without a slot, or above the bytes in flight", "[lane]") {
    LaneOptions options;
    options.max_data_in_flight = 1024;
    LaneFixture f(kLimits, 3, options);
    std::vector<std::unique_ptr<Piece<Opcode::read>>> pieces;
    for (int i = 0; i < 6; ++i) {
        pieces.push_back(std::make_unique<Piece<Opcode::read>>(f));
        pieces.back()->span.nodeid = static_cast<std::uint64_t>(100 + i);
        pieces.back()->send(f);
        CHECK(pieces.back()->fast == (i < 2 ? 1 : 0));
    }
    CHECK(f.queue.sent_count() == 2); // 1024 bytes
    CHECK(f.lane.counters().waited == 4);
    for (std::size_t i = 0; i < 6; ++i) {
        f.kick();
        f.queue.reply(i);
        f.drain();
        CHECK(f.queue.sent_count() == std::min<std::size_t>(6, i + 3));
    }
    for (std::size_t i = 0; i < 6; ++i) CHECK(f.queue.sent(i).header().nodeid == 100 + i);
    pieces[0]->send(f);
    CHECK(pieces[0]->fast == 2); // nobody waits any more

    LaneFixture g(kLimits, 1);
    Piece<Opcode::write> first(g);
    Piece<Opcode::write> second(g);
    first.send(g);
    second.send(g);
    CHECK(g.queue.sent_count() == 1);
    g.kick();
    g.queue.reply(0, wire::WriteOut{512, 0});
    g.drain();
    CHECK(g.queue.sent_count() == 2);
}

TEST_CASE("the fast path does not pass one that waits, though there is room for both", "[lane]") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> first(f);
    Piece<Opcode::read> waiting(f);
    Piece<Opcode::read> newcomer(f);
    first.send_as_request(f);
    f.queue.refuse(1);
    waiting.send_as_request(f);
    newcomer.send(f);
    CHECK(newcomer.fast == 0);
    CHECK(f.queue.sent_count() == 1);
    CHECK(f.lane.counters().waited == 2);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.queue.sent_count() == 3);
}

TEST_CASE("a header the device left alone is not the last answer of its slot on the fast path either", "[lane]") {
    LaneFixture f(kLimits, 1);
    for (int i = 0; i < 2; ++i) {
        Piece<Opcode::read> read(f);
        read.send(f);
        CHECK(read.fast == 1);
        f.kick();
        if (i == 0) {
            f.queue.reply(0);
        } else {
            f.queue.complete(1, 16);
        }
        f.drain();
        CHECK(read.errc == (i == 0 ? Errc::ok : Errc::protocol_violation));
    }
    CHECK(f.lane.error() == Errc::ok);
}

TEST_CASE("where lengths are upper bounds, the header's length counts on the fast path as well", "[lane]") {
    LaneOptions options;
    options.lengths = WrittenLength::upper_bound;
    LaneFixture f({.max_inflight = 64, .max_segments = 4, .written = WrittenLength::upper_bound}, 4, options);
    Piece<Opcode::read> read(f);
    read.send(f);
    f.kick();
    const wire::OutHeader header{16 + 100, 0, f.queue.sent(0).header().unique};
    f.queue.write(0, &header, sizeof(header));
    f.queue.complete(0, 16 + 512);
    f.drain();
    CHECK(read.succeeded());
    CHECK(read.bytes == 100);
    CHECK(read.fast == 1);
}

TEST_CASE("a full queue closes the fast path, and the slot is free again", "[lane]") {
    LaneFixture f(kLimits, 2);
    Piece<Opcode::read> first(f);
    Piece<Opcode::read> second(f);
    first.send(f);
    f.queue.refuse(2); // it tries both paths
    second.send(f);
    CHECK(second.fast == 0);
    CHECK(second.ended == 0);
    CHECK(f.lane.in_flight() == 1);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.queue.sent_count() == 2);
}

TEST_CASE("transfers on their way end with the lane", "[lane]") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> read(f);
    Piece<Opcode::write> write(f);
    read.send(f);
    write.send(f);
    f.kick();
    f.lane.fail_all(Errc::device_gone);
    for (const client::Transfer* transfer :
         {static_cast<client::Transfer*>(&read), static_cast<client::Transfer*>(&write)}) {
        CHECK(transfer->errc == Errc::device_gone);
        CHECK(transfer->error == abi::Errno::none);
        CHECK(transfer->bytes == 0);
    }
    CHECK(read.ended == 1);
    CHECK(write.ended == 1);
    CHECK(f.lane.counters().started == 2);
    CHECK(f.lane.counters().finished == 2);
}

TEST_CASE("a lane that is latched or gone takes no fast path", "[lane]") {
    LaneFixture f(kLimits);
    f.lane.fail_all(Errc::device_gone);
    Piece<Opcode::read> read(f);
    read.send(f);
    CHECK(read.fast == 0);
    CHECK(read.ended == 1);
    CHECK(read.errc == Errc::device_gone);
    CHECK(f.queue.submits() == 0);
}

TEST_CASE("a limit on bytes in flight that is no limit still bounds what one header can say", "[lane]") {
    LaneOptions options;
    options.max_data_in_flight = 0xffff'ffffu;
    LaneFixture f(kLimits, 4, options);
    for (const std::uint64_t len : {std::uint64_t{0xffff'fff0}, std::uint64_t{client::kMaxPayload} + 1}) {
        Piece<Opcode::write> huge(f);
        huge.span.len = len;
        huge.send(f);
        CHECK(huge.errc == Errc::too_large);
        CHECK(huge.ended == 1);
    }
    CHECK(f.queue.submits() == 0);
}

TEST_CASE("on a queue of short chains, or watched by a trace, there is no fast path", "[lane]") {
    {
        LaneFixture f({.max_inflight = 64, .max_segments = 2});
        Piece<Opcode::write> write(f);
        write.send(f);
        CHECK(write.fast == 0);
        f.kick();
        CHECK(f.queue.last().readable.size() == 1);
        CHECK(f.queue.last().request.size() == 80 + 512);
    }
    for (const bool at_start : {true, false}) {
        LaneOptions options;
        const auto hook = [](void*, const client::TraceEvent&) noexcept {};
        (at_start ? options.trace.started : options.trace.finished) = hook;
        LaneFixture f(kLimits, 4, options);
        Piece<Opcode::write> write(f);
        write.send(f);
        CHECK(write.fast == 0);
        CHECK(f.queue.submits() == 1);
    }
}

TEST_CASE("a callback of drain may end the whole lane: what else was in the batch ends once", "[lane]") {
    struct Ender : client::Call<Opcode::statfs> {
        Lane* lane = nullptr;
        int ended = 0;
    };
    LaneFixture f(kLimits, 8);
    std::vector<Ender> enders(5);
    for (Ender& ender : enders) {
        ender.lane = &f.lane;
        ender.owner = &ender;
        ender.on_done = [](client::Request& request) noexcept {
            auto& self = *static_cast<Ender*>(request.owner);
            ++self.ended;
            self.lane->fail_all(Errc::device_gone);
        };
        f.lane.enqueue(ender);
    }
    f.kick();
    for (std::size_t i = 0; i < 3; ++i) f.queue.reply(i, wire::Kstatfs{});
    f.drain();
    for (const Ender& ender : enders) CHECK(ender.ended == 1);
    CHECK(enders[0].succeeded());
    CHECK(enders[1].errc == Errc::device_gone);
    CHECK(enders[4].errc == Errc::device_gone);
    CHECK(f.lane.idle());
    CHECK(f.lane.counters().finished == 5);
}
