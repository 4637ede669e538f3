// SPDX-License-Identifier: BSD-2-Clause
// A session counts what it puts on the hiprio queue, and nothing that was only wanted.
#include "session_script.hpp"

#include "vfsproto/fuse/client/detail/unique.hpp"

#include <cerrno>

using namespace vfsproto;
using namespace vfsproto::test;
using client::ForgetBatch;
using client::ForgetLink;

namespace {

constexpr std::uint64_t kTarget = client::make_unique(77, 1, 3);

client::SessionOptions interruptible() {
    client::SessionOptions options;
    options.quirks.interrupts = client::InterruptUse::allowed;
    return options;
}

void check(const Session& session, const client::SessionCounters& expected) {
    CHECK(session.counters().forgets == expected.forgets);
    CHECK(session.counters().batch_forgets == expected.batch_forgets);
    CHECK(session.counters().forgotten == expected.forgotten);
    CHECK(session.counters().interrupts == expected.interrupts);
}

} // namespace

TEST_CASE("a FORGET is counted when it is on its queue, with the nodes of a BATCH_FORGET", "[counters]") {
    SessionScript script;
    script.make_ready();
    check(script.session, {}); // INIT is not of the hiprio queue
    std::vector<ForgetLink> links(300);
    for (std::size_t i = 0; i < links.size(); ++i) links[i] = {i + 2, 1};
    script.session.forget(links[0]);
    REQUIRE(script.peek());
    check(script.session, {});
    REQUIRE(script.take());
    check(script.session, {1, 0, 1, 0});
    for (std::size_t i = 1; i < links.size(); ++i) script.session.forget(links[i]);
    REQUIRE(script.take()); // 253 of them
    check(script.session, {1, 1, 254, 0});
    REQUIRE(script.take());
    check(script.session, {1, 2, 300, 0});
    CHECK_FALSE(script.take());
    ForgetLink nothing{1, 3};
    script.session.forget(nothing);
    CHECK_FALSE(script.take());
    check(script.session, {1, 2, 300, 0});
}

TEST_CASE("a FORGET that was never sent is not counted, and the count goes on in another generation", "[counters]") {
    SessionScript script;
    script.make_ready();
    ForgetLink links[3]{{2, 1}, {3, 1}, {4, 1}};
    script.session.forget(links[0]);
    REQUIRE(script.take());
    script.session.forget(links[1]);
    REQUIRE(script.peek());
    script.session.handle_device_gone(Errc::device_gone);
    check(script.session, {1, 0, 1, 0});
    script.make_ready();
    script.session.forget(links[2]);
    REQUIRE(script.take());
    check(script.session, {2, 0, 2, 0});
}

TEST_CASE("an INTERRUPT is counted each time it is sent", "[counters][interrupt]") {
    SessionScript script(interruptible());
    script.make_ready();
    REQUIRE(script.session.interrupt(kTarget) == Errc::ok);
    REQUIRE(script.peek());
    check(script.session, {});
    const auto message = script.take();
    REQUIRE(message);
    check(script.session, {0, 0, 0, 1});
    script.reply_error(*message, -EAGAIN);
    script.session.handle_turn();
    check(script.session, {0, 0, 0, 1});
    REQUIRE(script.take());
    check(script.session, {0, 0, 0, 2});
}

TEST_CASE("a batch says how many nodes its last message names", "[counters]") {
    ForgetBatch batch;
    Bytes room(4096);
    CHECK(batch.encoded() == 0);
    ForgetLink links[4]{{2, 1}, {3, 1}, {4, 1}, {5, 1}};
    for (auto& link : links) batch.add(link);
    CHECK(batch.encode(std::span(room).first(48 + 31), 2) == 48 + 16);
    CHECK(batch.encoded() == 1);
    CHECK(batch.encode(std::span(room).first(48 + 32), 3) == 48 + 32);
    CHECK(batch.encoded() == 2);
    CHECK(batch.encode(room, 4) == 48);
    CHECK(batch.encoded() == 1);
    CHECK(batch.encode(room, 5) == 0);
    CHECK(batch.encoded() == 0);
}
