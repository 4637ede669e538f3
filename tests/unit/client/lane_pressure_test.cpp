// SPDX-License-Identifier: BSD-2-Clause
// The lane under pressure: it holds requests back, fails as a whole, asks for notifications, and shows requests to a
// trace.
#include "lane_fixture.hpp"

#include <functional>
#include <set>

using namespace vfsproto;
using namespace vfsproto::test;
using client::ArmOutcome;
using client::Lane;
using client::LaneOptions;
using client::TraceEvent;
using wire::Opcode;

namespace {

// Notes the order in which requests ended.
struct Ordered : client::Call<Opcode::statfs> {
    Ordered() {
        owner = this;
        on_done = [](client::Request& request) noexcept {
            auto& self = *static_cast<Ordered*>(request.owner);
            ++self.ended;
            if (self.log != nullptr) self.log->push_back(self.number);
            if (self.then) self.then();
        };
    }
    int number = 0;
    int ended = 0;
    std::vector<int>* log = nullptr;
    std::function<void()> then;
};

void answer_oldest(LaneFixture& f) { f.queue.reply(f.queue.visible().front(), wire::Kstatfs{}); }

constexpr QueueLimits kLimits{.max_inflight = 64, .max_segments = 4};

} // namespace

TEST_CASE("requests beyond the slots wait in order and are started by drain, one for each that ended", "[lane]") {
    LaneFixture f(kLimits, 2);
    std::vector<Ordered> requests(6);
    std::vector<int> log;
    for (int i = 0; i < 6; ++i) {
        requests[i].number = i;
        requests[i].log = &log;
        requests[i].nodeid = static_cast<std::uint64_t>(100 + i);
        f.lane.enqueue(requests[i]);
    }
    CHECK(f.lane.in_flight() == 2);
    CHECK(f.lane.counters().waited == 4);
    CHECK_FALSE(f.lane.idle());
    for (std::size_t done = 1; done <= 6; ++done) {
        f.kick();
        answer_oldest(f);
        CHECK(f.drain() == 1);
        CHECK(log.size() == done);
        CHECK(f.queue.sent_count() == std::min<std::size_t>(6, 2 + done));
    }
    CHECK(log == std::vector<int>{0, 1, 2, 3, 4, 5});
    for (std::size_t i = 0; i < 6; ++i) CHECK(f.queue.sent(i).header().nodeid == 100 + i);
    CHECK(f.lane.idle());
    CHECK(f.lane.counters().started == 6);
    CHECK(f.lane.counters().finished == 6);
}

TEST_CASE("a newcomer does not pass those that wait, not even from a callback that just freed a slot", "[lane]") {
    LaneFixture f(kLimits, 1);
    std::vector<Ordered> requests(3);
    for (int i = 0; i < 3; ++i) requests[i].nodeid = static_cast<std::uint64_t>(10 + i);
    requests[0].then = [&] { f.lane.enqueue(requests[2]); };
    f.lane.enqueue(requests[0]);
    f.lane.enqueue(requests[1]);
    for (int i = 0; i < 3; ++i) {
        f.kick();
        answer_oldest(f);
        f.drain();
    }
    CHECK(f.queue.sent(0).header().nodeid == 10);
    CHECK(f.queue.sent(1).header().nodeid == 11);
    CHECK(f.queue.sent(2).header().nodeid == 12);
    CHECK(requests[2].ended == 1);
}

TEST_CASE("a full queue makes requests wait while others are under way", "[lane]") {
    LaneFixture f(kLimits, 8);
    std::vector<Ordered> requests(3);
    f.lane.enqueue(requests[0]);
    f.queue.refuse(1);
    f.lane.enqueue(requests[1]);
    CHECK(requests[1].ended == 0);
    f.lane.enqueue(requests[2]); // the queue would take it now, but the order holds
    CHECK(f.queue.sent_count() == 1);
    f.kick();
    answer_oldest(f);
    f.queue.refuse(0);
    f.drain();
    CHECK(f.queue.sent_count() == 3);
    CHECK(f.lane.in_flight() == 2);
}

TEST_CASE("a queue that is full with nothing under way will never have room: the request fails", "[lane]") {
    LaneFixture f(kLimits, 8);
    Ordered request;
    f.queue.refuse(1);
    f.lane.enqueue(request);
    CHECK(request.ended == 1);
    CHECK(request.errc == Errc::queue_full);
    CHECK(f.lane.idle());
    Ordered next;
    f.lane.enqueue(next);
    CHECK(f.lane.in_flight() == 1);
}

TEST_CASE("a request its queue refuses fails with the queue's error, waiting or not", "[lane]") {
    LaneFixture f(kLimits, 1);
    Ordered first;
    Ordered waiting;
    Ordered after;
    f.lane.enqueue(first);
    f.lane.enqueue(waiting);
    f.lane.enqueue(after);
    f.kick();
    answer_oldest(f);
    f.queue.refuse(1, Errc::bad_argument);
    f.drain();
    CHECK(waiting.ended == 1);
    CHECK(waiting.errc == Errc::bad_argument);
    CHECK(after.ended == 0);
    CHECK(f.lane.in_flight() == 1);
}

TEST_CASE("bytes in flight are bounded, one request above the bound goes alone, and what has no data passes",
          "[lane]") {
    LaneOptions options;
    options.max_data_in_flight = 8192;
    LaneFixture f(kLimits, 8, options);
    std::vector<std::byte> out(16384);
    std::vector<CountedCall<Opcode::read>> reads(5);
    const std::uint32_t sizes[] = {4096, 4096, 1, 16384, 4096};
    for (std::size_t i = 0; i < 5; ++i) {
        reads[i].args.size = sizes[i];
        reads[i].data_out = {out.data(), sizes[i], {}};
    }
    f.lane.enqueue(reads[0]);
    f.lane.enqueue(reads[1]);
    Ordered no_data;
    f.lane.enqueue(no_data);
    CHECK(f.lane.in_flight() == 3);
    f.lane.enqueue(reads[2]); // one byte too many
    CHECK(f.lane.in_flight() == 3);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.lane.in_flight() == 3);
    f.kick();
    // A big one waits until all others are done, then goes alone and lets nothing beside it.
    f.lane.enqueue(reads[3]);
    f.lane.enqueue(reads[4]);
    f.queue.reply(1);
    f.queue.reply(3);
    f.drain();
    CHECK(f.queue.sent_count() == 5);
    f.kick();
    Ordered behind;
    f.lane.enqueue(behind);
    CHECK(f.queue.sent_count() == 5);
    f.queue.reply(4);
    f.drain();
    CHECK(f.queue.sent_count() == 7);
    f.kick();
    f.queue.reply(5);
    f.queue.reply(6, wire::Kstatfs{});
    f.queue.reply(2, wire::Kstatfs{});
    f.drain();
    for (const auto& read : reads) CHECK(read.ended == 1);
    CHECK(f.lane.idle());
}

TEST_CASE("while one request above the bound is under way, others with data wait for it", "[lane]") {
    LaneOptions options;
    options.max_data_in_flight = 4096;
    LaneFixture f(kLimits, 8, options);
    std::vector<std::byte> out(16384);
    CountedCall<Opcode::read> big;
    big.args.size = 16384;
    big.data_out = {out.data(), 16384, {}};
    CountedCall<Opcode::read> small;
    small.args.size = 512;
    small.data_out = {out.data(), 512, {}};
    f.lane.enqueue(big);
    Ordered no_data;
    f.lane.enqueue(no_data);
    CHECK(f.queue.sent_count() == 2);
    f.lane.enqueue(small);
    CHECK(f.queue.sent_count() == 2);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(f.queue.sent_count() == 3);
}

TEST_CASE("fail_all ends what is under way and what waits, each once, and gives every token back", "[lane]") {
    LaneFixture f(kLimits, 3);
    std::vector<Ordered> requests(8);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    f.queue.reply(0, wire::Kstatfs{}); // answered, not yet taken
    f.lane.fail_all(Errc::device_gone);
    for (const auto& request : requests) {
        CHECK(request.ended == 1);
        CHECK(request.errc == Errc::device_gone);
    }
    CHECK(f.queue.evacuated() == 3);
    CHECK(f.lane.idle());
    CHECK(f.lane.error() == Errc::device_gone);
    f.lane.fail_all(Errc::needs_reset);
    for (const auto& request : requests) CHECK(request.ended == 1);
    CHECK(f.lane.error() == Errc::device_gone);
    CHECK(f.drain() == 0);
}

TEST_CASE("a request made by a callback of fail_all fails too, and the loop ends", "[lane]") {
    LaneFixture f(kLimits, 1);
    std::vector<Ordered> requests(2);
    std::vector<Ordered> retries(2);
    for (int i = 0; i < 2; ++i) {
        requests[i].then = [&, i] { f.lane.enqueue(retries[i]); };
        f.lane.enqueue(requests[i]);
    }
    f.lane.fail_all(Errc::device_gone);
    for (int i = 0; i < 2; ++i) {
        CHECK(requests[i].ended == 1);
        CHECK(retries[i].ended == 1);
        CHECK(retries[i].errc == Errc::device_gone);
    }
    CHECK(f.lane.idle());
}

TEST_CASE("when the lane latches, what waits fails at once and what the device holds waits for the reset", "[lane]") {
    LaneFixture f(kLimits, 2);
    std::vector<Ordered> requests(4);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    const wire::OutHeader forged{96, 0, 0xdead};
    f.queue.write(0, &forged, sizeof(forged));
    f.queue.complete(0, 96);
    f.drain();
    CHECK(requests[0].errc == Errc::unique_mismatch);
    CHECK(requests[1].ended == 0);
    CHECK(requests[2].errc == Errc::unique_mismatch);
    CHECK(requests[3].errc == Errc::unique_mismatch);
    f.lane.fail_all(Errc::device_gone);
    CHECK(requests[1].errc == Errc::device_gone);
    for (const auto& request : requests) CHECK(request.ended == 1);
}

TEST_CASE("after fail_all a lane can be set up again, and its uniques go on", "[lane]") {
    LaneFixture f(kLimits, 2);
    Ordered before;
    f.lane.enqueue(before);
    f.kick();
    const std::uint64_t old_unique = f.queue.last().header().unique;
    CHECK(f.lane.init(make_queue_ref(f.queue), f.entries, f.block, f.options) == Errc::wrong_state);
    f.lane.fail_all(Errc::device_gone);
    ScriptedQueue fresh(f.memory, kLimits);
    REQUIRE(f.lane.init(make_queue_ref(fresh), f.entries, f.block, f.options) == Errc::ok);
    CHECK(f.lane.error() == Errc::ok);
    Ordered after;
    f.lane.enqueue(after);
    f.lane.kick();
    REQUIRE(fresh.sent_count() == 1);
    CHECK(fresh.last().header().unique > old_unique);
    fresh.reply(0, wire::Kstatfs{});
    f.lane.drain();
    CHECK(after.succeeded());
}

TEST_CASE("a drain takes at most its batch, and the next one the rest", "[lane]") {
    LaneFixture f({.max_inflight = 64, .max_segments = 4}, config::kDrainBatch + 5);
    std::vector<Ordered> requests(config::kDrainBatch + 5);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    for (std::size_t i = 0; i < requests.size(); ++i) f.queue.reply(i, wire::Kstatfs{});
    CHECK(f.drain() == config::kDrainBatch);
    CHECK(f.drain() == 5);
    CHECK(f.drain() == 0);
    CHECK(f.lane.idle());
}

TEST_CASE("a notification is asked for after all that can be waited for, and that is at least one", "[lane]") {
    LaneFixture f(kLimits, 16);
    CHECK(f.lane.arm_burst().completions == 1);
    std::vector<Ordered> requests(5);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    const ArmOutcome outcome = f.lane.arm_burst();
    CHECK(outcome.completions == 5);
    CHECK(outcome.next == ArmOutcome::Next::sleep);
    CHECK(f.queue.armed() == std::vector<std::uint16_t>{1, 5});
}

TEST_CASE("requests that may block at the server are not waited for", "[lane]") {
    LaneFixture f(kLimits, 16);
    CountedCall<Opcode::setlkw> lock;
    CountedCall<Opcode::fsync> sync;
    CountedCall<Opcode::poll> poll;
    f.lane.enqueue(lock);
    f.lane.enqueue(sync);
    f.lane.enqueue(poll);
    CHECK(f.lane.arm_burst().completions == 1);
    std::vector<Ordered> requests(4);
    for (auto& request : requests) f.lane.enqueue(request);
    CHECK(f.lane.arm_burst().completions == 4);
}

TEST_CASE("one that may block and ends all the same is not counted against the others", "[lane]") {
    LaneFixture f(kLimits, 16);
    CountedCall<Opcode::fsync> sync;
    f.lane.enqueue(sync);
    std::vector<Ordered> requests(3);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    f.queue.reply(0);
    f.drain();
    CHECK(sync.ended == 1);
    CHECK(f.lane.arm_burst().completions == 3);
}

TEST_CASE("of every row exactly those marked so are left out of the count", "[lane]") {
    wire::for_each_row(wire::OpTable{}, [](auto row) {
        using Row = decltype(row);
        INFO(Row::name);
        LaneFixture f(kLimits, 4);
        Ordered other;
        CountedCall<Row::opcode> first;
        CountedCall<Row::opcode> second;
        f.lane.enqueue(other);
        f.lane.enqueue(first);
        f.lane.enqueue(second);
        REQUIRE(f.lane.in_flight() == 3);
        CHECK(f.lane.arm_burst().completions == (Row::traits.blocking == wire::Blocking::never ? 3 : 1));
        f.lane.fail_all(Errc::device_gone);
    });
}

TEST_CASE("what was waited for in vain counts no more, whatever its position", "[lane]") {
    for (std::size_t slow = 0; slow < 6; ++slow) {
        LaneFixture f(kLimits, 16);
        std::vector<Ordered> requests(6);
        for (auto& request : requests) f.lane.enqueue(request);
        f.kick();
        REQUIRE(f.lane.arm_burst().completions == 6);
        for (std::size_t i = 0; i < 6; ++i) {
            if (i != slow) f.queue.reply(i, wire::Kstatfs{});
        }
        f.lane.note_slow();
        f.drain();
        CHECK(f.lane.in_flight() == 1);
        CHECK(f.lane.arm_burst().completions == 1);
        std::vector<Ordered> more(3);
        for (auto& request : more) f.lane.enqueue(request);
        f.kick();
        CHECK(f.lane.arm_burst().completions == 3);
        // The slow one's end is not counted against the others.
        f.queue.reply(slow, wire::Kstatfs{});
        f.drain();
        CHECK(requests[slow].ended == 1);
        CHECK(f.lane.arm_burst().completions == 3);
        f.lane.fail_all(Errc::device_gone);
    }
}

TEST_CASE("what was asked for before, and not in vain, is waited for again", "[lane]") {
    LaneFixture f(kLimits, 16);
    std::vector<Ordered> requests(4);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    CHECK(f.lane.arm_burst().completions == 4);
    f.queue.reply(2, wire::Kstatfs{});
    f.drain();
    CHECK(f.lane.arm_burst().completions == 3);
}

TEST_CASE("what ended before the notification is asked for is not waited for", "[lane]") {
    LaneFixture f(kLimits, 16);
    std::vector<Ordered> requests(4);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    f.queue.reply(1, wire::Kstatfs{});
    f.queue.reply(2, wire::Kstatfs{});
    f.drain();
    CHECK(f.lane.arm_burst().completions == 2);
}

TEST_CASE("asking after each completion asks for one, and either form passes on that something is there already",
          "[lane]") {
    LaneFixture f(kLimits, 16);
    std::vector<Ordered> requests(4);
    for (auto& request : requests) f.lane.enqueue(request);
    f.kick();
    CHECK(f.lane.arm_each().completions == 1);
    CHECK(f.queue.armed().back() == 1);
    CHECK(f.lane.arm_each().next == ArmOutcome::Next::sleep);
    f.queue.answer_arm(true);
    CHECK(f.lane.arm_each().next == ArmOutcome::Next::look_again);
    CHECK(f.lane.arm_burst().next == ArmOutcome::Next::look_again);
}

namespace {

struct Trace {
    std::vector<TraceEvent> started;
    std::vector<TraceEvent> finished;

    static client::TraceHook hook(Trace& trace) {
        return {
            .started = [](void* c, const TraceEvent& e) noexcept { static_cast<Trace*>(c)->started.push_back(e); },
            .finished = [](void* c, const TraceEvent& e) noexcept { static_cast<Trace*>(c)->finished.push_back(e); },
            .context = &trace};
    }
};

} // namespace

TEST_CASE("tracing sees every start and every end once, with what went by", "[lane]") {
    Trace trace;
    LaneOptions options;
    options.index = 3;
    options.trace = Trace::hook(trace);
    LaneFixture f(kLimits, 2, options);
    const auto data = pattern(100);
    CountedCall<Opcode::write> write;
    write.nodeid = 42;
    write.args.size = 100;
    write.data_in = {data.data(), 100, {}};
    f.lane.enqueue(write);
    Ordered failing;
    failing.nodeid = 43;
    f.lane.enqueue(failing);
    Ordered waiting;
    f.lane.enqueue(waiting);
    REQUIRE(trace.started.size() == 2);
    CHECK(trace.started[0].op == &wire::op_info(Opcode::write));
    CHECK(trace.started[0].nodeid == 42);
    CHECK(trace.started[0].sent == 180);
    CHECK(trace.started[0].received == 0);
    CHECK(trace.started[0].lane == 3);
    CHECK(trace.finished.empty());
    f.kick();
    CHECK(trace.started[0].unique == f.queue.sent(0).header().unique);
    CHECK(trace.started[0].slot == f.queue.sent(0).token.slot);
    f.queue.reply(0, wire::WriteOut{100, 0});
    f.queue.reply_error(1, abi::Errno::eio);
    f.drain();
    CHECK(trace.started.size() == 3);
    REQUIRE(trace.finished.size() == 2);
    CHECK(trace.finished[0].unique == trace.started[0].unique);
    CHECK(trace.finished[0].received == 24);
    CHECK(trace.finished[0].sent == 0);
    CHECK(trace.finished[0].error == 0);
    CHECK(trace.finished[1].error == 5);
    CHECK(trace.finished[1].nodeid == 43);
    f.lane.fail_all(Errc::device_gone);
    REQUIRE(trace.finished.size() == 3);
    CHECK(trace.finished[2].errc == Errc::device_gone);
    CHECK(trace.finished[2].unique == trace.started[2].unique);
}

TEST_CASE("registered data is counted in what a trace says was sent, and one function may serve both hooks", "[lane]") {
    std::vector<TraceEvent> events;
    LaneOptions options;
    options.trace.started = options.trace.finished = [](void* context, const TraceEvent& event) noexcept {
        static_cast<std::vector<TraceEvent>*>(context)->push_back(event);
    };
    options.trace.context = &events;
    LaneFixture f(kLimits, 2, options);
    const Region registered = f.memory.add(4096);
    const Segment segment = registered.segment(registered.host(), 4096);
    CountedCall<Opcode::write> write;
    write.args.size = 4096;
    write.data_in = {registered.host(), 4096, f.list(segment)};
    f.lane.enqueue(write);
    f.kick();
    f.queue.reply(0, wire::WriteOut{4096, 0});
    f.drain();
    REQUIRE(events.size() == 2);
    CHECK(events[0].sent == 80 + 4096);
    CHECK(events[0].received == 0);
    CHECK(events[1].sent == 0);
    CHECK(events[1].received == 24);
}

TEST_CASE("a trace sees the request's struct and names, and the answer's struct and data", "[lane]") {
    struct Seen {
        abi::Caller caller;
        wire::ReadIn in{};
        std::string name;
        wire::EntryOut out{};
        std::size_t out_size = 0;
        std::string data;
    } seen;
    LaneOptions options;
    options.trace.context = &seen;
    options.trace.started = [](void* context, const TraceEvent& event) noexcept {
        auto& to = *static_cast<Seen*>(context);
        to.caller = event.caller;
        if (event.in.size() == sizeof(to.in)) std::memcpy(&to.in, event.in.data(), sizeof(to.in));
        to.name.assign(event.name.begin(), event.name.end());
    };
    options.trace.finished = [](void* context, const TraceEvent& event) noexcept {
        auto& to = *static_cast<Seen*>(context);
        to.out_size = event.out.size();
        if (event.out.size() == sizeof(to.out)) std::memcpy(&to.out, event.out.data(), sizeof(to.out));
        to.data.assign(reinterpret_cast<const char*>(event.data.data()), event.data.size());
    };
    LaneFixture f(kLimits, 2, options);
    CountedCall<Opcode::lookup> lookup;
    lookup.name = text_span("name");
    lookup.caller = {1, 2, 3};
    f.lane.enqueue(lookup);
    f.kick();
    CHECK(seen.name == "name");
    CHECK(seen.caller.pid == 3);
    wire::EntryOut entry{};
    entry.nodeid = 9;
    f.queue.reply(0, entry);
    f.drain();
    CHECK(seen.out.nodeid == 9);

    std::byte room[16];
    CountedCall<Opcode::read> read;
    read.args.size = sizeof(room);
    read.args.offset = 4096;
    read.data_out = {room, sizeof(room), {}};
    f.lane.enqueue(read);
    f.kick();
    CHECK(seen.in.offset == 4096);
    f.queue.reply_bytes(1, "bytes", 5);
    f.drain();
    CHECK(seen.out_size == 0);
    CHECK(seen.data == "bytes");

    f.lane.enqueue(lookup);
    f.kick();
    f.queue.reply_error(2, abi::Errno::enoent);
    f.drain();
    CHECK(seen.out_size == 0); // an error carries no entry
}
