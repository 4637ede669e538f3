// SPDX-License-Identifier: BSD-2-Clause
// The bytes on the stream are the messages as they stand, and replies find their chains.
#include "support/catch.hpp"
#include "unit/fuse_stream/scripted_server.hpp"

#include <numeric>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::Opcode;

namespace {

constexpr std::uint64_t kUnique = 0x0000'0002'0002'0006; // sequence 1, lane 1, slot 3
constexpr std::uint32_t kHeader = sizeof(wire::OutHeader);

std::string counted(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 >> 3);
    return text;
}

} // namespace

TEST_CASE("a request is written as it stands, and its reply is read as it came", "[fuse_stream]") {
    const Watchdog watchdog("golden bytes");
    ScriptedServer server;
    StreamClient client(server);
    // LOOKUP of "a" in the root: header, then the name, in two segments.
    static constexpr unsigned char kRequest[] = {42,  0, 0, 0,             // len
                                                 1,   0, 0, 0,             // opcode
                                                 6,   0, 2, 0, 2, 0, 0, 0, // unique
                                                 1,   0, 0, 0, 0, 0, 0, 0, // nodeid
                                                 0,   0, 0, 0, 0, 0, 0, 0, // uid, gid
                                                 7,   0, 0, 0, 0, 0, 0, 0, // pid, extensions
                                                 'a', 0};
    Bytes golden(sizeof kRequest);
    std::memcpy(golden.data(), kRequest, sizeof kRequest);
    const Segment request[] = {client.place(Bytes(golden.begin(), golden.begin() + 40)),
                               client.place(Bytes(golden.begin() + 40, golden.end()))};
    const Segment answer[] = {client.room(16), client.room(128)};
    REQUIRE(client.requests().submit(request, answer, Token{3}) == Errc::ok);
    client.requests().kick();
    CHECK(server.read(golden.size()) == golden);

    const Bytes reply = reply_to(kUnique, counted(128));
    server.write(reply);
    const Completion completion = client.await_request();
    CHECK(completion.token == Token{3});
    CHECK(completion.written == reply.size());
    CHECK(joined({client.bytes_at(answer[0]), client.bytes_at(answer[1])}) == reply);
    CHECK(client.device().counters().sent == 1);
    CHECK(client.device().counters().replies == 1);
}

TEST_CASE("replies find their requests by unique, in any order and in any pieces", "[fuse_stream]") {
    const Watchdog watchdog("any pieces");
    ScriptedServer server;
    StreamClient client(server);
    constexpr std::size_t kRequests = 5;
    std::vector<Segment> answers;
    for (std::uint16_t i = 0; i < kRequests; ++i) {
        answers.push_back(client.send(client.requests(), message_of(2 * i + 2), 4096, i));
        CHECK(server.read_message().size() == 48);
    }
    std::vector<Bytes> replies;
    for (std::size_t i = 0; i < kRequests; ++i) replies.push_back(reply_to(2 * i + 2, counted(i * 900 + i)));
    const Bytes all = joined({replies[3], replies[0], replies[4], replies[2], replies[1]});
    const std::size_t piece = GENERATE(1, 7, 100'000);
    for (std::size_t at = 0; at < all.size(); at += piece) {
        const auto from = all.begin() + static_cast<std::ptrdiff_t>(at);
        server.write({from, from + static_cast<std::ptrdiff_t>(std::min(piece, all.size() - at))});
    }
    const auto completions = client.await(client.queues().request_queue(0), kRequests);
    REQUIRE(completions.size() == kRequests);
    const std::uint16_t order[] = {3, 0, 4, 2, 1};
    for (std::size_t i = 0; i < kRequests; ++i) {
        const std::uint16_t slot = completions[i].token.slot;
        CHECK(slot == order[i]);
        CHECK(completions[i].written == replies[slot].size());
        const Bytes got = client.bytes_at({answers[slot].addr, completions[i].written});
        CHECK(got == replies[slot]);
    }
}

TEST_CASE("a large reply goes into all segments of its chain, and a short one into the first", "[fuse_stream]") {
    const Watchdog watchdog("a large reply");
    ScriptedServer server;
    StreamClient client(server);
    const std::size_t size = GENERATE(1, 4080, 65'520, 65'521, 1'000'000);
    const Segment request = client.place(message_of(kUnique));
    const Segment answer[] = {client.room(kHeader), client.room(3), client.room(70'000), client.room(929'997)};
    REQUIRE(client.requests().submit({&request, 1}, answer, Token{0}) == Errc::ok);
    client.requests().kick();
    static_cast<void>(server.read_message());
    const Bytes reply = reply_to(kUnique, counted(size));
    std::thread writer([&] { server.write(reply); });
    CHECK(client.await_request().written == reply.size());
    writer.join();
    Bytes got;
    for (const Segment& segment : answer) {
        const Bytes part = client.bytes_at(segment);
        got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(std::all_of(got.begin() + static_cast<std::ptrdiff_t>(reply.size()), got.end(),
                      [](std::byte each) { return each == std::byte{0}; }));
    got.resize(reply.size());
    CHECK(got == reply);
}

TEST_CASE("a server that reads nothing holds up nobody, and gets everything later", "[fuse_stream]") {
    const Watchdog watchdog("a full socket");
    ScriptedServer server;
    StreamClient client(server);
    constexpr std::uint16_t kRequests = 40;
    constexpr std::size_t kSize = 200'000; // 8 MB in all: more than a socket holds
    std::vector<Bytes> messages;
    for (std::uint16_t i = 0; i < kRequests; ++i) {
        messages.push_back(message_of(2 * i + 2, kSize, Opcode::write));
        messages.back()[kSize - 1] = std::byte(i);
        client.send(client.requests(), messages.back(), 16, i);
    }
    CHECK(client.device().counters().sent < kRequests);
    for (const Bytes& message : messages) REQUIRE(server.read_message() == message);
    until([&] { return client.device().counters().sent == kRequests; });
    for (std::uint16_t i = 0; i < kRequests; ++i) server.write(reply_to(2 * i + 2));
    CHECK(client.await(client.queues().request_queue(0), kRequests).size() == kRequests);
}

TEST_CASE("a FORGET is over when it is written", "[fuse_stream]") {
    const Watchdog watchdog("FORGET");
    ScriptedServer server;
    StreamClient client(server);
    client.send(client.hiprio(), message_of(4, 48, Opcode::forget), 0, 5);
    const Completion completion = client.await_hiprio();
    CHECK(completion.token == Token{5});
    CHECK(completion.written == 0);
    CHECK(server.read_message().size() == 48);
}

TEST_CASE("an INTERRUPT that is not answered is over with its target", "[fuse_stream]") {
    const Watchdog watchdog("INTERRUPT");
    ScriptedServer server;
    StreamClient client(server);
    client.send(client.requests(), message_of(kUnique), 16, 0);
    client.send(client.hiprio(), message_of(kUnique | 1, 48, Opcode::interrupt), 16, 9);
    CHECK(server.read_message() == message_of(kUnique));
    CHECK(server.read_message() == message_of(kUnique | 1, 48, Opcode::interrupt));
    constexpr std::int32_t kInterrupted = -4;
    server.write(reply_to(kUnique, {}, kInterrupted));
    CHECK(client.await_request().written == kHeader);
    const Completion interrupt = client.await_hiprio();
    CHECK(interrupt.token == Token{9});
    CHECK(interrupt.written == 0);

    SECTION("its answer may come after that, and is counted") {
        constexpr std::int32_t kAgain = -11;
        server.write(reply_to(kUnique | 1, {}, kAgain));
        until([&] { return client.device().counters().late_interruptions == 1; });
        CHECK(client.requests().error() == Errc::ok);
    }
    SECTION("one of a request that was answered is over at once") {
        client.send(client.hiprio(), message_of(kUnique | 1, 48, Opcode::interrupt), 16, 8);
        CHECK(client.await_hiprio().token == Token{8});
    }
}

TEST_CASE("an INTERRUPT that is answered is over before its target", "[fuse_stream]") {
    const Watchdog watchdog("INTERRUPT too early");
    ScriptedServer server;
    StreamClient client(server);
    client.send(client.requests(), message_of(kUnique), 16, 0);
    const Segment answer = client.send(client.hiprio(), message_of(kUnique | 1, 48, Opcode::interrupt), 16, 1);
    constexpr std::int32_t kAgain = -11;
    const Bytes reply = reply_to(kUnique | 1, {}, kAgain);
    server.write(reply_to(0, "early"));
    // A reply may not overtake its request.
    static_cast<void>(server.read_message());
    static_cast<void>(server.read_message());
    server.write(reply);
    CHECK(client.await_hiprio().written == kHeader);
    CHECK(client.bytes_at(answer) == reply);
    server.write(reply_to(kUnique));
    CHECK(client.await_request().token == Token{0});
}

TEST_CASE("notifications that nobody wants are counted and passed over, whatever their length", "[fuse_stream]") {
    const Watchdog watchdog("notifications");
    ScriptedServer server;
    StreamClient client(server);
    const Segment answer = client.send(client.requests(), message_of(kUnique), 1000, 0);
    static_cast<void>(server.read_message());
    constexpr std::int32_t kInvalInode = 2;
    constexpr std::int32_t kUnknown = 99;
    const Bytes reply = reply_to(kUnique, counted(500));
    server.write(joined({reply_to(0, counted(24), kInvalInode), reply_to(0, {}, kUnknown),
                         reply_to(0, counted(300'000), kInvalInode), reply, reply_to(0, counted(24), kInvalInode)}));
    CHECK(client.await_request().written == reply.size());
    CHECK(client.bytes_at({answer.addr, static_cast<std::uint32_t>(reply.size())}) == reply);
    until([&] { return client.device().counters().notifications == 4; });
    CHECK(client.requests().error() == Errc::ok);
}

TEST_CASE("a notification goes into the oldest buffer that was posted for one", "[fuse_stream][notifications]") {
    const Watchdog watchdog("notification buffers");
    ScriptedServer server;
    StreamClient client(server);
    backends::SetQueue queue = client.queues().notifications();
    REQUIRE(queue.queue);
    CHECK(client.queues().config().notify_buf_size == backends::FuseStreamOptions{}.max_notification);
    std::vector<Segment> buffers;
    for (std::uint16_t slot = 0; slot < 3; ++slot) {
        buffers.push_back(client.room(8192));
        REQUIRE(queue.queue.submit({}, {&buffers.back(), 1}, Token{slot}) == Errc::ok);
    }
    queue.queue.kick();
    const Bytes small = reply_to(0, "abc", 2);
    const Bytes large = reply_to(0, std::string(8192 - sizeof(wire::OutHeader), 'x'), 4);
    server.write(joined({small, large, small}));
    const auto done = client.await(queue, 3);
    const Bytes* const sent[] = {&small, &large, &small};
    for (std::uint16_t slot = 0; slot < 3; ++slot) {
        CHECK(done[slot].token == Token{slot});
        CHECK(done[slot].written == sent[slot]->size());
        Bytes came = client.bytes_at(buffers[slot]);
        came.resize(done[slot].written);
        CHECK(came == *sent[slot]);
    }
    CHECK(client.device().counters().notifications == 3);
    CHECK(client.device().counters().lost_notifications == 0);
}

TEST_CASE("notifications that find no buffer, or none long enough, are told as one INC_EPOCH later",
          "[fuse_stream][notifications]") {
    const Watchdog watchdog("lost notifications");
    ScriptedServer server;
    StreamClient client(server);
    backends::SetQueue queue = client.queues().notifications();
    const Segment buffer = client.room(64);
    const auto post = [&](std::uint16_t slot) {
        REQUIRE(queue.queue.submit({}, {&buffer, 1}, Token{slot}) == Errc::ok);
    };
    const Bytes epoch = reply_to(0, {}, static_cast<std::int32_t>(wire::NotifyCode::inc_epoch));
    const auto is_epoch = [&](const Completion& done) {
        Bytes came = client.bytes_at(buffer);
        came.resize(done.written);
        return came == epoch;
    };
    post(1);
    server.write(reply_to(0, std::string(64, 'x'), 4)); // 16 bytes too long
    const Completion first = client.await_one(queue);
    CHECK(first.token == Token{1});
    CHECK(is_epoch(first));
    for (int i = 0; i < 100; ++i) server.write(reply_to(0, "ab", 2));
    until([&] { return client.device().counters().notifications == 101; });
    CHECK(client.device().counters().lost_notifications == 101);
    post(2);
    const Completion second = client.await_one(queue);
    CHECK(second.token == Token{2});
    CHECK(is_epoch(second));
    post(3); // nothing is left to be told
    server.write(reply_to(0, "ab", 2));
    const Completion third = client.await_one(queue);
    CHECK(third.written == 18);
    CHECK(third.token == Token{3});
}

TEST_CASE("a stream that has ended gives every notification buffer back", "[fuse_stream][notifications]") {
    const Watchdog watchdog("buffers come back");
    ScriptedServer server;
    backends::FuseStreamOptions options;
    options.queue_size = 4;
    StreamClient client(server, options);
    backends::SetQueue queue = client.queues().notifications();
    const Segment buffer = client.room(64);
    const Segment other[] = {client.room(64), client.room(64)};
    const Segment short_one = client.room(8);
    CHECK(queue.queue.submit({}, other, Token{0}) == Errc::bad_argument);
    CHECK(queue.queue.submit({}, {&short_one, 1}, Token{0}) == Errc::bad_argument);
    CHECK(queue.queue.submit({&buffer, 1}, {}, Token{0}) == Errc::bad_argument);
    for (std::uint16_t slot = 0; slot < 4; ++slot) CHECK(queue.queue.submit({}, {&buffer, 1}, Token{slot}) == Errc::ok);
    CHECK(queue.queue.submit({}, {&buffer, 1}, Token{4}) == Errc::queue_full);
    REQUIRE_FALSE(queue.queue.arm(1));
    // the first is given back with a message, the second is being filled
    server.write(reply_to(0, {}, 8));
    CHECK(backends::wait_event(queue.wait_fd));
    server.write(reply_to(0, "ab", 2, 40));
    server.hang_up();
    client.await_gone();
    Completion lost[8];
    REQUIRE(queue.queue.evacuate(lost) == 4);
    for (std::uint16_t slot = 0; slot < 4; ++slot) CHECK(lost[slot].token == Token{slot});
    CHECK(queue.queue.evacuate(lost) == 0);
}

TEST_CASE("an armed queue wakes its owner after so many completions", "[fuse_stream]") {
    const Watchdog watchdog("arm");
    ScriptedServer server;
    StreamClient client(server);
    const backends::SetQueue queue = client.queues().request_queue(0);
    for (std::uint16_t i = 0; i < 3; ++i) client.send(queue.queue, message_of(2 * i + 2), 16, i);
    REQUIRE_FALSE(client.requests().arm(3));
    for (std::uint64_t unique : {2, 4}) server.write(reply_to(unique));
    until([&] { return client.device().counters().replies == 2; });
    CHECK_FALSE(backends::take_event(queue.wait_fd));
    server.write(reply_to(6));
    CHECK(backends::wait_event(queue.wait_fd));
    CHECK(client.requests().arm(1)); // there is something to poll
    CHECK(client.await(queue, 3).size() == 3);
}

TEST_CASE("a queue takes no more chains than it says", "[fuse_stream]") {
    const Watchdog watchdog("a full queue");
    ScriptedServer server;
    backends::FuseStreamOptions options;
    options.queue_size = 2;
    StreamClient client(server, options);
    CHECK(client.requests().limits().max_inflight == 2);
    for (std::uint16_t i = 0; i < 2; ++i) client.send(client.requests(), message_of(2 * i + 2), 16, i);
    const Segment third = client.place(message_of(6));
    CHECK(client.requests().submit({&third, 1}, {}, Token{2}) == Errc::queue_full);
    client.send(client.hiprio(), message_of(8), 0, 0); // the other queue has room of its own
    server.write(reply_to(2));
    static_cast<void>(client.await_request());
    CHECK(client.requests().submit({&third, 1}, {}, Token{2}) == Errc::ok);
}

TEST_CASE("what is no whole FUSE message is refused", "[fuse_stream]") {
    ScriptedServer server;
    StreamClient client(server);
    QueueRef queue = client.requests();
    const Segment whole = client.place(message_of(2));
    const Segment room = client.room(64);
    const auto submit = [&](const Segment& request, const Segment& answer) {
        return queue.submit({&request, 1}, {&answer, 1}, Token{0});
    };
    CHECK(queue.submit({}, {&room, 1}, Token{0}) == Errc::bad_argument);
    CHECK(submit({whole.addr, 39}, room) == Errc::bad_argument);
    CHECK(submit({whole.addr, 47}, room) == Errc::bad_argument);            // its length says 48
    CHECK(submit(whole, {room.addr, 15}) == Errc::bad_argument);            // no room for a header
    CHECK(submit(client.place(message_of(0)), room) == Errc::bad_argument); // 0 is a notification's
    const std::vector<Segment> many(16, Segment{room.addr, 1});
    CHECK(queue.submit({&whole, 1}, many, Token{0}) == Errc::bad_argument);
    REQUIRE(submit(whole, room) == Errc::ok);
    CHECK(submit(whole, room) == Errc::bad_argument); // its unique is in flight
}
