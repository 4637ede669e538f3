// SPDX-License-Identifier: BSD-2-Clause
// The life of a session: every state with every input, every step failing once, the device gone at every point.
#include "session_script.hpp"

#include <array>
#include <cerrno>
#include <functional>
#include <string>

using namespace vfsproto;
using namespace vfsproto::test;
using client::ForgetLink;
using S = client::SessionState;

namespace {

enum class Event { open, init_ok, init_bad, close, lanes_idle, destroy_done, gone };

struct Reached {
    SessionScript script;
    std::optional<SessionScript::Message> control; // on the request queue, unanswered
};

void reach(Reached& r, S state) {
    SessionScript& s = r.script;
    switch (state) {
    case S::idle: break;
    case S::init_sent: r.control = s.open(); break;
    case S::ready: s.make_ready(); break;
    case S::draining:
        s.make_ready();
        REQUIRE(s.session.close() == Errc::ok);
        break;
    case S::destroy_sent:
        s.make_ready();
        r.control = s.make_destroy_sent();
        break;
    case S::closed:
        s.make_ready();
        s.reply_error(s.make_destroy_sent(), 0);
        break;
    case S::failed:
        s.make_ready();
        s.session.handle_device_gone(Errc::device_gone);
        break;
    }
    REQUIRE(s.session.state() == state);
}

// Lets it happen. For a command, what it said.
Errc happen(Reached& r, Event event) {
    Session& session = r.script.session;
    switch (event) {
    case Event::open: return session.open({});
    case Event::close: return session.close();
    case Event::lanes_idle: session.handle_lanes_idle(); break;
    case Event::gone: session.handle_device_gone(Errc::needs_reset); break;
    case Event::init_ok:
        if (r.control && r.control->opcode() == wire::Opcode::init) {
            r.script.reply_init(*r.control, good_init_out());
        } else {
            session.handle_completion(wire::QueueKind::request, Token{0}, 80);
        }
        break;
    case Event::init_bad: session.handle_completion(wire::QueueKind::request, Token{0}, 8); break;
    case Event::destroy_done: session.handle_completion(wire::QueueKind::request, Token{0}, 16); break;
    }
    return Errc::ok;
}

struct Row {
    S from;
    std::array<S, 7> to; // by Event
};
// A completion of the control message means what that message was.
// clang-format off
constexpr Row kMatrix[] = {
    //                  open          init_ok          init_bad         close            lanes_idle       destroy_done     gone
    {S::idle,         {S::init_sent,  S::idle,         S::idle,         S::idle,         S::idle,         S::idle,         S::idle}},
    {S::init_sent,    {S::init_sent,  S::ready,        S::failed,       S::init_sent,    S::init_sent,    S::failed,       S::failed}},
    {S::ready,        {S::ready,      S::ready,        S::ready,        S::draining,     S::ready,        S::ready,        S::failed}},
    {S::draining,     {S::draining,   S::draining,     S::draining,     S::draining,     S::destroy_sent, S::draining,     S::failed}},
    {S::destroy_sent, {S::destroy_sent, S::closed,    S::closed,       S::destroy_sent, S::destroy_sent, S::closed,       S::failed}},
    {S::closed,       {S::init_sent,  S::closed,       S::closed,       S::closed,       S::closed,       S::closed,       S::closed}},
    {S::failed,       {S::init_sent,  S::failed,       S::failed,       S::failed,       S::failed,       S::failed,       S::failed}},
};
// clang-format on

} // namespace

TEST_CASE("every state answers every input as the table says, and a command out of place says wrong_state",
          "[session]") {
    for (const Row& row : kMatrix) {
        for (std::size_t i = 0; i < row.to.size(); ++i) {
            INFO("state " << static_cast<int>(row.from) << ", event " << i);
            Reached r;
            reach(r, row.from);
            const Errc said = happen(r, static_cast<Event>(i));
            CHECK(r.script.session.state() == row.to[i]);
            const bool is_command = static_cast<Event>(i) == Event::open || static_cast<Event>(i) == Event::close;
            if (is_command) CHECK(said == (row.to[i] != row.from ? Errc::ok : Errc::wrong_state));
        }
    }
}

TEST_CASE("the table of transitions in the header is the same as the one tested", "[session]") {
    std::size_t steps = 0;
    for (const auto& transition : client::kSessionTransitions) {
        const auto event = static_cast<std::size_t>(transition.input);
        for (const Row& row : kMatrix) {
            if (row.from == transition.from) CHECK(row.to[event] == transition.to);
        }
        ++steps;
    }
    CHECK(steps == std::size(client::kSessionTransitions));
    CHECK(steps == 12);
}

TEST_CASE("a completion for a token that is not out, or out of range, changes nothing", "[session]") {
    Reached r;
    reach(r, S::init_sent);
    Session& session = r.script.session;
    session.handle_completion(wire::QueueKind::request, Token{1}, 80);
    session.handle_completion(wire::QueueKind::request, Token{0xffff}, 80);
    session.handle_completion(wire::QueueKind::hiprio, Token{0}, 80);
    session.handle_completion(wire::QueueKind::hiprio, Token{8}, 80);
    session.handle_completion(wire::QueueKind::hiprio, Token{0xffff}, 80);
    CHECK(session.state() == S::init_sent);
    CHECK(session.hiprio_in_flight() == 0);
    r.script.reply_init(*r.control, good_init_out());
    CHECK(session.state() == S::ready);
    session.handle_completion(wire::QueueKind::request, Token{0}, 8); // the same once more
    CHECK(session.state() == S::ready);
}

TEST_CASE("an INIT that was shown and not submitted is not answered by a completion", "[session]") {
    SessionScript script;
    REQUIRE(script.session.open({}) == Errc::ok);
    REQUIRE(script.peek());
    script.session.handle_completion(wire::QueueKind::request, Token{0}, 80);
    CHECK(script.session.state() == S::init_sent);
    CHECK(script.take());
}

TEST_CASE("DESTROY is the captured one, and whatever it answers the session is closed", "[session]") {
    const std::function<void(SessionScript&, const SessionScript::Message&)> answers[] = {
        [](SessionScript& s, const SessionScript::Message& m) { s.reply_error(m, 0); },
        [](SessionScript& s, const SessionScript::Message& m) { s.use(m, 0); },
        [](SessionScript& s, const SessionScript::Message& m) { s.reply_error(m, -EIO); },
        [](SessionScript& s, const SessionScript::Message& m) { s.use(m, 0xffffffff); },
    };
    for (const auto& answer : answers) {
        SessionScript script;
        client::InitOptions wish;
        wish.pid = 77;
        script.make_ready(wish);
        const auto message = script.make_destroy_sent();
        wire::InHeader expected{};
        expected.len = sizeof(expected);
        expected.opcode = static_cast<std::uint32_t>(wire::Opcode::destroy);
        expected.unique = message.header().unique;
        expected.pid = 77;
        CHECK(std::memcmp(message.bytes.data(), &expected, sizeof(expected)) == 0);
        CHECK(message.bytes.size() == sizeof(expected));
        CHECK(message.request.queue == wire::QueueKind::request);
        CHECK(message.request.writable.len == sizeof(wire::OutHeader));
        answer(script, message);
        CHECK(script.session.state() == S::closed);
        CHECK_FALSE(script.peek());
        CHECK(script.session.failure() == Errc::ok);
    }
}

// A whole life as steps; `refuse` says at which message the queue has no room at first.
namespace {

struct Life {
    static constexpr int kSteps = 13;

    SessionScript script;
    std::array<ForgetLink, 3> links{{{2, 1}, {3, 5}, {4, 2}}};
    std::vector<SessionScript::Message> out;
    std::vector<wire::Opcode> sent;
    int refused_at = -1;
    int messages = 0;

    void submit() {
        if (messages++ == refused_at) {
            // The queue has no room: shown again, the same bytes, as often as it takes.
            const auto first = script.peek();
            const auto second = script.peek();
            REQUIRE(first);
            REQUIRE(second);
            CHECK(first->bytes == second->bytes);
            CHECK(first->request.token == second->request.token);
        }
        const auto message = script.take();
        REQUIRE(message);
        sent.push_back(message->opcode());
        out.push_back(*message);
    }
    void step(int number) {
        Session& session = script.session;
        switch (number) {
        case 0: CHECK(session.open({}) == Errc::ok); break;
        case 1: submit(); break;
        case 2: script.reply_init(out.back(), good_init_out()); break;
        case 3: session.forget(links[0]); break;
        case 4: submit(); break;
        case 5:
            session.forget(links[1]);
            session.forget(links[2]);
            break;
        case 6: submit(); break;
        case 7: CHECK(session.close() == Errc::ok); break;
        case 8: session.handle_lanes_idle(); break;
        case 9: script.use(out[1]); break;
        case 10: script.use(out[2]); break;
        case 11: submit(); break;
        case 12: script.reply_error(out.back(), 0); break;
        }
    }
};

} // namespace

TEST_CASE("a whole life ends well, and goes through its messages in order", "[session]") {
    Life life;
    for (int i = 0; i < Life::kSteps; ++i) life.step(i);
    CHECK(life.script.session.state() == S::closed);
    using wire::Opcode;
    CHECK(life.sent == std::vector<Opcode>{Opcode::init, Opcode::forget, Opcode::batch_forget, Opcode::destroy});
    CHECK(life.script.take_forgotten() == 3);
}

TEST_CASE("whichever message its queue has no room for is kept and sent later, unchanged", "[session]") {
    for (int message = 0; message < 4; ++message) {
        Life life;
        life.refused_at = message;
        for (int i = 0; i < Life::kSteps; ++i) life.step(i);
        CHECK(life.script.session.state() == S::closed);
        CHECK(life.sent.size() == 4);
        CHECK(life.script.take_forgotten() == 3);
    }
}

TEST_CASE("the device may go at every point: the session fails once, nothing more is sent, every link comes back",
          "[session]") {
    for (int gone = 0; gone <= Life::kSteps; ++gone) {
        INFO("gone before step " << gone);
        Life life;
        for (int i = 0; i < gone; ++i) life.step(i);
        Session& session = life.script.session;
        const S before = session.state();
        session.handle_device_gone(Errc::device_gone);
        session.handle_device_gone(Errc::needs_reset);
        if (before == S::idle || before == S::closed) {
            CHECK(session.state() == before);
            CHECK(session.failure() == Errc::ok);
        } else {
            CHECK(session.state() == S::failed);
            CHECK(session.failure() == Errc::device_gone);
        }
        CHECK_FALSE(life.script.peek());
        const std::size_t given = gone > 5 ? 3u : gone > 3 ? 1u : 0u;
        CHECK(life.script.take_forgotten() == given);
        // The rest of the links is returned as well, and late completions are harmless.
        for (std::size_t i = given; i < 3; ++i) session.forget(life.links[i]);
        CHECK(life.script.take_forgotten() == 3 - given);
        for (const auto& message : life.out) life.script.use(message, 16);
        CHECK(session.hiprio_in_flight() == 0);
        CHECK_FALSE(life.script.peek());
        session.handle_lanes_idle();
        CHECK_FALSE(life.script.peek());
    }
}

TEST_CASE("uniques of a session are all different and of lane 0", "[session]") {
    SessionScript script;
    script.make_ready();
    std::vector<std::uint64_t> uniques;
    std::vector<ForgetLink> links(20);
    for (std::size_t i = 0; i < links.size(); ++i) {
        links[i] = {i + 2, 1};
        script.session.forget(links[i]);
        const auto message = script.take();
        REQUIRE(message);
        uniques.push_back(message->header().unique);
        script.use(*message);
    }
    uniques.push_back(script.make_destroy_sent().header().unique);
    for (std::size_t i = 1; i < uniques.size(); ++i) CHECK(uniques[i] >> 25 == (uniques[i - 1] >> 25) + 1);
    for (const std::uint64_t unique : uniques) {
        CHECK((unique >> 17 & 0xff) == 0);
        CHECK((unique & 1) == 0);
        CHECK(unique >> 63 == 0);
    }
}
