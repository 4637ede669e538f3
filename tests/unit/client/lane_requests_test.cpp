// SPDX-License-Identifier: BSD-2-Clause
// The chains a lane puts on its queue.
#include "lane_fixture.hpp"
#include "support/message.hpp"

#include <array>

using namespace vfsproto;
using namespace vfsproto::test;
using client::Lane;
using client::LaneOptions;
using wire::Opcode;

namespace {

constexpr client::Caller kSomeone{.uid = 1000, .gid = 100, .pid = 77};

template <class S> void fill(S& value, unsigned seed) {
    const auto bytes = pattern(sizeof(S), seed);
    std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof(S));
}

// A row's request with every part it can have.
template <Opcode Op> struct FullRequest {
    static constexpr wire::OpInfo kInfo = wire::op_info(Op);
    static constexpr bool kHasName = kInfo.in_tail == wire::InTail::name || kInfo.in_tail == wire::InTail::name_pair ||
                                     kInfo.in_tail == wire::InTail::name_data;

    CountedCall<Op> call;
    std::vector<std::byte> data;
    std::vector<std::byte> extensions;
    std::string first;
    std::string second;

    FullRequest() {
        fill(call.args, static_cast<unsigned>(Op));
        call.nodeid = 0x1234'5678'9abc;
        call.caller = kSomeone;
        if (kHasName) {
            first = "first name";
            call.name = text_span(first);
        }
        if (kInfo.in_tail == wire::InTail::name_pair) {
            second = "the second";
            call.name2 = text_span(second);
        }
        if (kInfo.tail_field.unit != 0) {
            const std::uint32_t count = 5;
            data = pattern(std::size_t{count} * kInfo.tail_field.unit, 9);
            std::memcpy(reinterpret_cast<std::byte*>(&call.args) + kInfo.tail_field.offset, &count, sizeof(count));
            call.data_in = {data.data(), static_cast<std::uint32_t>(data.size()), {}};
        }
        if (kInfo.traits.extensions == wire::Extensions::allowed) {
            extensions = pattern(16, 3);
            call.ext = extensions.data();
            call.ext_len = 16;
        }
    }

    // Puts the expected message together by hand, with `in_size` bytes of the fixed struct.
    [[nodiscard]] std::vector<std::byte> expected(std::uint64_t unique,
                                                  std::size_t in_size = wire::RowOf<Op>::in_size) const {
        Message message(Op, call.nodeid);
        message.unique(unique).from(kSomeone);
        message.data({reinterpret_cast<const char*>(&call.args), in_size});
        if (kHasName) message.name(first);
        if (kInfo.in_tail == wire::InTail::name_pair) message.name(second);
        message.data({reinterpret_cast<const char*>(data.data()), data.size()});
        message.extension({reinterpret_cast<const char*>(extensions.data()), extensions.size()});
        return message.bytes();
    }
};

} // namespace

TEST_CASE("the bytes of every row's request are those written by hand, in one readable segment", "[lane]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        INFO(Row::name);
        LaneFixture f;
        FullRequest<Row::opcode> full;
        f.lane.enqueue(full.call);
        REQUIRE(f.queue.sent_count() == 1);
        f.kick();
        const ScriptedQueue::Sent& sent = f.queue.last();
        CHECK(sent.readable.size() == 1);
        CHECK(sent.request == full.expected(sent.header().unique));
        const bool owed = Row::traits.reply != wire::ReplyOwed::never;
        CHECK(sent.writable.size() == (owed ? 1 : 0));
        CHECK(sent.capacity == (owed ? sizeof(wire::OutHeader) + Row::out_size : 0));
    });
}

TEST_CASE("data that lies in registered memory is a segment of its own for every row that sends data", "[lane]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        if constexpr (wire::op_info(Row::opcode).tail_field.unit != 0) {
            INFO(Row::name);
            LaneFixture f;
            FullRequest<Row::opcode> full;
            const Region registered = f.memory.add(full.data.size());
            std::memcpy(registered.host(), full.data.data(), full.data.size());
            const Segment segment = registered.segment(registered.host(), static_cast<std::uint32_t>(full.data.size()));
            full.call.data_in = {registered.host(), segment.len, f.list(segment)};
            f.lane.enqueue(full.call);
            f.kick();
            const ScriptedQueue::Sent& sent = f.queue.last();
            REQUIRE(sent.readable.size() == 2);
            CHECK(sent.readable[1].addr == segment.addr);
            CHECK(sent.readable[1].len == segment.len);
            CHECK(sent.request == full.expected(sent.header().unique));
            CHECK(f.lane.counters().copies == 0);
        }
    });
}

TEST_CASE("SETXATTR without its extension sends 8 bytes of its struct", "[lane]") {
    LaneFixture f;
    FullRequest<Opcode::setxattr> full;
    full.call.in_size = wire::kSetxattrInCompatSize;
    f.lane.enqueue(full.call);
    f.kick();
    CHECK(f.queue.last().request == full.expected(f.queue.last().header().unique, wire::kSetxattrInCompatSize));
}

TEST_CASE("a name may be empty, and its NUL is sent all the same", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::symlink> call;
    f.lane.enqueue(call);
    f.kick();
    CHECK(f.queue.last().body() == std::vector<std::byte>(2, std::byte{0}));
}

TEST_CASE("READ into registered memory is three segments and no copy; bounced it is two and one copy", "[lane]") {
    LaneFixture f;
    const Region registered = f.memory.add(8192);
    const Segment segment = registered.segment(registered.host() + 100, 4096);
    CountedCall<Opcode::read> direct;
    direct.args.size = 4096;
    direct.data_out = {registered.host() + 100, 4096, f.list(segment)};
    f.lane.enqueue(direct);
    std::vector<std::byte> buffer(4096);
    CountedCall<Opcode::read> bounced;
    bounced.args.size = 4096;
    bounced.data_out = {buffer.data(), 4096, {}};
    f.lane.enqueue(bounced);
    f.kick();

    REQUIRE(f.queue.sent_count() == 2);
    const ScriptedQueue::Sent& a = f.queue.sent(0);
    REQUIRE(a.readable.size() == 1);
    CHECK(a.readable[0].len == 80);
    REQUIRE(a.writable.size() == 2);
    CHECK(a.writable[0].len == 16);
    CHECK(a.writable[1].addr == segment.addr);
    CHECK(a.writable[1].len == 4096);
    const ScriptedQueue::Sent& b = f.queue.sent(1);
    CHECK(b.readable.size() == 1);
    REQUIRE(b.writable.size() == 1);
    CHECK(b.writable[0].len == 16 + 4096);
    CHECK(f.lane.counters().copies == 1);

    const auto data = pattern(4096);
    f.queue.reply_bytes(0, data.data(), data.size());
    f.queue.reply_bytes(1, data.data(), 10);
    CHECK(f.drain() == 2);
    CHECK(direct.succeeded());
    CHECK(direct.bytes == 4096);
    CHECK(std::memcmp(registered.host() + 100, data.data(), 4096) == 0);
    CHECK(bounced.succeeded());
    CHECK(bounced.bytes == 10);
    CHECK(std::memcmp(buffer.data(), data.data(), 10) == 0);
    CHECK(std::all_of(buffer.begin() + 10, buffer.end(), [](std::byte b1) { return b1 == std::byte{0}; }));
    CHECK(f.lane.counters().copies == 1);
}

TEST_CASE("payload in several registered segments stays where it is up to what a chain may have", "[lane]") {
    constexpr std::uint16_t kChain = 64;
    constexpr std::size_t kMost = kChain - 2; // message and answer have one each
    for (const std::size_t count : {std::size_t{2}, kMost, kMost + 1}) {
        INFO(count << " segments");
        LaneFixture f({.max_inflight = 64, .max_segments = kChain});
        constexpr std::size_t kApart = 200;
        const Region registered = f.memory.add(kChain * kApart);
        std::vector<Segment> segments;
        for (std::size_t i = 0; i < count; ++i)
            segments.push_back(registered.segment(registered.host() + i * kApart, 64));
        std::vector<std::byte> buffer(64 * count);
        CountedCall<Opcode::read> read;
        read.args.size = static_cast<std::uint32_t>(64 * count);
        read.data_out = {buffer.data(), read.args.size, f.list(segments)};
        f.lane.enqueue(read);
        CountedCall<Opcode::write> write;
        write.args.size = read.args.size;
        write.data_in = {buffer.data(), read.args.size, f.list(segments)};
        f.lane.enqueue(write);
        f.kick();
        const bool fits = count <= kMost;
        CHECK(f.queue.sent(0).writable.size() == (fits ? 1 + count : 1));
        CHECK(f.queue.sent(0).capacity == 16 + 64 * count);
        CHECK(f.queue.sent(1).readable.size() == (fits ? 1 + count : 1));
        CHECK(f.queue.sent(1).request.size() == 80 + 64 * count);
        CHECK(f.lane.counters().copies == (fits ? 0u : 2u));
    }
}

TEST_CASE("on a queue of two segments a chain everything bounces and still arrives", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 2});
    REQUIRE(f.init_result == Errc::ok);
    CHECK_FALSE(f.lane.can_pass_registered());
    const Region registered = f.memory.add(8192);
    const Segment segment = registered.segment(registered.host(), 4096);
    CountedCall<Opcode::read> read;
    read.args.size = 4096;
    read.data_out = {registered.host(), 4096, f.list(segment)};
    f.lane.enqueue(read);
    CountedCall<Opcode::write> write;
    write.args.size = 4096;
    write.data_in = {registered.host(), 4096, f.list(segment)};
    f.lane.enqueue(write);
    f.kick();
    REQUIRE(f.queue.sent_count() == 2);
    CHECK(f.queue.sent(0).writable.size() == 1);
    CHECK(f.queue.sent(0).capacity == 16 + 4096);
    CHECK(f.queue.sent(1).readable.size() == 1);
    CHECK(f.queue.sent(1).request.size() == 80 + 4096);
    CHECK(std::memcmp(f.queue.sent(1).request.data() + 80, registered.host(), 4096) == 0);
    CHECK(f.lane.counters().copies == 2);
    const auto data = pattern(4096);
    f.queue.reply_bytes(0, data.data(), data.size());
    f.queue.reply(1, wire::WriteOut{4096, 0});
    CHECK(f.drain() == 2);
    CHECK(read.bytes == 4096);
    CHECK(std::memcmp(registered.host(), data.data(), 4096) == 0);
    CHECK(write.reply.size == 4096);
}

TEST_CASE("on a queue of three segments a chain one registered segment passes and two bounce", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 3});
    CHECK(f.lane.can_pass_registered());
    const Region registered = f.memory.add(8192);
    const Segment segments[] = {registered.segment(registered.host(), 100),
                                registered.segment(registered.host() + 500, 100)};
    std::vector<std::byte> buffer(200);
    CountedCall<Opcode::read> one;
    one.args.size = 100;
    one.data_out = {registered.host(), 100, f.list(segments[0])};
    f.lane.enqueue(one);
    CountedCall<Opcode::read> two;
    two.args.size = 200;
    two.data_out = {buffer.data(), 200, f.list(segments)};
    f.lane.enqueue(two);
    f.kick();
    CHECK(f.queue.sent(0).writable.size() == 2);
    CHECK(f.queue.sent(1).writable.size() == 1);
    CHECK(f.lane.counters().copies == 1);
}

TEST_CASE("an attribute's value of registered memory has nothing but the header before it", "[lane]") {
    LaneFixture f;
    const Region registered = f.memory.add(4096);
    const Segment segment = registered.segment(registered.host(), 64);
    CountedCall<Opcode::getxattr> call;
    call.args.size = 64;
    call.name = text_span("user.x");
    call.data_out = {registered.host(), 64, f.list(segment)};
    f.lane.enqueue(call);
    f.kick();
    REQUIRE(f.queue.last().writable.size() == 2);
    CHECK(f.queue.last().writable[0].len == 16);
    const auto value = pattern(20);
    f.queue.reply_bytes(0, value.data(), value.size());
    f.drain();
    CHECK(call.succeeded());
    CHECK(call.bytes == 20);
    CHECK(std::memcmp(registered.host(), value.data(), 20) == 0);
}

TEST_CASE("data both ways passes through one slot: IOCTL bounced in and out", "[lane]") {
    LaneFixture f;
    const auto in = pattern(3000, 5);
    std::vector<std::byte> out(3000);
    CountedCall<Opcode::ioctl> call;
    call.args.in_size = 3000;
    call.args.out_size = 3000;
    call.data_in = {in.data(), 3000, {}};
    call.data_out = {out.data(), 3000, {}};
    f.lane.enqueue(call);
    f.kick();
    const ScriptedQueue::Sent& sent = f.queue.last();
    CHECK(sent.body(sizeof(wire::IoctlIn)) == in);
    CHECK(sent.capacity == 16 + sizeof(wire::IoctlOut) + 3000);
    // The two parts do not overlap.
    CHECK(to_number(sent.writable[0].addr) >= to_number(sent.readable[0].addr) + sent.readable[0].len);
    const auto reply = pattern(sizeof(wire::IoctlOut) + 3000, 6);
    f.queue.reply_bytes(0, reply.data(), reply.size());
    f.drain();
    CHECK(call.succeeded());
    CHECK(call.bytes == 3000);
    CHECK(std::memcmp(&call.reply, reply.data(), sizeof(wire::IoctlOut)) == 0);
    CHECK(std::memcmp(out.data(), reply.data() + sizeof(wire::IoctlOut), 3000) == 0);
}

TEST_CASE("names as long as a path fit, and a reply with data moves behind them", "[lane]") {
    LaneFixture f;
    const std::string target(4095, 't');
    CountedCall<Opcode::symlink> link;
    link.name = text_span("name");
    link.name2 = text_span(target);
    f.lane.enqueue(link);
    const std::string attribute(900, 'a');
    std::vector<std::byte> out(4096);
    CountedCall<Opcode::getxattr> get;
    get.args.size = 4096;
    get.name = text_span(attribute);
    get.data_out = {out.data(), 4096, {}};
    f.lane.enqueue(get);
    f.kick();
    REQUIRE(f.queue.sent_count() == 2);
    CHECK(f.queue.sent(0).request.size() == 40 + 5 + 4096);
    const ScriptedQueue::Sent& sent = f.queue.sent(1);
    CHECK(to_number(sent.writable[0].addr) >= to_number(sent.readable[0].addr) + sent.readable[0].len);
    const auto value = pattern(4096);
    f.queue.reply_bytes(1, value.data(), value.size());
    f.drain();
    CHECK(get.bytes == 4096);
    CHECK(out == value);
}

TEST_CASE("what does not fit the slot is refused at once as too large", "[lane]") {
    LaneFixture f;
    const auto in = pattern(LaneFixture::kBounce + 2048);
    const auto try_write = [&](std::uint32_t size) {
        CountedCall<Opcode::write> call;
        call.args.size = size;
        call.data_in = {in.data(), size, {}};
        f.lane.enqueue(call);
        if (call.ended == 0) {
            f.kick();
            f.queue.reply(f.queue.visible().front(), wire::WriteOut{size, 0});
            f.drain();
        }
        REQUIRE(call.ended == 1);
        return call.errc;
    };
    CHECK(f.lane.max_bounced() == LaneFixture::kBounce);
    CHECK(try_write(LaneFixture::kBounce) == Errc::ok);
    CHECK(try_write(LaneFixture::kBounce + 2000) == Errc::too_large);

    std::vector<std::byte> out(LaneFixture::kBounce + 4096);
    CountedCall<Opcode::read> fits;
    fits.data_out = {out.data(), LaneFixture::kBounce, {}};
    f.lane.enqueue(fits);
    CHECK(fits.ended == 0);
    CountedCall<Opcode::read> above;
    above.data_out = {out.data(), LaneFixture::kBounce + 64, {}};
    f.lane.enqueue(above);
    CHECK(above.ended == 1);
    CHECK(above.errc == Errc::too_large);
    const std::string name(LaneFixture::kBounce + 1024, 'n');
    CountedCall<Opcode::lookup> lookup;
    lookup.name = text_span(name);
    f.lane.enqueue(lookup);
    CHECK(lookup.errc == Errc::too_large);
    CHECK(f.lane.in_flight() == 1);
}

TEST_CASE("payload whose length would not fit the header's 32 bits is refused, registered or not", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::read> read;
    const Segment whole{f.block.device(), 0xffff'f000u};
    read.data_out = {f.block.host(), whole.len, f.list(whole)};
    f.lane.enqueue(read);
    CHECK(read.errc == Errc::too_large);
    CountedCall<Opcode::write> write;
    write.args.size = 0xffff'ffffu;
    const Segment all{f.block.device(), 0xffff'ffffu};
    write.data_in = {f.block.host(), all.len, f.list(all)};
    f.lane.enqueue(write);
    CHECK(write.errc == Errc::too_large);
    CHECK(f.queue.submits() == 0);
}

TEST_CASE("what would make a server read something else than was meant is refused", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::lookup> nul;
    nul.name = {"a\0b", 3};
    f.lane.enqueue(nul);
    CHECK(nul.errc == Errc::bad_argument);
    CountedCall<Opcode::rename> second;
    second.name = text_span("fine");
    second.name2 = {"\0", 1};
    f.lane.enqueue(second);
    CHECK(second.errc == Errc::bad_argument);
    const auto data = pattern(64);
    CountedCall<Opcode::write> other_size;
    other_size.args.size = 63;
    other_size.data_in = {data.data(), 64, {}};
    f.lane.enqueue(other_size);
    CHECK(other_size.errc == Errc::bad_argument);
    CountedCall<Opcode::getattr> no_data;
    no_data.data_in = {data.data(), 64, {}};
    f.lane.enqueue(no_data);
    CHECK(no_data.errc == Errc::bad_argument);
    const Segment shorter{f.block.device(), 63};
    CountedCall<Opcode::write> other_segments;
    other_segments.args.size = 64;
    other_segments.data_in = {f.block.host(), 64, f.list(shorter)};
    f.lane.enqueue(other_segments);
    CHECK(other_segments.errc == Errc::bad_argument);
    CountedCall<Opcode::read> other_room;
    other_room.args.size = 64;
    other_room.data_out = {f.block.host(), 64, f.list(shorter)};
    f.lane.enqueue(other_room);
    CHECK(other_room.errc == Errc::bad_argument);
    CountedCall<Opcode::mkdir> odd;
    odd.name = text_span("d");
    odd.ext = data.data();
    odd.ext_len = 12;
    f.lane.enqueue(odd);
    CHECK(odd.errc == Errc::bad_argument);
    CountedCall<Opcode::unlink> none;
    none.name = text_span("u");
    none.ext = data.data();
    none.ext_len = 8;
    f.lane.enqueue(none);
    CHECK(none.errc == Errc::bad_argument);
    CHECK(f.queue.submits() == 0);
    CHECK(f.lane.idle());
}

TEST_CASE("every request of a lane has a unique of its own, of this lane and this slot", "[lane]") {
    LaneOptions options;
    options.index = 7;
    LaneFixture f({.max_inflight = 64, .max_segments = 3}, 2, options);
    std::vector<std::uint64_t> uniques;
    for (int i = 0; i < 20; ++i) {
        CountedCall<Opcode::statfs> call;
        f.lane.enqueue(call);
        f.kick();
        uniques.push_back(f.queue.last().header().unique);
        CHECK((uniques.back() >> 17 & 0xff) == 7);
        CHECK((uniques.back() >> 1 & 0xffff) == f.queue.last().token.slot);
        CHECK((uniques.back() & 1) == 0);
        f.queue.reply(f.queue.sent_count() - 1, wire::Kstatfs{});
        f.drain();
        CHECK(call.ended == 1);
    }
    for (std::size_t i = 1; i < uniques.size(); ++i) CHECK(uniques[i] >> 25 == (uniques[i - 1] >> 25) + 1);
    CHECK(uniques[0] >> 25 == 1);
}

TEST_CASE("a burst is one kick, and a kick without requests is none", "[lane]") {
    LaneFixture f;
    CountedCall<Opcode::statfs> calls[3];
    for (auto& call : calls) f.lane.enqueue(call);
    CHECK(f.queue.kicks() == 0);
    f.lane.kick();
    CHECK(f.queue.kicks() == 1);
    f.lane.kick();
    CHECK(f.queue.kicks() == 1);
}

TEST_CASE("a lane refuses a queue or memory it cannot work with", "[lane]") {
    SharedMemory memory;
    std::vector<Lane::Entry> entries(4);
    const Region block = memory.add(Lane::memory_bytes(4, 8192));
    LaneOptions options;
    options.bounce = 8192;
    const auto try_init = [&](QueueLimits limits, Region where, LaneOptions with) {
        ScriptedQueue queue(memory, limits);
        Lane lane;
        return lane.init(make_queue_ref(queue), entries, where, with);
    };
    const QueueLimits good{.max_inflight = 4, .max_segments = 3};
    CHECK(try_init(good, block, options) == Errc::ok);
    CHECK(try_init({.max_inflight = 4, .max_segments = 1}, block, options) == Errc::bad_argument);
    CHECK(try_init({.max_inflight = 0, .max_segments = 3}, block, options) == Errc::bad_argument);
    CHECK(try_init(good, block.part(0, 1024), options) == Errc::bad_argument);
    CHECK(try_init(good, Region{}, options) == Errc::bad_argument);
    LaneOptions sessions_own = options;
    sessions_own.index = 0;
    CHECK(try_init(good, block, sessions_own) == Errc::bad_argument);
    LaneOptions small = options;
    small.bounce = 4096;
    CHECK(try_init(good, block, small) == Errc::bad_argument);
    const QueueLimits inexact{.max_inflight = 4, .max_segments = 3, .written = WrittenLength::upper_bound};
    CHECK(try_init(inexact, block, options) == Errc::not_negotiated);
    LaneOptions told = options;
    told.lengths = WrittenLength::upper_bound;
    CHECK(try_init(inexact, block, told) == Errc::ok);
    CHECK(try_init(good, block, told) == Errc::ok);
}

TEST_CASE("a lane has no more slots than storage, memory and queue have room for", "[lane]") {
    const auto slots_of = [](std::size_t entries, std::size_t blocks, std::uint16_t inflight) {
        SharedMemory memory;
        std::vector<Lane::Entry> storage(entries);
        LaneOptions options;
        options.bounce = 8192;
        ScriptedQueue queue(memory, {.max_inflight = inflight, .max_segments = 3});
        Lane lane;
        REQUIRE(lane.init(make_queue_ref(queue), storage, memory.add(Lane::memory_bytes(blocks, 8192)), options) ==
                Errc::ok);
        std::array<CountedCall<Opcode::statfs>, 16> calls;
        for (auto& call : calls) lane.enqueue(call);
        const std::size_t started = queue.sent_count();
        CHECK(queue.submits() == started); // it never had to ask
        lane.fail_all(Errc::device_gone);
        return started;
    };
    CHECK(slots_of(3, 8, 8) == 3);
    CHECK(slots_of(8, 5, 8) == 5);
    CHECK(slots_of(8, 8, 2) == 2);
}
