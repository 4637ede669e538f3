// SPDX-License-Identifier: BSD-2-Clause
// A server that breaks the rules of the stream, closes it in the middle, or never reads. docs/hardening.md lists what it
// controls.
#include "support/catch.hpp"
#include "unit/fuse_stream/scripted_server.hpp"

#include <random>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::Opcode;

namespace {

constexpr std::uint64_t kUnique = 0x0000'0002'0002'0006;

struct Offence {
    const char* what;
    Bytes bytes;
    Errc error;
};

// They are committed while a request of kUnique is in flight, which has room for 32 bytes, and after a FORGET was written.
std::vector<Offence> offences() {
    constexpr std::uint64_t kForget = 4;
    return {
        {"a message shorter than its header", reply_to(kUnique, {}, 0, 15), Errc::message_length},
        {"a message of no length", reply_to(0, {}, 0, 0), Errc::message_length},
        {"a reply longer than its room", reply_to(kUnique, std::string(17, 'x')), Errc::message_length},
        {"a reply that claims 4 GiB", reply_to(kUnique, {}, 0, 0xffff'ffff), Errc::message_length},
        {"a notification that claims 4 GiB", reply_to(0, {}, 2, 0xffff'ffff), Errc::message_length},
        {"a notification above what is taken", reply_to(0, {}, 2, 1001), Errc::message_length},
        {"a late answer to an INTERRUPT with a body", reply_to(kUnique + 1, "?"), Errc::message_length},
        {"a reply to nothing", reply_to(kUnique + 2), Errc::unique_mismatch},
        {"a reply to a FORGET", reply_to(kForget), Errc::unique_mismatch},
        {"a reply that comes twice", joined({reply_to(kUnique), reply_to(kUnique)}), Errc::unique_mismatch},
        {"a reply with the bit of RESEND", reply_to(kUnique | std::uint64_t{1} << 63), Errc::unique_mismatch},
    };
}

} // namespace

TEST_CASE("a server that breaks a rule of the stream latches it by name", "[fuse_stream][hostile]") {
    const Watchdog watchdog("offences");
    for (const Offence& offence : offences()) {
        INFO(offence.what);
        ScriptedServer server;
        backends::FuseStreamOptions options;
        options.max_notification = 1000;
        StreamClient client(server, options);
        backends::SetQueue queue = client.queues().request_queue(0);
        client.send(client.hiprio(), message_of(4, 48, Opcode::forget), 0, 0);
        CHECK(client.await_hiprio().token == Token{0});
        client.send(queue.queue, message_of(2), 16, 1);
        client.send(queue.queue, message_of(kUnique), 32, 2);
        REQUIRE_FALSE(queue.queue.arm(3));
        server.write(joined({reply_to(2), offence.bytes}));
        CHECK(backends::wait_event(queue.wait_fd)); // the owner is woken
        CHECK(client.await_error() == offence.error);
        CHECK(client.hiprio().error() == offence.error);
        CHECK(client.device().gone_reason() == to_string(offence.error));
        CHECK_FALSE(client.device().server_has_ended()); // it was given up

        // A completion that came before is given out; nothing is sent any more.
        CHECK(client.await_request().token == Token{1});
        const Segment more = client.place(message_of(100));
        CHECK(client.requests().submit({&more, 1}, {}, Token{7}) == offence.error);
        CHECK(client.requests().arm(1));
        CHECK(server.sees_the_end());
        Completion lost[4];
        const std::size_t rest = client.requests().evacuate(lost);
        CHECK(rest == 1);
        CHECK(lost[0].token == Token{2});
        CHECK(client.requests().evacuate(lost) == 0);
        client.end_queues();
        CHECK(client.times_gone() == 0); // that is told by the queues
    }
}

TEST_CASE("a reply to a request that is not sent to its end latches the stream", "[fuse_stream][hostile]") {
    const Watchdog watchdog("a foreseen reply");
    ScriptedServer server;
    StreamClient client(server);
    std::uint16_t sent = 0;
    while (client.device().counters().sent == sent) {
        ++sent;
        client.send(client.requests(), message_of(2 * sent, 100'000), 16, sent);
    }
    server.write(reply_to(2 * sent));
    CHECK(client.await_error() == Errc::unique_mismatch);
}

TEST_CASE("a server that closes the connection is gone, wherever it was", "[fuse_stream][hostile]") {
    const Watchdog watchdog("end of the stream");
    struct End {
        Bytes before;
        const char* reason;
    };
    const Bytes reply = reply_to(kUnique, std::string(5000, 'x'));
    const auto first = [&](std::ptrdiff_t count) { return Bytes(reply.begin(), reply.begin() + count); };
    const End ends[] = {{{}, "the server closed the connection"},
                        {reply, "the server closed the connection"},
                        {first(3), "the server closed the connection within a message"},
                        {first(17), "the server closed the connection within a message"},
                        {first(5015), "the server closed the connection within a message"}};
    for (const End& end : ends) {
        CAPTURE(end.before.size());
        ScriptedServer server;
        StreamClient client(server);
        client.send(client.requests(), message_of(kUnique), 8000, 3);
        static_cast<void>(server.read_message());
        server.write(end.before);
        server.hang_up();
        client.await_gone();
        CHECK(client.requests().error() == Errc::device_gone);
        CHECK(client.device().gone_reason() == end.reason);
        CHECK(client.device().server_has_ended());
        Completion lost[2];
        CHECK(client.requests().evacuate(lost) == 1); // the one that was answered comes back so, too
        CHECK(lost[0].token == Token{3});
        client.end_queues();
        CHECK(client.times_gone() == 1);
    }
}

TEST_CASE("a server that leaves requests unread is gone all the same", "[fuse_stream][hostile]") {
    const Watchdog watchdog("unread requests");
    ScriptedServer server;
    StreamClient client(server);
    client.send(client.requests(), message_of(kUnique), 16, 0);
    SECTION("it closes the socket") { server.hang_up(); }
    SECTION("it closes the half that it reads from") {
        REQUIRE(::shutdown(server.socket(), SHUT_RD) == 0);
        client.send(client.requests(), message_of(2), 16, 1);
    }
    client.await_gone();
    CHECK(client.requests().error() == Errc::device_gone);
}

TEST_CASE("a server that is gone before the queues are there is told once they are", "[fuse_stream][hostile]") {
    const Watchdog watchdog("gone early");
    ScriptedServer server;
    server.hang_up();
    StreamClient client(server);
    client.await_gone();
    CHECK(client.await_error() == Errc::device_gone);
}

TEST_CASE("a stream that is stopped touches no memory any more", "[fuse_stream][hostile]") {
    const Watchdog watchdog("stop");
    ScriptedServer server;
    StreamClient client(server);
    const Segment answer = client.send(client.requests(), message_of(kUnique), 100'000, 0);
    static_cast<void>(server.read_message());
    const Bytes reply = reply_to(kUnique, std::string(99'984, 'x'));
    server.write(Bytes(reply.begin(), reply.begin() + 50'000));
    until([&] { return server.has_been_read(); });
    CHECK(client.device().counters().replies == 0); // and waits until the thread has put its bytes away
    CHECK(client.bytes_at({answer.addr + 49'999, 1})[0] == reply[49'999]);
    CHECK(client.queues().stop() == Errc::ok);
    CHECK(client.queues().stop() == Errc::ok);
    server.write(Bytes(reply.begin() + 50'000, reply.end()));
    CHECK(server.sees_the_end());
    CHECK(client.bytes_at({answer.addr + 50'000, 1})[0] == std::byte{0});
    CHECK(client.times_gone() == 0); // its owner knows
    Completion lost[1];
    CHECK(client.requests().evacuate(lost) == 1);
}

TEST_CASE("a server that talks without end keeps nobody from sending or stopping", "[fuse_stream][hostile]") {
    const Watchdog watchdog("a flood");
    ScriptedServer server;
    StreamClient client(server);
    std::thread flood([&] {
        Bytes much;
        for (int i = 0; i < 1000; ++i) much = joined({std::move(much), reply_to(0, "abcdefgh", 2)});
        while (server.write(much)) {}
    });
    until([&] { return client.device().counters().notifications > 10'000; });
    client.send(client.requests(), message_of(kUnique), 16, 0);
    CHECK(client.device().counters().sent == 1);
    CHECK(client.queues().stop() == Errc::ok);
    flood.join();
}

TEST_CASE("descriptors that a server sends along are closed", "[fuse_stream][hostile]") {
    const Watchdog watchdog("descriptors");
    ScriptedServer server;
    StreamClient client(server);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const backends::FileDescriptor reader(ends[0]);
    backends::FileDescriptor writer(ends[1]);
    Bytes notification = reply_to(0, "abcdefgh", 2);
    iovec part{notification.data(), notification.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &ends[1], sizeof(int));
    REQUIRE(::sendmsg(server.socket(), &message, 0) > 0);
    until([&] { return client.device().counters().notifications == 1; });
    writer.close();
    char byte = 0;
    CHECK(::read(reader.get(), &byte, 1) == 0); // nobody else has the other end
}

TEST_CASE("random bytes never crash a stream nor invent a completion", "[fuse_stream][hostile]") {
    const Watchdog watchdog("random bytes");
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        ScriptedServer server;
        StreamClient client(server);
        client.send(client.requests(), message_of(kUnique), 64, 0);
        Bytes bytes;
        for (int i = 0; i < 20; ++i) {
            // Messages that are nearly right, so that the stream gets past the first of them.
            const std::uint64_t uniques[] = {0, kUnique, kUnique | 1, random()};
            const std::string body(random() % 60, 'x');
            const bool lies = random() % 16 == 0;
            const auto claimed = static_cast<std::uint32_t>(lies ? random() % 100 : 16 + body.size());
            bytes =
                joined({std::move(bytes), reply_to(uniques[random() % 16 < 13 ? 0 : random() % 4], body, 2, claimed)});
        }
        server.write(bytes);
        server.hang_up();
        const Errc why = client.await_error();
        CHECK((why == Errc::device_gone || why == Errc::message_length || why == Errc::unique_mismatch));
        Completion done[4];
        CHECK(client.requests().poll(done) + client.requests().evacuate(done) == 1);
        CHECK(done[0].token == Token{0});
    }
}

TEST_CASE("what cannot be a stream is refused", "[fuse_stream]") {
    backends::FuseStreamOptions options;
    options.connect_patience = std::chrono::milliseconds(0);
    options.socket_path = "/nonexistent/socket";
    auto opened = backends::FuseStream::open(options);
    CHECK_FALSE(opened);
    CHECK(opened.message == "no socket at /nonexistent/socket: is the server running?");
    options.queue_size = 0;
    CHECK(backends::FuseStream::open(options).error == Errc::bad_argument);
    options.queue_size = 1;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const backends::FileDescriptor other(ends[0]);
    options.connected_socket = ends[1];
    opened = backends::FuseStream::open(options);
    CHECK(opened.error == Errc::bad_argument);
    CHECK(opened.message == "not a stream socket");
}
