// SPDX-License-Identifier: BSD-2-Clause
// A session that is over and is opened again: nothing of its life before is left.
#include "session_script.hpp"

#include "vfsproto/fuse/client/detail/unique.hpp"

#include <functional>
#include <set>

using namespace vfsproto;
using namespace vfsproto::test;
using client::ForgetLink;
using wire::QueueKind;

namespace {

// A life with everything in it, cut short after so many steps. Returns how many it took.
int live(SessionScript& s, int last) {
    static ForgetLink links[3];
    const std::function<void()> steps[] = {
        [&] { REQUIRE(s.session.open({}) == Errc::ok); },
        [&] { s.reply_init(*s.take(), good_init_out()); },
        [&] {
            for (ForgetLink& link : links) {
                link = {2, 1};
                s.session.forget(link);
            }
        },
        [&] { REQUIRE(s.peek()); },
        [&] { REQUIRE(s.take()->opcode() == wire::Opcode::batch_forget); },
        [&] { REQUIRE(s.session.interrupt(client::make_unique(5, 1, 0)) == Errc::ok); },
        [&] { REQUIRE(s.take()->opcode() == wire::Opcode::interrupt); },
        [&] { REQUIRE(s.session.close() == Errc::ok); },
        [&] { s.session.handle_lanes_idle(); },
        [&] {
            s.session.handle_completion(QueueKind::hiprio, Token{0}, 0);
            s.session.handle_completion(QueueKind::hiprio, Token{Session::kForgetBlocks}, 0);
        },
        [&] { s.reply_error(*s.take(), 0); },
    };
    int taken = 0;
    for (const auto& step : steps) {
        if (taken == last) break;
        step();
        ++taken;
    }
    s.take_forgotten();
    return taken;
}

client::SessionOptions interruptible() {
    client::SessionOptions options;
    options.quirks.interrupts = client::InterruptUse::allowed;
    return options;
}

constexpr int kWholeLife = 11;

} // namespace

TEST_CASE("a session that failed after any step lives a whole life when it is opened again", "[again]") {
    for (int steps = 1; steps < kWholeLife; ++steps) {
        INFO("failed after step " << steps);
        SessionScript s(interruptible());
        REQUIRE(live(s, steps) == steps);
        s.session.handle_device_gone(Errc::needs_reset);
        s.take_forgotten();
        REQUIRE(s.session.state() == SessionState::failed);
        REQUIRE(live(s, kWholeLife) == kWholeLife);
        CHECK(s.session.state() == SessionState::closed);
        CHECK(s.session.failure() == Errc::ok);
        CHECK(s.session.hiprio_in_flight() == 0);
        CHECK_FALSE(s.peek());
    }
}

TEST_CASE("a session that was refused or closed is opened again as if it were new", "[again]") {
    SessionScript s(interruptible());
    constexpr std::int32_t kEacces = -13;
    s.reply_error(s.open(), kEacces);
    REQUIRE(s.session.state() == SessionState::failed);
    REQUIRE(s.session.failure() == Errc::init_refused);
    for (int life = 0; life < 3; ++life) {
        REQUIRE(live(s, kWholeLife) == kWholeLife);
        CHECK(s.session.state() == SessionState::closed);
        CHECK(s.session.failure() == Errc::ok);
        CHECK(s.session.server_error() == abi::Errno::none);
    }
}

TEST_CASE("each generation has a number and parameters of its own", "[again]") {
    SessionScript s;
    CHECK(s.session.generation() == 0);
    s.make_ready();
    CHECK(s.session.generation() == 1);
    CHECK(s.session.params().max_pages == 256);
    s.session.handle_device_gone(Errc::device_gone);
    CHECK(s.session.generation() == 1);
    wire::InitOut old = good_init_out();
    old.minor = wire::kMinorFloor;
    old.flags = 0;
    const auto init = s.open();
    CHECK(s.session.generation() == 2);
    CHECK(s.session.params().max_pages == client::SessionParams{}.max_pages); // nothing is settled yet
    s.reply_init(init, old);
    CHECK(s.session.state() == SessionState::ready);
    CHECK(s.session.params().generation == 2);
    CHECK(s.session.params().minor == wire::kMinorFloor);
    CHECK(s.session.params().flags == wire::InitFlags{});
}

TEST_CASE("no two messages of a session's lives have the same unique", "[again]") {
    SessionScript s;
    std::set<std::uint64_t> seen;
    constexpr int kLives = 10;
    for (int life = 0; life < kLives; ++life) {
        const auto init = s.open();
        CHECK(seen.insert(init.header().unique).second);
        s.reply_init(init, good_init_out());
        ForgetLink link{2, 1};
        s.session.forget(link);
        CHECK(seen.insert(s.take()->header().unique).second);
        s.session.handle_device_gone(Errc::device_gone);
        s.take_forgotten();
    }
}

TEST_CASE("an answer to the INIT of an earlier generation opens nothing", "[again]") {
    SessionScript s;
    const auto before = s.open();
    s.session.handle_device_gone(Errc::device_gone);
    const auto now = s.open();
    REQUIRE(before.request.token.slot == now.request.token.slot);
    s.reply(now, {80, 0, before.header().unique}, nullptr, 0, 80);
    CHECK(s.session.state() == SessionState::failed);
    CHECK(s.session.failure() == Errc::unique_mismatch);
}
