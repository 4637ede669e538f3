// SPDX-License-Identifier: BSD-2-Clause
// INTERRUPT: what it looks like, what its answers mean, and to whom it is never sent.
#include "session_script.hpp"

#include "vfsproto/fuse/client/detail/unique.hpp"

#include <cerrno>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::QueueKind;

namespace {

constexpr std::uint64_t kTarget = client::make_unique(77, 1, 3);
constexpr std::uint64_t kOther = client::make_unique(78, 1, 4);

client::SessionOptions interruptible() {
    client::SessionOptions options;
    options.quirks.interrupts = client::InterruptUse::allowed;
    return options;
}

struct Ready : SessionScript {
    Ready() : SessionScript(interruptible()) { make_ready(); }
    // Wants the target interrupted and puts the message on its queue.
    Message send(std::uint64_t target = kTarget) {
        REQUIRE(session.interrupt(target) == Errc::ok);
        const auto message = take();
        REQUIRE(message);
        REQUIRE(message->opcode() == wire::Opcode::interrupt);
        return *message;
    }
};

} // namespace

TEST_CASE("an INTERRUPT names its target, differs from it in bit 0, and has room for a header", "[interrupt]") {
    Ready s;
    const auto message = s.send();
    CHECK(message.request.queue == QueueKind::hiprio);
    CHECK(message.header().unique == (kTarget | 1));
    CHECK(message.header().len == sizeof(wire::InHeader) + sizeof(wire::InterruptIn));
    CHECK(wire::get_struct<wire::InterruptIn>(message.bytes.data() + sizeof(wire::InHeader)).unique == kTarget);
    CHECK(message.request.writable.len == sizeof(wire::OutHeader));
    CHECK(s.session.hiprio_in_flight() == 1);
    s.use(message); // no answer is the usual one
    CHECK(s.session.hiprio_in_flight() == 0);
    CHECK_FALSE(s.peek());
    s.session.handle_turn();
    CHECK_FALSE(s.peek());
}

TEST_CASE("an INTERRUPT answered with EAGAIN is sent once a turn while its target lives", "[interrupt]") {
    Ready s;
    constexpr int kTurns = 5;
    auto message = s.send();
    for (int i = 0; i < kTurns; ++i) {
        s.reply_error(message, -EAGAIN);
        CHECK_FALSE(s.peek()); // not in the same turn
        s.session.handle_turn();
        const auto again = s.take();
        REQUIRE(again);
        CHECK(again->header().unique == (kTarget | 1));
        message = *again;
    }
    s.session.end_interrupt(kTarget);
    s.reply_error(message, -EAGAIN);
    s.session.handle_turn();
    CHECK_FALSE(s.peek());
}

TEST_CASE("an INTERRUPT whose target ends before it is sent is not sent", "[interrupt]") {
    Ready s;
    REQUIRE(s.session.interrupt(kTarget) == Errc::ok);
    REQUIRE(s.peek());
    s.session.end_interrupt(kTarget);
    CHECK_FALSE(s.peek());
    // One that waits for its next turn neither.
    const auto message = s.send();
    s.reply_error(message, -EAGAIN);
    s.session.end_interrupt(kTarget);
    s.session.handle_turn();
    CHECK_FALSE(s.peek());
    s.session.end_interrupt(kOther); // nobody wanted it interrupted
}

TEST_CASE("a server that answers INTERRUPT with ENOSYS is sent none in this generation", "[interrupt]") {
    Ready s;
    const auto message = s.send();
    REQUIRE(s.session.interrupt(kOther) == Errc::ok);
    s.reply_error(message, -ENOSYS);
    CHECK_FALSE(s.peek());
    CHECK(s.session.interrupt(kTarget) == Errc::not_negotiated);
    s.session.handle_device_gone(Errc::device_gone);
    s.make_ready();
    s.use(s.send());
}

TEST_CASE("a server whose quirks forbid it is sent no INTERRUPT", "[interrupt]") {
    SessionScript s; // an unknown server
    s.make_ready();
    CHECK(s.session.interrupt(kTarget) == Errc::not_negotiated);
    CHECK_FALSE(s.peek());
}

TEST_CASE("an INTERRUPT is for a session that is open", "[interrupt]") {
    SessionScript s(interruptible());
    CHECK(s.session.interrupt(kTarget) == Errc::wrong_state);
    s.make_ready();
    REQUIRE(s.session.close() == Errc::ok);
    s.use([&] {
        REQUIRE(s.session.interrupt(kTarget) == Errc::ok); // lanes are not idle yet
        return *s.take();
    }());
    s.session.handle_lanes_idle();
    CHECK(s.session.interrupt(kTarget) == Errc::wrong_state);
}

TEST_CASE("so many INTERRUPTs at once and no more, each target once", "[interrupt]") {
    Ready s;
    std::vector<SessionScript::Message> sent;
    for (std::uint16_t i = 0; i < Session::kInterrupts; ++i) sent.push_back(s.send(kTarget + 2u * i));
    CHECK(s.session.interrupt(kTarget) == Errc::ok);
    CHECK_FALSE(s.peek());
    constexpr std::uint64_t kOneMore = kTarget + 2u * Session::kInterrupts;
    CHECK(s.session.interrupt(kOneMore) == Errc::no_slot);
    for (std::size_t i = 1; i < sent.size(); ++i) {
        CHECK(sent[i].request.token.slot != sent[0].request.token.slot);
        CHECK(sent[i].request.readable.addr != sent[0].request.readable.addr);
    }
    s.use(sent[2]);
    CHECK(s.session.interrupt(kOneMore) == Errc::ok);
    CHECK(s.take()->header().unique == (kOneMore | 1));
}

TEST_CASE("an INTERRUPT goes before FORGETs and needs none of their blocks", "[interrupt]") {
    Ready s;
    std::vector<client::ForgetLink> links(Session::kForgetBlocks);
    for (std::size_t i = 0; i < links.size(); ++i) {
        links[i] = {i + 2, 1};
        s.session.forget(links[i]);
        REQUIRE(s.take());
    }
    client::ForgetLink waits{100, 1};
    s.session.forget(waits);
    CHECK_FALSE(s.peek());
    s.use(s.send());
    CHECK(s.session.hiprio_in_flight() == Session::kForgetBlocks);
}

TEST_CASE("an answer to INTERRUPT that is none has no effect", "[interrupt]") {
    Ready s;
    const auto message = s.send();
    SECTION("another unique") { s.reply(message, {16, -ENOSYS, kOther | 1}, nullptr, 0, 16); }
    SECTION("the target's own unique") { s.reply(message, {16, -ENOSYS, kTarget}, nullptr, 0, 16); }
    SECTION("another length") { s.reply(message, {17, -ENOSYS, 0}, nullptr, 0, 16); }
    SECTION("half a header") { s.reply(message, {16, -ENOSYS, 0}, nullptr, 0, 8); }
    SECTION("no error number") { s.reply(message, {16, -100'000, 0}, nullptr, 0, 16); }
    SECTION("another error") { s.reply_error(message, -EIO); }
    s.session.handle_turn();
    CHECK_FALSE(s.peek());
    CHECK(s.session.state() == SessionState::ready);
    CHECK(s.session.hiprio_in_flight() == 0);
    s.use(s.send()); // it may be asked again
}

TEST_CASE("a completion of an INTERRUPT that is not out changes nothing", "[interrupt]") {
    Ready s;
    for (std::uint16_t slot = Session::kForgetBlocks; slot < Session::kHiprioSlots + 2; ++slot) {
        s.session.handle_completion(QueueKind::hiprio, Token{slot}, 16);
    }
    CHECK(s.session.hiprio_in_flight() == 0);
    s.use(s.send());
}

TEST_CASE("DESTROY waits for an INTERRUPT the device has, and drops one it has not", "[interrupt]") {
    Ready s;
    const auto message = s.send();
    REQUIRE(s.session.interrupt(kOther) == Errc::ok);
    REQUIRE(s.session.close() == Errc::ok);
    s.session.handle_lanes_idle();
    CHECK_FALSE(s.peek());
    CHECK(s.session.state() == SessionState::draining);
    s.reply_error(message, -EAGAIN);
    CHECK(s.session.state() == SessionState::destroy_sent);
    CHECK(s.take()->opcode() == wire::Opcode::destroy);
}
