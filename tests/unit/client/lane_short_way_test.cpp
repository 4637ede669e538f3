// SPDX-License-Identifier: BSD-2-Clause
// READ and WRITE have a way of their own through the lane. Nobody can tell, but by its cost.
#include "lane_fixture.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using client::Lane;
using client::LaneOptions;
using wire::Opcode;

namespace {

constexpr QueueLimits kLimits{.max_inflight = 64, .max_segments = 4};

// One READ or WRITE of registered memory, of 512 bytes if nothing else is said.
template <Opcode Op> struct Piece {
    explicit Piece(LaneFixture& f, std::uint32_t size = 512) : memory(f.memory.add(size + 64)) {
        segment = memory.segment(memory.host() + 32, size);
        const auto bytes = pattern(size, 4);
        std::memcpy(memory.host() + 32, bytes.data(), size);
        call.nodeid = 0x1122334455667788;
        call.caller = {.uid = 7, .gid = 8, .pid = 9};
        call.args.fh = 42;
        call.args.offset = 0x99aabbccddee;
        call.args.size = size;
        call.args.flags = 5;
        if constexpr (Op == Opcode::read) {
            call.data_out = {memory.host() + 32, size, {&segment, 1}};
        } else {
            call.data_in = {memory.host() + 32, size, {&segment, 1}};
        }
    }
    Region memory;
    Segment segment{};
    CountedCall<Op> call;
};

template <Opcode Op> void check_same_bytes() {
    LaneFixture f(kLimits);
    Piece<Op> any(f);
    Piece<Op> known(f);
    f.lane.enqueue(any.call);
    f.lane.template enqueue_as<Op>(known.call);
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

// The verdict on a reply of this size, by either way.
template <Opcode Op> Errc verdict(std::uint32_t len, std::uint32_t written, std::int32_t error, std::uint64_t change) {
    Errc errc[2]{};
    for (int way = 0; way < 2; ++way) {
        LaneFixture f(kLimits);
        Piece<Op> piece(f);
        if (way == 0) {
            f.lane.enqueue(piece.call);
        } else {
            f.lane.template enqueue_as<Op>(piece.call);
        }
        f.kick();
        const wire::OutHeader header{len, error, f.queue.sent(0).header().unique ^ change};
        f.queue.write(0, &header, sizeof(header));
        f.queue.complete(0, written);
        f.drain();
        REQUIRE(piece.call.ended == 1);
        errc[way] = piece.call.errc;
        CHECK(f.lane.in_flight() == 0);
        CHECK(f.lane.error() == (errc[way] == Errc::unique_mismatch ? errc[way] : Errc::ok));
    }
    CHECK(errc[0] == errc[1]);
    return errc[1];
}

} // namespace

TEST_CASE("both ways send the same bytes in the same segments") {
    check_same_bytes<Opcode::read>();
    check_same_bytes<Opcode::write>();
}

TEST_CASE("both ways judge a reply alike") {
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

TEST_CASE("data and struct arrive by the short way") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> read(f);
    Piece<Opcode::write> write(f);
    f.lane.enqueue_as<Opcode::read>(read.call);
    f.lane.enqueue_as<Opcode::write>(write.call);
    f.kick();
    const auto data = pattern(100, 9);
    f.queue.reply_bytes(0, data.data(), data.size());
    f.queue.reply(1, wire::WriteOut{77, 0});
    CHECK(f.drain() == 2);
    CHECK(read.call.succeeded());
    CHECK(read.call.bytes == 100);
    CHECK(std::memcmp(read.memory.host() + 32, data.data(), 100) == 0);
    CHECK(write.call.reply.size == 77);
    CHECK(write.call.out_bytes == 8);
}

TEST_CASE("a request used again by the short way remembers nothing of its last answer") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> read(f);
    f.lane.enqueue_as<Opcode::read>(read.call);
    f.kick();
    f.queue.reply_error(0, wire::Errno::eio);
    f.drain();
    CHECK(read.call.error == wire::Errno::eio);
    f.lane.enqueue_as<Opcode::read>(read.call);
    f.kick();
    f.queue.reply(1);
    f.drain();
    CHECK(read.call.succeeded());
    CHECK(read.call.bytes == 0);
    CHECK(read.call.ended == 2);
}

TEST_CASE("the short way is not taken past those that wait, without a slot, or above the bytes in flight") {
    LaneOptions options;
    options.max_data_in_flight = 1024;
    LaneFixture f(kLimits, 3, options);
    std::vector<std::unique_ptr<Piece<Opcode::read>>> pieces;
    for (int i = 0; i < 6; ++i) {
        pieces.push_back(std::make_unique<Piece<Opcode::read>>(f));
        pieces.back()->call.nodeid = static_cast<std::uint64_t>(100 + i);
        f.lane.enqueue_as<Opcode::read>(pieces.back()->call);
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

    LaneFixture g(kLimits, 1);
    Piece<Opcode::write> first(g);
    Piece<Opcode::write> second(g);
    g.lane.enqueue_as<Opcode::write>(first.call);
    g.lane.enqueue_as<Opcode::write>(second.call);
    CHECK(g.queue.sent_count() == 1);
    g.kick();
    g.queue.reply(0, wire::WriteOut{512, 0});
    g.drain();
    CHECK(g.queue.sent_count() == 2);
}

TEST_CASE("the short way does not pass one that waits, though there is room for both") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> first(f);
    Piece<Opcode::read> waiting(f);
    Piece<Opcode::read> newcomer(f);
    f.lane.enqueue(first.call);
    f.queue.refuse(1);
    f.lane.enqueue(waiting.call);
    f.lane.enqueue_as<Opcode::read>(newcomer.call);
    CHECK(f.queue.sent_count() == 1);
    CHECK(f.lane.counters().waited == 2);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.queue.sent_count() == 3);
}

TEST_CASE("a header the device left alone is not the last answer of its slot by the short way either") {
    LaneFixture f(kLimits, 1);
    for (int i = 0; i < 2; ++i) {
        Piece<Opcode::read> read(f);
        f.lane.enqueue_as<Opcode::read>(read.call);
        f.kick();
        if (i == 0) {
            f.queue.reply(0);
        } else {
            f.queue.complete(1, 16);
        }
        f.drain();
        CHECK(read.call.errc == (i == 0 ? Errc::ok : Errc::protocol_violation));
    }
    CHECK(f.lane.error() == Errc::ok);
}

TEST_CASE("a full queue makes the short way wait like the other") {
    LaneFixture f(kLimits);
    Piece<Opcode::read> first(f);
    Piece<Opcode::read> second(f);
    f.lane.enqueue_as<Opcode::read>(first.call);
    f.queue.refuse(2); // it tries both ways
    f.lane.enqueue_as<Opcode::read>(second.call);
    CHECK(second.call.ended == 0);
    CHECK(f.lane.in_flight() == 1);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.queue.sent_count() == 2);
}

TEST_CASE("a lane that is latched or gone refuses the short way, whatever the size") {
    for (const std::uint32_t size : {0u, 512u}) {
        LaneFixture f(kLimits);
        f.lane.fail_all(Errc::device_gone);
        ScriptedQueue healthy(f.memory, kLimits);
        Piece<Opcode::read> read(f, 512);
        read.segment.len = size;
        read.call.args.size = size;
        read.call.data_out.len = size;
        f.lane.enqueue_as<Opcode::read>(read.call);
        CHECK(read.call.ended == 1);
        CHECK(read.call.errc == Errc::device_gone);
        CHECK(f.queue.submits() == 0);
    }
}

TEST_CASE("sizes that contradict each other do not go the short way") {
    LaneFixture f(kLimits);
    Piece<Opcode::write> other_field(f);
    other_field.call.args.size = 511;
    f.lane.enqueue_as<Opcode::write>(other_field.call);
    CHECK(other_field.call.errc == Errc::bad_argument);
    Piece<Opcode::write> other_segment(f);
    other_segment.segment.len = 511;
    f.lane.enqueue_as<Opcode::write>(other_segment.call);
    CHECK(other_segment.call.errc == Errc::bad_argument);
    Piece<Opcode::write> huge(f);
    huge.segment.len = huge.call.data_in.len = huge.call.args.size = 0xffff'ffffu;
    f.lane.enqueue_as<Opcode::write>(huge.call);
    CHECK(huge.call.errc == Errc::too_large);
    CHECK(f.queue.submits() == 0);
}

TEST_CASE("a limit on bytes in flight that is no limit still bounds what one header can say") {
    LaneOptions options;
    options.max_data_in_flight = 0xffff'ffffu;
    LaneFixture f(kLimits, 4, options);
    Piece<Opcode::write> huge(f);
    huge.segment.len = huge.call.data_in.len = huge.call.args.size = 0xffff'fff0u;
    f.lane.enqueue_as<Opcode::write>(huge.call);
    CHECK(huge.call.errc == Errc::too_large);
    CHECK(f.queue.submits() == 0);
}

TEST_CASE("bounced, in several segments, on a short queue or watched by a trace, the way is the long one") {
    const auto data = pattern(512);
    {
        LaneFixture f(kLimits);
        CountedCall<Opcode::write> write;
        write.args.size = 512;
        write.data_in = {data.data(), 512, {}};
        f.lane.enqueue_as<Opcode::write>(write);
        f.kick();
        CHECK(f.queue.last().request.size() == 80 + 512);
        CHECK(f.queue.last().readable.size() == 1);
        CHECK(f.lane.counters().copies == 1);
    }
    {
        LaneFixture f({.max_inflight = 64, .max_segments = 2});
        Piece<Opcode::write> write(f);
        f.lane.enqueue_as<Opcode::write>(write.call);
        f.kick();
        CHECK(f.queue.last().readable.size() == 1);
        CHECK(f.queue.last().request.size() == 80 + 512);
    }
    {
        int started = 0;
        LaneOptions options;
        options.trace.started = [](void* context, const client::TraceEvent& event) noexcept {
            *static_cast<int*>(context) += event.sent == 80 + 512 ? 1 : 100;
        };
        options.trace.context = &started;
        LaneFixture f(kLimits, 4, options);
        Piece<Opcode::write> write(f);
        f.lane.enqueue_as<Opcode::write>(write.call);
        CHECK(started == 1);
        CHECK(f.queue.submits() == 1);
    }
}

TEST_CASE("a callback of drain may end the whole lane: what else was in the batch ends once") {
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
