// SPDX-License-Identifier: BSD-2-Clause
// The replies a lane takes from its queue: each check of docs/architecture.md, "The client", and what its failure
// costs.
#include "lane_fixture.hpp"

#include <cerrno>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using client::Lane;
using client::LaneOptions;
using wire::Opcode;

namespace {

struct RawReply {
    std::uint32_t len = 16;
    std::int32_t error = 0;
    std::uint64_t unique_change = 0; // xor
    std::uint32_t written = 16;
    std::size_t body = 0; // bytes of pattern written behind the header
};

// Sends one request, answers it so, and drains.
template <class Call> void exchange(LaneFixture& f, Call& call, const RawReply& raw) {
    f.lane.enqueue(call);
    REQUIRE(call.ended == 0);
    f.kick();
    const std::size_t number = f.queue.sent_count() - 1;
    const wire::OutHeader header{raw.len, raw.error, f.queue.sent(number).header().unique ^ raw.unique_change};
    if (f.queue.sent(number).capacity >= sizeof(header)) f.queue.write(number, &header, sizeof(header));
    const auto body = pattern(raw.body, 77);
    if (raw.body != 0) f.queue.write(number, body.data(), body.size(), sizeof(header));
    f.queue.complete(number, raw.written);
    f.drain();
    REQUIRE(call.ended == 1);
}

template <Opcode Op> Errc verdict(const RawReply& raw) {
    LaneFixture f;
    CountedCall<Op> call;
    exchange(f, call, raw);
    CHECK(f.lane.counters().violations == (call.errc == Errc::ok ? 0u : 1u));
    CHECK(f.lane.in_flight() == 0);
    return call.errc;
}

// The lane works on after a violation that costs one request.
void check_alive(LaneFixture& f) {
    CountedCall<Opcode::statfs> call;
    exchange(f, call, {.len = 96, .written = 96, .body = 80});
    CHECK(call.succeeded());
    CHECK(f.lane.error() == Errc::ok);
}

} // namespace

TEST_CASE("a good reply reaches its request, struct and all", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::lookup> call;
    call.name = text_span("x");
    exchange(f, call, {.len = 144, .written = 144, .body = 128});
    CHECK(call.succeeded());
    const auto body = pattern(128, 77);
    CHECK(std::memcmp(&call.reply, body.data(), 128) == 0);
    CHECK(call.out_bytes == 128);
    CHECK(call.bytes == 0);
    CHECK(f.lane.counters().finished == 1);
    CHECK(f.lane.idle());
}

TEST_CASE("fewer than 16 bytes written fail the one request, whatever the header says", "[lane]") {
    for (const std::uint32_t written : {0u, 1u, 15u}) {
        INFO(written);
        LaneFixture f;
        CountedCall<Opcode::unlink> call;
        call.name = text_span("x");
        exchange(f, call, {.len = 16, .written = written});
        CHECK(call.errc == Errc::protocol_violation);
        CHECK(f.lane.counters().violations == 1);
        check_alive(f);
    }
}

TEST_CASE("a header whose length is not what was written fails the one request", "[lane]") {
    for (const std::uint32_t len : {0u, 15u, 17u, 24u, 0xffffffffu}) {
        INFO(len);
        LaneFixture f;
        CountedCall<Opcode::unlink> call;
        call.name = text_span("x");
        exchange(f, call, {.len = len, .written = 16});
        CHECK(call.errc == Errc::protocol_violation);
        check_alive(f);
    }
}

TEST_CASE("the length is checked before the unique: a reply that fails both does not latch the lane", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::unlink> call;
    call.name = text_span("x");
    exchange(f, call, {.len = 17, .unique_change = 2, .written = 16});
    CHECK(call.errc == Errc::protocol_violation);
    check_alive(f);
}

TEST_CASE("a reply to another request latches the lane", "[lane]") {
    for (const std::uint64_t change :
         {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1} << 25, std::uint64_t{1} << 63}) {
        LaneFixture f;
        CountedCall<Opcode::statfs> other;
        f.lane.enqueue(other);
        CountedCall<Opcode::unlink> call;
        call.name = text_span("x");
        exchange(f, call, {.len = 16, .unique_change = change, .written = 16});
        CHECK(call.errc == Errc::unique_mismatch);
        CHECK(f.lane.error() == Errc::unique_mismatch);
        CHECK(f.lane.counters().violations == 1);
        CountedCall<Opcode::statfs> later;
        f.lane.enqueue(later);
        CHECK(later.ended == 1);
        CHECK(later.errc == Errc::unique_mismatch);
        CHECK(other.ended == 0);
        f.lane.fail_all(Errc::device_gone);
        CHECK(other.ended == 1);
        CHECK(other.errc == Errc::device_gone);
        CHECK(f.lane.error() == Errc::unique_mismatch); // what came first stays known
    }
}

TEST_CASE("the unique is checked before the size: a forged reply of a wrong size latches too", "[lane]") {
    CHECK(verdict<Opcode::unlink>({.len = 24, .unique_change = 2, .written = 24}) == Errc::unique_mismatch);
}

TEST_CASE("a late reply to an earlier request of the same slot is not taken for the new one's", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 1);
    CountedCall<Opcode::unlink> first;
    first.name = text_span("x");
    exchange(f, first, {});
    CHECK(first.succeeded());
    const std::uint64_t old_unique = f.queue.sent(0).header().unique;
    CountedCall<Opcode::unlink> second;
    second.name = text_span("y");
    f.lane.enqueue(second);
    f.kick();
    CHECK(f.queue.sent(1).token == f.queue.sent(0).token);
    const wire::OutHeader late{16, 0, old_unique};
    f.queue.write(1, &late, sizeof(late));
    f.queue.complete(1, 16);
    f.drain();
    CHECK(second.ended == 1);
    CHECK(second.errc == Errc::unique_mismatch);
}

TEST_CASE("a header the device left alone is not the answer of the slot's earlier request", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 1);
    CountedCall<Opcode::unlink> first;
    first.name = text_span("x");
    exchange(f, first, {});
    CountedCall<Opcode::unlink> second;
    second.name = text_span("y");
    f.lane.enqueue(second);
    f.kick();
    f.queue.complete(1, 16); // "16 bytes written", and none were
    f.drain();
    CHECK(second.errc == Errc::protocol_violation);
    CHECK(f.lane.error() == Errc::ok);
}

TEST_CASE("an error must be a negative number above -512 and have nothing behind it", "[lane]") {
    for (const std::int32_t error : {1, 2, 38, 0x7fffffff, -512, -513, -4095, static_cast<std::int32_t>(0x80000000u)}) {
        INFO(error);
        CHECK(verdict<Opcode::statfs>({.error = error}) == Errc::protocol_violation);
    }
    CHECK(verdict<Opcode::statfs>({.len = 96, .error = -ENOENT, .written = 96, .body = 80}) ==
          Errc::protocol_violation);
    CHECK(verdict<Opcode::statfs>({.len = 17, .error = -ENOENT, .written = 17}) == Errc::protocol_violation);
    for (const std::int32_t error : {-EPERM, -ENOENT, -ENOSYS, -511}) {
        LaneFixture f;
        CountedCall<Opcode::statfs> call;
        exchange(f, call, {.error = error});
        CHECK(call.errc == Errc::ok);
        CHECK(static_cast<std::int32_t>(call.error) == -error);
        CHECK_FALSE(call.succeeded());
        CHECK(f.lane.counters().violations == 0);
    }
}

TEST_CASE("a reply of fixed size has exactly that size, for every row", "[lane]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        if constexpr (Row::out_tail == wire::OutTail::none && Row::traits.reply == wire::ReplyOwed::always &&
                      Row::traits.compat != wire::Compat::short_reply) {
            INFO(Row::name);
            const auto whole = static_cast<std::uint32_t>(16 + Row::out_size);
            CHECK(verdict<Row::opcode>({.len = whole, .written = whole}) == Errc::ok);
            CHECK(verdict<Row::opcode>({.len = whole + 1, .written = whole + 1}) == Errc::protocol_violation);
            CHECK(verdict<Row::opcode>({.len = whole - 1, .written = whole - 1}) == Errc::protocol_violation);
            if (Row::out_size != 0) CHECK(verdict<Row::opcode>({}) == Errc::protocol_violation);
        }
    });
}

TEST_CASE("an INIT reply may be short, but not shorter than its oldest form", "[lane]") {
    CHECK(verdict<Opcode::init>({.len = 80, .written = 80}) == Errc::ok);
    CHECK(verdict<Opcode::init>({.len = 40, .written = 40}) == Errc::ok);
    CHECK(verdict<Opcode::init>({.len = 39, .written = 39}) == Errc::protocol_violation);
    CHECK(verdict<Opcode::init>({.len = 81, .written = 81}) == Errc::protocol_violation);
}

TEST_CASE("a reply of data has at most what was asked for, and not a byte more is ever written", "[lane]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        if constexpr (Row::out_tail != wire::OutTail::none) {
            constexpr std::uint32_t kAsked = 100;
            constexpr std::uint32_t kFixed = Row::out_tail == wire::OutTail::size_or_data ? 0 : Row::out_size;
            INFO(Row::name);
            for (const std::uint32_t count : {0u, 1u, 99u, kAsked, kAsked + 1, kAsked + 900, 0xfffff000u}) {
                INFO(count);
                LaneFixture f;
                std::vector<std::byte> out(kAsked + 16, std::byte{0x11});
                CountedCall<Row::opcode> call;
                call.data_out = {out.data(), kAsked, {}};
                const std::uint32_t whole = 16 + kFixed + count;
                exchange(f, call,
                         {.len = whole, .written = whole, .body = count > kAsked ? std::size_t{0} : kFixed + count});
                CHECK(call.errc == (count <= kAsked ? Errc::ok : Errc::protocol_violation));
                if (count <= kAsked) {
                    CHECK(call.bytes == count);
                    const auto body = pattern(kFixed + count, 77);
                    CHECK(std::equal(body.begin() + kFixed, body.end(), out.begin()));
                }
                const std::size_t touched = count <= kAsked ? count : 0;
                CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(touched), out.end(),
                                  [](std::byte b) { return b == std::byte{0x11}; }));
            }
        }
    });
}

TEST_CASE("IOCTL needs its whole struct before any data", "[lane]") {
    const auto of = [](std::uint32_t whole) {
        LaneFixture f;
        std::vector<std::byte> out(100);
        CountedCall<Opcode::ioctl> call;
        call.data_out = {out.data(), 100, {}};
        exchange(f, call, {.len = whole, .written = whole});
        return call.errc;
    };
    CHECK(of(16) == Errc::protocol_violation);
    CHECK(of(16 + 15) == Errc::protocol_violation);
    CHECK(of(16 + 16) == Errc::ok);
    CHECK(of(16 + 116) == Errc::ok);
    CHECK(of(16 + 117) == Errc::protocol_violation);
}

TEST_CASE("the size of an attribute comes as a struct when its size was asked for", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::getxattr> size;
    size.name = text_span("user.x");
    exchange(f, size, {.len = 24, .written = 24, .body = 8});
    CHECK(size.succeeded());
    CHECK(size.out_bytes == 8);
    const auto body = pattern(8, 77);
    CHECK(std::memcmp(&size.reply, body.data(), 8) == 0);
    CHECK(verdict<Opcode::getxattr>({.len = 23, .written = 23}) == Errc::protocol_violation);
    CHECK(verdict<Opcode::listxattr>({.len = 16, .written = 16}) == Errc::protocol_violation);
    CHECK(verdict<Opcode::listxattr>({.len = 25, .written = 25}) == Errc::protocol_violation);
}

TEST_CASE("what owes no reply ends well with 0 bytes, also in a slot whose last answer was an error", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, 1);
    CountedCall<Opcode::statfs> before;
    exchange(f, before, {.error = -ENOENT});
    CHECK(before.error == Errno::enoent);
    CountedCall<Opcode::notify_reply> reply;
    exchange(f, reply, {.written = 0});
    CHECK(reply.succeeded());
    CountedCall<Opcode::forget> forget;
    exchange(f, forget, {.written = 0});
    CHECK(forget.succeeded());
    CHECK(f.lane.counters().violations == 0);
}

TEST_CASE("what owes no reply and gets one is a violation", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::forget> forget;
    exchange(f, forget, {.written = 16});
    CHECK_FALSE(forget.succeeded());
    CHECK(f.lane.counters().violations == 1);
}

TEST_CASE("what owes no reply ends badly even when the device forges one in memory it was not given for that",
          "[lane]") {
    for (const std::int32_t error : {0, -ENOENT}) {
        LaneFixture f({.max_inflight = 64, .max_segments = 4}, 1);
        CountedCall<Opcode::forget> forget;
        f.lane.enqueue(forget);
        f.kick();
        const wire::OutHeader forged{16, error, f.queue.last().header().unique};
        std::memcpy(f.block.host(), &forged, sizeof(forged));
        f.queue.complete(0, 16);
        f.drain();
        CHECK(forget.errc == Errc::protocol_violation);
        CHECK(forget.error == Errno::none);
    }
}

TEST_CASE("INTERRUPT is answered only when it fails", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::interrupt> taken;
    exchange(f, taken, {.written = 0});
    CHECK(taken.succeeded());
    CountedCall<Opcode::interrupt> again;
    exchange(f, again, {.error = -EAGAIN});
    CHECK(again.errc == Errc::ok);
    CHECK(again.error == Errno::eagain);
}

TEST_CASE("DESTROY may go unanswered where the server is known for it, even if it scribbled a header", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::destroy> call;
    exchange(f, call, {.len = 16, .error = 5, .written = 0});
    CHECK(call.succeeded());
    LaneOptions strict;
    strict.destroy_reply = client::DestroyReply::always;
    LaneFixture g({.max_inflight = 64, .max_segments = 4}, 4, strict);
    CountedCall<Opcode::destroy> owed;
    exchange(g, owed, {.written = 0});
    CHECK(owed.errc == Errc::protocol_violation);
    CountedCall<Opcode::destroy> answered;
    exchange(g, answered, {});
    CHECK(answered.succeeded());
}

TEST_CASE("a token nobody gave out latches the lane and touches no request", "[lane]") {
    for (const std::uint16_t slot : {std::uint16_t{1}, std::uint16_t{3}, std::uint16_t{4}, std::uint16_t{0xffff}}) {
        LaneFixture f;
        CountedCall<Opcode::statfs> call;
        f.lane.enqueue(call);
        f.kick();
        f.queue.complete_token(Token{slot}, 96);
        f.drain();
        CHECK(call.ended == 0);
        CHECK(f.lane.error() == Errc::ring_id_not_live);
        f.lane.fail_all(Errc::device_gone);
        CHECK(call.ended == 1);
    }
}

TEST_CASE("a chain that completes twice ends its request once and latches the lane", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::unlink> call;
    call.name = text_span("x");
    f.lane.enqueue(call);
    f.kick();
    f.queue.reply(0);
    f.queue.complete_token(f.queue.sent(0).token, 16);
    CHECK(f.drain() == 2);
    CHECK(call.ended == 1);
    CHECK(call.succeeded());
    CHECK(f.lane.error() == Errc::ring_id_not_live);
}

TEST_CASE("the error a queue latched becomes the lane's", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::statfs> call;
    f.lane.enqueue(call);
    f.kick();
    f.queue.latch(Errc::ring_used_length);
    CHECK(f.drain() == 0);
    CHECK(f.lane.error() == Errc::ring_used_length);
    CountedCall<Opcode::statfs> later;
    f.lane.enqueue(later);
    CHECK(later.errc == Errc::ring_used_length);
}

TEST_CASE("where lengths are upper bounds the header's own length counts", "[lane]") {
    LaneOptions told;
    told.lengths = WrittenLength::upper_bound;
    const QueueLimits limits{.max_inflight = 64, .max_segments = 64, .written = WrittenLength::upper_bound};
    const auto read_of = [&](std::uint32_t len, std::size_t body) {
        LaneFixture f(limits, 4, told);
        REQUIRE(f.init_result == Errc::ok);
        std::vector<std::byte> out(100);
        CountedCall<Opcode::read> call;
        call.args.size = 100;
        call.data_out = {out.data(), 100, {}};
        exchange(f, call, {.len = len, .written = 116, .body = body});
        CHECK(call.bytes == (call.errc == Errc::ok ? body : 0));
        return call.errc;
    };
    CHECK(read_of(116, 100) == Errc::ok);
    CHECK(read_of(26, 10) == Errc::ok);
    CHECK(read_of(16, 0) == Errc::ok);
    CHECK(read_of(15, 0) == Errc::protocol_violation);
    CHECK(read_of(0, 0) == Errc::protocol_violation);
    CHECK(read_of(117, 100) == Errc::protocol_violation);

    LaneFixture f(limits, 1, told);
    CountedCall<Opcode::destroy> untouched;
    f.lane.enqueue(untouched);
    f.kick();
    f.queue.complete(0, 16);
    f.drain();
    CHECK(untouched.succeeded());
    CountedCall<Opcode::forget> forget;
    exchange(f, forget, {.written = 0});
    CHECK(forget.succeeded());
}
