// SPDX-License-Identifier: BSD-2-Clause
// The examples in the class comments of the client, run. tools/check_examples.py compares them with the comments.
#include "lane_fixture.hpp"
#include "session_script.hpp"

#include "vfsproto/fuse/client/connection.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using namespace vfsproto::client;
using wire::Opcode;

namespace {

// The loop of Connection's comment.
template <class Wait> Errc settle(Connection& connection, Wait&& wait_for_interrupt) {
    for (;;) {
        if (const Errc why = connection.pump(); why != Errc::ok) return why; // stop the device, then call fail(why)
        if (connection.is_settled()) break;
        if (!connection.arm()) wait_for_interrupt();
    }
    return Errc::ok;
}

} // namespace

TEST_CASE("the example of Session runs", "[session]") {
    SharedMemory shared;
    ScriptedQueue queue(shared);
    const Region memory = shared.add(Session::kMemoryBytes);

    Session session;
    Errc errc = session.init(memory, {});
    if (errc == Errc::ok) errc = session.open({});
    SessionRequest message;
    while (errc == Errc::ok && session.peek_request(message)) {
        const std::size_t writable = message.writable.len != 0 ? 1 : 0;
        errc = queue.submit({&message.readable, 1}, {&message.writable, writable}, message.token);
        if (errc == Errc::ok) session.handle_submitted(message.queue, message.token);
    }
    queue.kick();

    REQUIRE(errc == Errc::ok);
    CHECK(session.state() == SessionState::init_sent);
    const wire::InitOut out = good_init_out();
    queue.reply_bytes(0, &out, sizeof out);

    Completion done[4];
    const std::size_t count = queue.poll(done);
    for (std::size_t i = 0; i < count; ++i) {
        session.handle_completion(wire::QueueKind::request, done[i].token, done[i].written);
    }

    CHECK(count == 1);
    CHECK(session.state() == SessionState::ready);
    CHECK(queue.blamed() == "");
}

TEST_CASE("the example of Connection runs", "[connection]") {
    LaneFixture f;
    ScriptedQueue hiprio_queue(f.memory);
    const Region memory = f.memory.add(Session::kMemoryBytes);
    const QueueRef hiprio = make_queue_ref(hiprio_queue);
    const QueueRef control = make_queue_ref(f.queue);
    Lane& lane = f.lane;
    const auto wait_for_interrupt = [&f] {
        const wire::InitOut out = good_init_out();
        f.queue.reply_bytes(f.queue.sent_count() - 1, &out, sizeof out);
    };

    Connection connection;
    Errc errc = connection.init(memory, {}, hiprio, control);
    if (errc == Errc::ok) errc = connection.add_lane(lane);
    if (errc == Errc::ok) errc = connection.open({});
    REQUIRE(errc == Errc::ok);

    CHECK(settle(connection, wait_for_interrupt) == Errc::ok);
    CHECK(connection.session().state() == SessionState::ready);
}

TEST_CASE("the examples of RequestLane and Transfer run", "[lane]") {
    constexpr std::uint64_t kNode = 5;
    constexpr std::uint32_t kBytes = 16;
    LaneFixture f;
    Lane& lane = f.lane;
    std::uint64_t size = 0;
    std::vector<std::byte> into(kBytes);
    const auto wait_for_interrupt = [&f] {
        const std::size_t last = f.queue.sent_count() - 1;
        if (f.queue.sent(last).header().opcode == static_cast<std::uint32_t>(Opcode::read)) {
            const std::vector<std::byte> content = pattern(kBytes);
            return f.queue.reply_bytes(last, content.data(), content.size());
        }
        wire::AttrOut out{};
        out.attr.size = kBytes;
        f.queue.reply(last, out);
    };

    Call<Opcode::getattr> call;
    call.nodeid = kNode;
    call.owner = &size;
    call.on_done = [](Request& done) noexcept {
        if (!done.succeeded()) return;
        *static_cast<std::uint64_t*>(done.owner) = static_cast<Call<Opcode::getattr>&>(done).reply.attr.size;
    };
    lane.enqueue(call);
    lane.kick();
    while (lane.drain() == 0) {
        if (lane.arm_burst().next == ArmOutcome::Next::sleep) wait_for_interrupt();
    }
    lane.kick(); // what drain() started of those that waited for a slot

    CHECK(size == kBytes);

    const Caller caller{};
    TransferSpan span;
    span.nodeid = kNode;
    span.host = into.data();
    span.len = into.size();

    struct Read : Transfer {
        std::uint32_t taken = 0;
    } read;
    read.on_done = [](Transfer& done) noexcept {
        if (done.succeeded()) static_cast<Read&>(done).taken = done.bytes;
    };
    lane.start<Opcode::read>(read, span, caller);
    lane.kick();

    wait_for_interrupt();
    CHECK(lane.drain() == 1);
    CHECK(read.taken == kBytes);
    CHECK(into == pattern(kBytes));
}
