// SPDX-License-Identifier: BSD-2-Clause
// Session, hiprio queue, control queue and lanes as one object, over queues the test holds in its hands.
#include "lane_fixture.hpp"
#include "session_script.hpp"

#include "vfsproto/fuse/client/connection.hpp"

#include <cerrno>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::test;
using client::Connection;
using client::ForgetLink;
using client::SessionState;

namespace {

struct Connected {
    explicit Connected(QueueLimits hiprio_limits = {.max_inflight = 4, .max_segments = 2},
                       client::LockWaits lock_waits = client::LockWaits::by_client)
        : hiprio(memory, hiprio_limits), requests(memory), entries(4) {
        client::SessionOptions options;
        options.quirks.lock_waits = lock_waits;
        options.quirks.interrupts = client::InterruptUse::allowed;
        const Region block = memory.add(client::Session::kMemoryBytes);
        REQUIRE(connection.init(block, options, make_queue_ref(hiprio), make_queue_ref(requests)) == Errc::ok);
        client::LaneOptions lane_options;
        lane_options.bounce = LaneFixture::kBounce;
        const Region area = memory.add(client::Lane::memory_bytes(entries.size(), lane_options.bounce));
        REQUIRE(lane.init(make_queue_ref(requests), entries, area, lane_options) == Errc::ok);
        REQUIRE(connection.add_lane(lane) == Errc::ok);
    }
    ~Connected() {
        CHECK(hiprio.blamed() == "");
        CHECK(requests.blamed() == "");
    }
    void pump() { REQUIRE(connection.pump() == Errc::ok); }
    void make_ready() {
        REQUIRE(connection.open({}) == Errc::ok);
        pump();
        const wire::InitOut out = good_init_out();
        requests.reply_bytes(requests.sent_count() - 1, &out, sizeof out);
        pump();
        REQUIRE(connection.session().state() == SessionState::ready);
        REQUIRE(connection.is_settled());
    }
    void forget(ForgetLink& link, std::uint64_t nodeid = 2) {
        link = {nodeid, 1};
        connection.forget(link);
    }
    // One request of the lane, on its way.
    void start(CountedCall<wire::Opcode::statfs>& call) {
        call.nodeid = wire::kRootNodeId;
        lane.enqueue(call);
        lane.kick();
    }

    SharedMemory memory;
    ScriptedQueue hiprio;
    ScriptedQueue requests;
    std::vector<client::Lane::Entry> entries;
    client::Lane lane;
    Connection connection;
};

std::uint32_t number_of(wire::Opcode op) { return static_cast<std::uint32_t>(op); }

// Suspends a connection whose queues `take_turn` looks after.
Errc suspend_by_turns(Connection& connection, const std::function<void()>& take_turn) {
    if (const Errc why = connection.suspend(); why != Errc::ok) return why;
    while (!connection.is_suspended() && connection.failure() == Errc::ok) take_turn();
    return connection.failure();
}

// Takes a turn of a connection whose server answers everything, in the order in which it was asked. INIT is answered.
std::function<void()> answering_turn(Connected& c) {
    return [&c, hiprio = std::size_t{0}, requests = std::size_t{1}]() mutable {
        c.pump();
        for (; hiprio < c.hiprio.sent_count(); ++hiprio) c.hiprio.complete(hiprio, 0);
        for (; requests < c.requests.sent_count(); ++requests) {
            const bool is_statfs = c.requests.sent(requests).header().opcode == number_of(wire::Opcode::statfs);
            c.requests.reply_bytes(requests, nullptr, 0, is_statfs ? -EIO : 0);
        }
        if (!c.lane.idle()) c.lane.drain();
        c.lane.kick();
    };
}

} // namespace

TEST_CASE("INIT and DESTROY go by the control queue, and nothing else is waited for meanwhile", "[connection]") {
    Connected c;
    REQUIRE(c.connection.open({}) == Errc::ok);
    c.pump();
    CHECK_FALSE(c.connection.is_settled());
    CHECK(c.connection.next_wait().control);
    CHECK_FALSE(c.connection.next_wait().hiprio);
    CHECK(c.requests.last().header().opcode == static_cast<std::uint32_t>(wire::Opcode::init));
    const wire::InitOut out = good_init_out();
    c.requests.reply_bytes(0, &out, sizeof out);
    CHECK(c.connection.arm()); // it is there
    c.pump();
    CHECK(c.connection.is_settled());
    CHECK_FALSE(c.connection.next_wait().control);
    REQUIRE(c.connection.close() == Errc::ok);
    c.pump();
    CHECK(c.requests.last().header().opcode == static_cast<std::uint32_t>(wire::Opcode::destroy));
    c.requests.reply_bytes(1, nullptr, 0);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::closed);
    CHECK(c.connection.counters().sent == 2);
}

TEST_CASE("a trace sees what the session sends itself: structs, records and answers", "[connection]") {
    struct Seen {
        std::uint32_t max_readahead = 0;
        std::uint32_t max_write = 0;
        std::vector<std::uint64_t> forgotten;
        std::int32_t error = 0;
    } seen;
    client::TraceHook hook;
    hook.context = &seen;
    hook.started = [](void* context, const client::TraceEvent& event) noexcept {
        auto& to = *static_cast<Seen*>(context);
        if (event.op->opcode == wire::Opcode::init) {
            wire::InitIn in;
            std::memcpy(&in, event.in.data(), event.in.size());
            to.max_readahead = in.max_readahead;
        }
        for (std::size_t at = 0; at + sizeof(wire::ForgetOne) <= event.records.size(); at += sizeof(wire::ForgetOne)) {
            wire::ForgetOne one;
            std::memcpy(&one, event.records.data() + at, sizeof(one));
            to.forgotten.push_back(one.nodeid);
        }
    };
    hook.finished = [](void* context, const client::TraceEvent& event) noexcept {
        auto& to = *static_cast<Seen*>(context);
        to.error = event.error;
        if (event.op->opcode != wire::Opcode::init || event.out.size() != sizeof(wire::InitOut)) return;
        wire::InitOut out;
        std::memcpy(&out, event.out.data(), sizeof(out));
        to.max_write = out.max_write;
    };
    Connected c;
    c.connection.set_trace(hook);
    c.make_ready();
    CHECK(seen.max_readahead == client::InitOptions().max_readahead);
    CHECK(seen.max_write == good_init_out().max_write);
    ForgetLink links[2];
    c.forget(links[0], 7);
    c.forget(links[1], 8);
    c.pump();
    CHECK(seen.forgotten == std::vector<std::uint64_t>{7, 8});
    CountedCall<wire::Opcode::statfs> call;
    c.start(call);
    REQUIRE(c.connection.interrupt(c.requests.last().header().unique) == Errc::ok);
    c.pump();
    c.hiprio.reply_bytes(c.hiprio.sent_count() - 1, nullptr, 0, -EAGAIN);
    c.pump();
    CHECK(seen.error == EAGAIN);
}

TEST_CASE("a trace sees the end of what the session had sent to a device that is gone", "[connection]") {
    struct Seen {
        std::multiset<std::uint64_t> out;
        int ended = 0;
        int lost = 0;
    } seen;
    client::TraceHook hook;
    hook.context = &seen;
    hook.started = [](void* context, const client::TraceEvent& event) noexcept {
        static_cast<Seen*>(context)->out.insert(event.unique);
    };
    hook.finished = [](void* context, const client::TraceEvent& event) noexcept {
        auto& to = *static_cast<Seen*>(context);
        to.ended += static_cast<int>(to.out.erase(event.unique));
        to.lost += event.errc == Errc::device_gone ? 1 : 0;
    };
    Connected c;
    c.connection.set_trace(hook);
    const auto lost = GENERATE(wire::Opcode::init, wire::Opcode::forget, wire::Opcode::destroy);
    CountedCall<wire::Opcode::statfs> call;
    ForgetLink link;
    int sent = 1; // INIT
    if (lost == wire::Opcode::init) {
        REQUIRE(c.connection.open({}) == Errc::ok);
    } else {
        c.make_ready();
        if (lost == wire::Opcode::forget) {
            c.start(call);
            REQUIRE(c.connection.interrupt(c.requests.last().header().unique) == Errc::ok);
            c.forget(link);
            sent += 2;
        } else {
            REQUIRE(c.connection.close() == Errc::ok);
            sent += 1;
        }
    }
    c.pump();
    c.connection.fail(Errc::device_gone);
    CHECK(seen.out.empty());
    CHECK(seen.ended == sent);
    CHECK(seen.lost == (lost == wire::Opcode::forget ? 2 : 1));
    c.connection.fail(Errc::device_gone);
    CHECK(seen.ended == sent);
}

TEST_CASE("DESTROY waits for the lanes, then for the FORGETs", "[connection]") {
    Connected c;
    c.make_ready();
    CountedCall<wire::Opcode::statfs> call;
    c.start(call);
    ForgetLink link;
    c.forget(link);
    REQUIRE(c.connection.close() == Errc::ok);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::draining);
    c.requests.reply_bytes(1, nullptr, 0, -EIO);
    CHECK(c.lane.drain() == 1);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::draining);
    CHECK(c.connection.next_wait().hiprio);
    c.hiprio.complete(0, 0);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::destroy_sent);
    CHECK(c.connection.take_forgotten() == &link);
}

TEST_CASE("what a full hiprio queue has no room for goes when there is room", "[connection]") {
    Connected c({.max_inflight = 2, .max_segments = 2});
    c.make_ready();
    ForgetLink links[3];
    for (std::size_t i = 0; i < std::size(links); ++i) {
        c.forget(links[i], i + 2);
        c.pump();
    }
    CHECK(c.hiprio.sent_count() == 2);
    CHECK(c.connection.session().has_waiting_forgets());
    CHECK(c.connection.wants_turns());
    c.hiprio.complete(0, 0);
    REQUIRE(c.connection.drained() == Errc::ok);
    CHECK(c.hiprio.sent_count() == 3);
    CHECK_FALSE(c.connection.session().has_waiting_forgets());
    CHECK(c.connection.counters().hiprio_used == 1);
}

TEST_CASE("an INTERRUPT is sent by the pump, and again in the next one", "[connection]") {
    Connected c;
    c.make_ready();
    CountedCall<wire::Opcode::statfs> call;
    c.start(call);
    const std::uint64_t unique = c.requests.last().header().unique;
    REQUIRE(c.connection.interrupt(unique) == Errc::ok);
    c.pump();
    REQUIRE(c.hiprio.sent_count() == 1);
    CHECK(c.hiprio.sent(0).capacity == sizeof(wire::OutHeader));
    c.hiprio.reply_bytes(0, nullptr, 0, -EAGAIN);
    REQUIRE(c.connection.drained() == Errc::ok);
    CHECK(c.hiprio.sent_count() == 1); // once a turn
    c.pump();
    CHECK(c.hiprio.sent_count() == 2);
    c.connection.end_interrupt(unique);
    c.hiprio.reply_bytes(1, nullptr, 0, -EAGAIN);
    c.pump();
    c.pump();
    CHECK(c.hiprio.sent_count() == 2);
}

TEST_CASE("whichever queue breaks, the pump says so, and after fail() everything has ended once", "[connection]") {
    const int broken = GENERATE(0, 1, 2); // hiprio, the lane's queue, the control queue during INIT
    Connected c;
    if (broken != 2) c.make_ready();
    CountedCall<wire::Opcode::statfs> call;
    ForgetLink links[2];
    if (broken == 2) {
        REQUIRE(c.connection.open({}) == Errc::ok);
        c.pump();
        c.requests.latch(Errc::ring_id_not_live);
    } else {
        c.start(call);
        for (ForgetLink& link : links) c.forget(link);
        c.pump();
        (broken == 0 ? c.hiprio : c.requests).latch(Errc::ring_id_not_live);
        if (broken == 1) CHECK(c.lane.drain() == 0);
    }
    CHECK(c.connection.pump() == Errc::ring_id_not_live);
    CHECK(c.connection.pump() == Errc::ring_id_not_live); // until the host has stopped the device
    c.connection.fail(Errc::ring_id_not_live);
    c.connection.fail(Errc::device_gone);
    CHECK(c.connection.failure() == Errc::ring_id_not_live);
    CHECK(c.connection.session().state() == SessionState::failed);
    CHECK(c.connection.session().failure() == Errc::ring_id_not_live);
    CHECK(call.ended == (broken == 2 ? 0 : 1));
    CHECK_FALSE(c.connection.wants_turns());
    CHECK(c.connection.pump() == Errc::ok);
    CHECK(c.connection.drained() == Errc::ok);
    CHECK(c.lane.idle());
    std::size_t returned = 0;
    while (c.connection.take_forgotten() != nullptr) ++returned;
    CHECK(returned == (broken == 2 ? 0u : 2u));
}

TEST_CASE("a connection that failed is opened again over the queues of another device", "[connection]") {
    Connected c;
    c.make_ready();
    c.connection.sticky().mark(wire::Opcode::statx);
    c.connection.fail(Errc::device_gone);
    ScriptedQueue hiprio(c.memory);
    ScriptedQueue requests(c.memory);
    const Region block = c.memory.add(client::Session::kMemoryBytes);
    REQUIRE(c.connection.init(block, {}, make_queue_ref(hiprio), make_queue_ref(requests)) == Errc::ok);
    const Region area = c.memory.add(client::Lane::memory_bytes(4, LaneFixture::kBounce));
    client::LaneOptions lane_options;
    lane_options.bounce = LaneFixture::kBounce;
    REQUIRE(c.lane.init(make_queue_ref(requests), c.entries, area, lane_options) == Errc::ok);
    REQUIRE(c.connection.open({}) == Errc::ok);
    CHECK(c.connection.failure() == Errc::ok);
    CHECK_FALSE(c.connection.sticky().is_missing(wire::Opcode::statx));
    c.pump();
    const wire::InitOut out = good_init_out();
    requests.reply_bytes(0, &out, sizeof out);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::ready);
    CHECK(c.connection.session().generation() == 2);
}

TEST_CASE("a connection has room for so many lanes", "[connection]") {
    Connected c;
    for (std::size_t i = 1; i < Connection::kMaxLanes; ++i) REQUIRE(c.connection.add_lane(c.lane) == Errc::ok);
    CHECK(c.connection.add_lane(c.lane) == Errc::queue_full);
}

TEST_CASE("only a server that is known to wait for locks is sent SETLKW, in each session", "[connection][locks]") {
    const auto waits = GENERATE(as<client::LockWaits>{}, client::LockWaits::by_client, client::LockWaits::by_server);
    Connected c({.max_inflight = 4, .max_segments = 2}, waits);
    c.make_ready();
    CHECK(c.connection.sticky().is_missing(wire::Opcode::setlkw) == (waits == client::LockWaits::by_client));
}

TEST_CASE("a connection that suspends ends what was asked before, refuses what comes, and begins anew",
          "[connection]") {
    Connected c;
    c.make_ready();
    CountedCall<wire::Opcode::statfs> asked[6]; // two of them wait for a slot
    for (auto& call : asked) c.start(call);
    ForgetLink link;
    c.forget(link);
    CountedCall<wire::Opcode::statfs> late;
    ForgetLink late_link;
    const auto answer = answering_turn(c);
    CHECK(suspend_by_turns(c.connection, [&] {
              if (late.ended == 0) {
                  c.start(late);
                  c.forget(late_link, 3);
              }
              answer();
          }) == Errc::ok);
    for (const auto& call : asked) CHECK((call.ended == 1 && call.error == abi::Errno::eio));
    CHECK((late.ended == 1 && late.errc == Errc::suspended));
    CHECK(c.connection.session().counters().forgotten == 1); // DESTROY gives back what comes later
    CHECK(c.requests.last().header().opcode == number_of(wire::Opcode::destroy));
    CHECK(c.requests.sent_count() == 1 + std::size(asked) + 1);
    std::set<ForgetLink*> returned;
    while (ForgetLink* forgotten = c.connection.take_forgotten()) returned.insert(forgotten);
    CHECK(returned == std::set<ForgetLink*>{&link, &late_link});
    CHECK(c.lane.idle());
    CHECK_FALSE(c.connection.next_wait().hiprio);
    CHECK_FALSE(c.connection.next_wait().control);

    const std::uint64_t last_unique = c.requests.last().header().unique;
    c.connection.sticky().mark(wire::Opcode::statx);
    ScriptedQueue hiprio(c.memory);
    ScriptedQueue requests(c.memory);
    const Region block = c.memory.add(client::Session::kMemoryBytes);
    REQUIRE(c.connection.init(block, {}, make_queue_ref(hiprio), make_queue_ref(requests)) == Errc::ok);
    CHECK(c.connection.resume({}) == Errc::wrong_state); // the lane has the queue of before
    const Region area = c.memory.add(client::Lane::memory_bytes(4, LaneFixture::kBounce));
    client::LaneOptions options;
    options.bounce = LaneFixture::kBounce;
    REQUIRE(c.lane.init(make_queue_ref(requests), c.entries, area, options) == Errc::ok);
    REQUIRE(c.connection.resume({}) == Errc::ok);
    CHECK_FALSE(c.connection.is_suspended());
    c.pump();
    CHECK(requests.sent(0).header().opcode == number_of(wire::Opcode::init));
    CHECK(requests.sent(0).header().unique > last_unique); // an answer of the life before means nothing
    const wire::InitOut out = good_init_out();
    requests.reply_bytes(0, &out, sizeof out);
    c.pump();
    CHECK(c.connection.session().state() == SessionState::ready);
    CHECK(c.connection.session().generation() == 2);
    CHECK_FALSE(c.connection.sticky().is_missing(wire::Opcode::statx));
    c.start(late);
    CHECK(requests.last().header().opcode == number_of(wire::Opcode::statfs));
}

TEST_CASE("a connection suspends only while it is ready, and resumes only when it is suspended", "[connection]") {
    Connected c;
    CHECK(c.connection.suspend() == Errc::wrong_state);
    CHECK(c.connection.resume({}) == Errc::wrong_state);
    CHECK_FALSE(c.lane.is_suspended());
    c.make_ready();
    CHECK(c.connection.resume({}) == Errc::wrong_state);
    const bool closes = GENERATE(false, true);
    REQUIRE((closes ? c.connection.close() : c.connection.suspend()) == Errc::ok);
    CHECK(c.connection.suspend() == Errc::wrong_state);
    CHECK(c.connection.resume({}) == Errc::wrong_state); // DESTROY is not answered
    const auto answer = answering_turn(c);
    answer();
    c.pump();
    CHECK(c.connection.session().state() == SessionState::closed);
    CHECK(c.connection.is_suspended() == !closes);
    CHECK(c.lane.is_suspended() == !closes);
}

TEST_CASE("a device that fails while its connection suspends ends it as at any other time", "[connection]") {
    const bool asks = GENERATE(false, true); // a request is under way, or DESTROY is
    Connected c;
    c.make_ready();
    CountedCall<wire::Opcode::statfs> call;
    if (asks) c.start(call);
    REQUIRE(c.connection.suspend() == Errc::ok);
    c.pump();
    c.connection.fail(Errc::device_gone);
    CHECK(call.ended == (asks ? 1 : 0));
    CHECK_FALSE(c.connection.is_suspended());
    CHECK(c.connection.session().state() == SessionState::failed);
    CHECK(c.connection.resume({}) == Errc::wrong_state);
    CountedCall<wire::Opcode::statfs> late;
    c.start(late);
    CHECK(late.errc == Errc::device_gone); // the reason that explains
    client::LaneOptions options;
    options.bounce = LaneFixture::kBounce;
    const Region area = c.memory.add(client::Lane::memory_bytes(4, LaneFixture::kBounce));
    REQUIRE(c.lane.init(make_queue_ref(c.requests), c.entries, area, options) == Errc::ok);
    REQUIRE(c.connection.open({}) == Errc::ok);
    CHECK_FALSE(c.lane.is_suspended());
}

// A READ of registered memory takes the fast path, one of no bytes and any other request the slow one.
TEST_CASE("a lane that suspends refuses transfers of every kind", "[connection]") {
    Connected c;
    c.make_ready();
    const std::size_t before = c.requests.sent_count();
    REQUIRE(c.connection.suspend() == Errc::ok);
    const Region memory = c.memory.add(4096);
    for (const std::uint64_t len : {std::uint64_t{0}, std::uint64_t{4096}}) {
        for (const bool registered : {false, true}) {
            struct CountedTransfer : client::Transfer {
                int ended = 0;
            } transfer;
            transfer.on_done = [](client::Transfer& done) noexcept { ++static_cast<CountedTransfer&>(done).ended; };
            client::TransferSpan span;
            span.nodeid = 2;
            span.host = memory.host();
            span.len = len;
            if (registered) span.lies_in(memory);
            c.lane.start<wire::Opcode::read>(transfer, span, {});
            CHECK(transfer.ended == 1);
            CHECK(transfer.errc == Errc::suspended);
        }
    }
    c.lane.kick();
    CHECK(c.requests.sent_count() == before);
}
