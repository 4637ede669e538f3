// SPDX-License-Identifier: BSD-2-Clause
// The fast path of short requests through a lane: a fixed struct and at most one name. Nobody can tell it from the slow path, but
// by its cost.
#include "lane_fixture.hpp"

#include "vfsproto/fuse/client/detail/lane_message.hpp"

#include <cstddef>
#include <string>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::Opcode;

namespace {

constexpr std::size_t kWord = 8; // bytes of a name that are looked at together
constexpr std::size_t kLongest = client::detail::kLongestShortName;

// A lane that shows requests to a trace sends all of them by the slow path.
client::LaneOptions traced() {
    client::LaneOptions options;
    options.trace.started = [](void*, const client::TraceEvent&) noexcept {};
    return options;
}

// What a lane sent for one request of the row, and what came of a reply that fits.
struct Exchange {
    std::vector<std::byte> request;
    std::size_t readable = 0; // segments
    std::uint32_t room = 0;   // for the reply
    Errc errc = Errc::ok;
    std::vector<std::byte> reply;

    friend bool operator==(const Exchange&, const Exchange&) = default;
};

template <Opcode Op> Exchange exchange(client::LaneOptions options, const std::string& name) {
    LaneFixture f({.max_inflight = 64, .max_segments = 64}, 4, options);
    CountedCall<Op> call;
    const auto args = pattern(wire::RowOf<Op>::in_size, static_cast<unsigned>(Op));
    if (!args.empty()) std::memcpy(static_cast<void*>(&call.args), args.data(), args.size());
    call.nodeid = 0x1234'5678'9abc;
    call.name = text_span(name);
    f.lane.enqueue(call);
    f.kick();
    Exchange told;
    if (call.ended != 0) {
        told.errc = call.errc;
        return told;
    }
    const ScriptedQueue::Sent& sent = f.queue.last();
    told.request = sent.request;
    told.readable = sent.readable.size();
    for (const Segment& segment : sent.writable) told.room += segment.len;
    const auto body = pattern(wire::RowOf<Op>::out_size, 7);
    f.queue.reply_bytes(0, body.data(), body.size());
    CHECK(f.drain() == 1);
    CHECK(call.ended == 1);
    told.errc = call.errc;
    const auto* reply = reinterpret_cast<const std::byte*>(&call.reply);
    told.reply.assign(reply, reply + wire::RowOf<Op>::out_size);
    CHECK(told.reply == body);
    CHECK(f.lane.counters().copies == 0);
    return told;
}

template <class Row> constexpr bool kIsNamed = wire::op_info(Row::opcode).form == wire::Form::named;
template <class Row> constexpr bool kIsShort = wire::op_info(Row::opcode).form != wire::Form::other;

} // namespace

TEST_CASE("a short request of any row is sent as the slow path sends it", "[lane]") {
    std::size_t rows = 0;
    wire::for_each_row(wire::OpTable{}, [&]<class Row>(Row) {
        if constexpr (kIsShort<Row>) {
            INFO(Row::name);
            ++rows;
            const std::string name = kIsNamed<Row> ? "a name" : "";
            const Exchange fast = exchange<Row::opcode>({}, name);
            CHECK(fast.readable == 1);
            CHECK(fast == exchange<Row::opcode>(traced(), name));
        }
    });
    CHECK(rows > 25);
}

TEST_CASE("a name of any length is sent whole, also one that is too long for the fast path", "[lane]") {
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, kWord - 1, kWord, kWord + 1, kLongest, kLongest + 1, std::size_t{4096}}) {
        INFO(length << " bytes");
        const std::string name(length, 'n');
        const Exchange fast = exchange<Opcode::lookup>({}, name);
        CHECK(fast.errc == Errc::ok);
        CHECK(fast.request.size() == sizeof(wire::InHeader) + length + 1);
        CHECK(fast == exchange<Opcode::lookup>(traced(), name));
    }
}

TEST_CASE("a name that holds NUL is refused, wherever it stands", "[lane]") {
    constexpr std::size_t kLength = 3 * kWord - 1;
    for (std::size_t at = 0; at < kLength; ++at) {
        std::string name(kLength, '\xff');
        CHECK_FALSE(wire::holds_nul(text_span(name)));
        name[at] = '\0';
        INFO("at " << at);
        CHECK(wire::holds_nul(text_span(name)));
        CHECK(exchange<Opcode::lookup>({}, name).errc == Errc::bad_argument);
    }
    // Neither of these is NUL, though each is one step away from it.
    for (const char c : {'\x01', '\x7f', '\x80', '\x81'})
        CHECK_FALSE(wire::holds_nul(text_span(std::string(kLength, c))));
}
