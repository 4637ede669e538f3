// SPDX-License-Identifier: BSD-2-Clause
// A trace of the session believes its own memory, whatever the device writes into the messages and their answers.
#include "session_script.hpp"

#include "vfsproto/fuse/client/detail/session_trace.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::test;
using client::SessionTrace;
using client::TraceEvent;
using client::Verdict;
using wire::Opcode;

namespace {

struct Traced {
    explicit Traced(WrittenLength lengths = WrittenLength::exact) {
        trace.set_hook(
            {.started = [](void* to,
                           const TraceEvent& event) noexcept { static_cast<Traced*>(to)->starts.push_back(event); },
             .finished = [](void* to,
                            const TraceEvent& event) noexcept { static_cast<Traced*>(to)->ends.push_back(event); },
             .context = this});
        trace.set_lengths(lengths);
    }
    std::byte* room_of(const SessionRequest& request) { return script.memory.translate(request.writable); }
    // Puts the next message on its queue.
    SessionRequest send() {
        const auto message = script.take();
        REQUIRE(message.has_value());
        trace.submitted(message->request, script.block);
        return message->request;
    }
    SessionRequest send_init() {
        REQUIRE(script.session.open({}) == Errc::ok);
        return send();
    }
    void end(const SessionRequest& request, std::uint32_t written,
             const Verdict& verdict = {Errc::ok, abi::Errno::none}) {
        trace.completed(request.queue, request.token, written, verdict);
    }

    SessionScript script;
    SessionTrace trace;
    std::vector<TraceEvent> starts; // their spans are gone
    std::vector<TraceEvent> ends;
};

} // namespace

TEST_CASE("a device that writes over a message on its queue changes no event", "[session]") {
    Traced traced;
    REQUIRE(traced.script.session.open({}) == Errc::ok);
    const auto message = traced.script.take();
    REQUIRE(message.has_value());
    const std::uint64_t unique = message->header().unique;
    wire::InHeader forged{};
    forged.opcode = static_cast<std::uint32_t>(Opcode::batch_forget);
    forged.unique = unique + 2;
    forged.nodeid = 77;
    std::memcpy(traced.script.memory.translate(message->request.readable), &forged, sizeof(forged));
    traced.trace.submitted(message->request, traced.script.block);
    traced.end(message->request, sizeof(wire::OutHeader));
    REQUIRE(traced.starts.size() == 1);
    REQUIRE(traced.ends.size() == 1);
    for (const TraceEvent& event : {traced.starts[0], traced.ends[0]}) {
        CHECK(event.op == &wire::op_info(Opcode::init));
        CHECK(event.unique == unique);
        CHECK(event.nodeid == 0);
    }
    CHECK(traced.starts[0].in.size() == sizeof(wire::InitIn));
    CHECK(traced.starts[0].records.empty());
}

TEST_CASE("a FORGET is traced under the node it names, and no more is received than there is room for", "[session]") {
    Traced traced;
    const SessionRequest init = traced.send_init();
    traced.end(init, 100'000);
    constexpr std::uint32_t kRoom = sizeof(wire::OutHeader) + sizeof(wire::InitOut);
    CHECK(traced.ends.back().received == kRoom);
    CHECK(traced.ends.back().out.size() == sizeof(wire::InitOut));
    SessionScript::Message answered;
    answered.request = init;
    answered.bytes.resize(sizeof(wire::InHeader));
    std::memcpy(answered.bytes.data() + offsetof(wire::InHeader, unique), &init.head.unique, sizeof(init.head.unique));
    traced.script.reply_init(answered, good_init_out());
    client::ForgetLink links[]{{7, 1}, {8, 1}, {9, 1}};
    traced.script.session.forget(links[0]);
    const SessionRequest one = traced.send();
    CHECK(traced.starts.back().op == &wire::op_info(Opcode::forget));
    CHECK(traced.starts.back().nodeid == 7);
    traced.script.session.forget(links[1]);
    traced.script.session.forget(links[2]);
    traced.send();
    CHECK(traced.starts.back().op == &wire::op_info(Opcode::batch_forget));
    CHECK(traced.starts.back().nodeid == 0);
    CHECK(traced.starts.back().records.size() == 2 * sizeof(wire::ForgetOne));
    traced.end(one, 100'000);
    CHECK(traced.ends.back().nodeid == 7);
    CHECK(traced.ends.back().received == 0); // no answer is owed
}

TEST_CASE("where used lengths are upper bounds, the length in the answer is what was received", "[session]") {
    Traced traced(WrittenLength::upper_bound);
    const SessionRequest init = traced.send_init();
    const wire::OutHeader header{sizeof(wire::OutHeader) + wire::kInitOutCompat22Size, 0, init.head.unique};
    std::memcpy(traced.room_of(init), &header, sizeof(header));
    traced.end(init, init.writable.len);
    CHECK(traced.ends.back().received == header.len);
    CHECK(traced.ends.back().out.size() == wire::kInitOutCompat22Size);
}

TEST_CASE("an answer the session took does not become an error afterwards", "[session]") {
    Traced traced;
    const SessionRequest init = traced.send_init();
    const wire::OutHeader changed{sizeof(wire::OutHeader) + sizeof(wire::InitOut), -EIO, init.head.unique};
    std::memcpy(traced.room_of(init), &changed, sizeof(changed));
    traced.end(init, changed.len);
    CHECK(traced.ends.back().error == 0);
}
