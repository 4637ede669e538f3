// SPDX-License-Identifier: BSD-2-Clause
// Giving lookups back: exactly, in order, never lost, and only on hiprio. One server aborts on a count that is too high.
#include "session_script.hpp"
#include "support/message.hpp"

#include <map>
#include <random>

using namespace vfsproto;
using namespace vfsproto::test;
using client::ForgetBatch;
using client::ForgetLink;
using wire::Opcode;

namespace {

constexpr std::size_t kPerBatch = (Session::kBlock - sizeof(wire::InHeader) - sizeof(wire::BatchForgetIn)) / 16;

// Lists what a message gives back, in order.
std::vector<wire::ForgetOne> parse(const SessionScript::Message& message) {
    CHECK(message.request.queue == wire::QueueKind::hiprio);
    CHECK(message.request.writable.len == 0);
    const std::byte* body = message.bytes.data() + sizeof(wire::InHeader);
    if (message.opcode() == Opcode::forget) {
        REQUIRE(message.bytes.size() == 48);
        return {{message.header().nodeid, wire::get_struct<wire::ForgetIn>(body).nlookup}};
    }
    REQUIRE(message.opcode() == Opcode::batch_forget);
    const auto count = wire::get_struct<wire::BatchForgetIn>(body).count;
    REQUIRE(message.bytes.size() == 48 + std::size_t{16} * count);
    std::vector<wire::ForgetOne> all;
    for (std::uint32_t i = 0; i < count; ++i) all.push_back(wire::get_struct<wire::ForgetOne>(body + 8 + 16 * i));
    return all;
}

std::vector<ForgetLink> make_links(std::size_t count) {
    std::vector<ForgetLink> links(count);
    for (std::size_t i = 0; i < count; ++i) links[i] = {i + 2, i % 7 + 1};
    return links;
}

} // namespace

TEST_CASE("one link is a FORGET as it was captured, but for unique and pid", "[session]") {
    SessionScript script;
    script.make_ready();
    ForgetLink link{2, 2};
    script.session.forget(link);
    const auto message = script.take();
    REQUIRE(message);
    const Message expected = Message(Opcode::forget, 2).unique(message->header().unique).from({});
    CHECK(message->bytes == Message(expected).fixed(wire::ForgetIn{2}).bytes());
    CHECK(message->header().nodeid == 2);
    CHECK(script.session.hiprio_in_flight() == 1);
    CHECK(script.session.take_forgotten() == &link);
    CHECK(script.session.take_forgotten() == nullptr);
}

TEST_CASE("several links are one BATCH_FORGET as it is written by hand", "[session]") {
    SessionScript script;
    script.make_ready();
    auto links = make_links(3);
    for (auto& link : links) script.session.forget(link);
    const auto message = script.take();
    REQUIRE(message);
    Message expected = Message(Opcode::batch_forget, 0).unique(message->header().unique).from({});
    expected.fixed(wire::BatchForgetIn{3, 0});
    for (const auto& link : links) expected.fixed(wire::ForgetOne{link.nodeid, link.nlookup});
    CHECK(message->bytes == expected.bytes());
    CHECK(message->header().nodeid == 0);
    CHECK_FALSE(script.peek());
}

TEST_CASE("a storm is split at the block, and each part is as full as it can be", "[session]") {
    SessionScript script;
    script.make_ready();
    auto links = make_links(2 * kPerBatch + 1);
    for (auto& link : links) script.session.forget(link);
    std::vector<std::size_t> sizes;
    std::size_t next = 0;
    while (const auto message = script.take()) {
        const auto ones = parse(*message);
        sizes.push_back(ones.size());
        for (const auto& one : ones) {
            REQUIRE(next < links.size());
            CHECK(one.nodeid == next + 2);
            CHECK(one.nlookup == next % 7 + 1);
            ++next;
        }
    }
    CHECK(kPerBatch == 253);
    CHECK(sizes == std::vector<std::size_t>{kPerBatch, kPerBatch, 1});
    CHECK(next == links.size());
    CHECK(script.take_forgotten() == links.size());
}

TEST_CASE("what has nothing to give back is returned and never sent", "[session]") {
    SessionScript script;
    script.make_ready();
    ForgetLink root{1, 3};
    ForgetLink none{0, 3};
    ForgetLink zero{9, 0};
    for (ForgetLink* link : {&root, &none, &zero}) {
        script.session.forget(*link);
        CHECK(script.session.take_forgotten() == link);
    }
    CHECK_FALSE(script.peek());
}

TEST_CASE("a message that was shown does not change when more links come, and those follow it", "[session]") {
    SessionScript script;
    script.make_ready();
    auto links = make_links(4);
    script.session.forget(links[0]);
    const auto shown = script.peek();
    script.session.forget(links[1]);
    script.session.forget(links[2]);
    const auto taken = script.take();
    REQUIRE(shown);
    REQUIRE(taken);
    CHECK(shown->bytes == taken->bytes);
    const auto rest = script.take();
    REQUIRE(rest);
    CHECK(parse(*rest).size() == 2);
    CHECK(parse(*rest)[0].nodeid == links[1].nodeid);
}

TEST_CASE("at most eight messages are under way; the ninth waits for a block, and none is overwritten before",
          "[session]") {
    SessionScript script;
    script.make_ready();
    auto links = make_links(12);
    std::vector<SessionScript::Message> out;
    for (std::size_t i = 0; i < 8; ++i) {
        script.session.forget(links[i]);
        const auto message = script.take();
        REQUIRE(message);
        out.push_back(*message);
    }
    CHECK(script.session.hiprio_in_flight() == 8);
    for (std::size_t i = 8; i < 12; ++i) script.session.forget(links[i]);
    CHECK_FALSE(script.peek());
    // Every block still holds what the device was told it holds.
    for (const auto& message : out) {
        const std::byte* at = script.memory.translate(message.request.readable);
        CHECK(std::memcmp(at, message.bytes.data(), message.bytes.size()) == 0);
    }
    script.use(out[5]);
    const auto ninth = script.take();
    REQUIRE(ninth);
    CHECK(ninth->request.token == out[5].request.token);
    CHECK(parse(*ninth).size() == 4);
    CHECK_FALSE(script.peek());
    for (std::size_t i = 0; i < 8; ++i) {
        if (i != 5) script.use(out[i]);
    }
    script.use(*ninth);
    CHECK(script.session.hiprio_in_flight() == 0);
    CHECK(script.take_forgotten() == 12);
}

TEST_CASE("a FORGET is done when it was used, whatever the device says it wrote", "[session]") {
    SessionScript script;
    script.make_ready();
    ForgetLink link{5, 1};
    script.session.forget(link);
    const auto message = script.take();
    REQUIRE(message);
    script.use(*message, 0xffffffff);
    CHECK(script.session.hiprio_in_flight() == 0);
    CHECK(script.session.state() == SessionState::ready);
    script.use(*message); // twice
    CHECK(script.session.hiprio_in_flight() == 0);
}

TEST_CASE("before the session is ready and after close, links are simply returned", "[session]") {
    SessionScript script;
    ForgetLink link{5, 1};
    const auto returned_unsent = [&] {
        link = {5, 1};
        script.session.forget(link);
        const bool returned = script.session.take_forgotten() == &link;
        const auto shown = script.peek();
        return returned && (!shown || shown->opcode() == Opcode::init || shown->opcode() == Opcode::destroy);
    };
    CHECK(returned_unsent());
    const auto init = script.open();
    CHECK(returned_unsent());
    script.reply_init(init, good_init_out());
    REQUIRE(script.session.close() == Errc::ok);
    CHECK(returned_unsent());
    script.session.handle_lanes_idle();
    CHECK(returned_unsent());
    const auto destroy = script.take();
    REQUIRE(destroy);
    CHECK(returned_unsent());
    script.reply_error(*destroy, 0);
    CHECK(script.session.state() == SessionState::closed);
    CHECK(returned_unsent());
}

TEST_CASE("links given before close are still sent, and DESTROY waits for all of them and for the lanes", "[session]") {
    // In which order the last FORGET is shown, used, and the lanes become idle.
    enum { show, use, idle };
    const int orders[][3] = {{show, use, idle}, {show, idle, use}, {idle, show, use}};
    for (const auto& order : orders) {
        SessionScript script;
        script.make_ready();
        ForgetLink link{5, 1};
        script.session.forget(link);
        REQUIRE(script.session.close() == Errc::ok);
        std::optional<SessionScript::Message> message;
        for (int i = 0; i < 3; ++i) {
            CHECK(script.session.state() == SessionState::draining);
            switch (order[i]) {
            case show:
                message = script.take();
                REQUIRE(message);
                CHECK(message->opcode() == Opcode::forget);
                CHECK_FALSE(script.peek());
                break;
            case use: script.use(*message); break;
            case idle: script.session.handle_lanes_idle(); break;
            }
        }
        CHECK(script.session.state() == SessionState::destroy_sent);
        const auto destroy = script.take();
        REQUIRE(destroy);
        CHECK(destroy->opcode() == Opcode::destroy);
    }
}

TEST_CASE("a FORGET that was shown and not submitted still comes before DESTROY, and goes when the device does",
          "[session]") {
    for (const bool is_gone : {false, true}) {
        SessionScript script;
        script.make_ready();
        ForgetLink link{5, 1};
        script.session.forget(link);
        REQUIRE(script.peek());
        REQUIRE(script.session.close() == Errc::ok);
        script.session.handle_lanes_idle();
        CHECK(script.session.state() == SessionState::draining);
        if (is_gone) {
            script.session.handle_device_gone(Errc::device_gone);
            CHECK_FALSE(script.peek());
        } else {
            const auto message = script.take();
            REQUIRE(message);
            CHECK(message->opcode() == Opcode::forget);
            script.use(*message);
            CHECK(script.session.state() == SessionState::destroy_sent);
        }
        CHECK(script.session.take_forgotten() == &link);
    }
}

TEST_CASE("lanes that were idle before close say nothing about those after it", "[session]") {
    SessionScript script;
    script.make_ready();
    script.session.handle_lanes_idle();
    REQUIRE(script.session.close() == Errc::ok);
    CHECK_FALSE(script.peek());
    CHECK(script.session.state() == SessionState::draining);
}

TEST_CASE("whatever the schedule, what reaches the server is what was forgotten, in order, and every link returns once",
          "[session]") {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        std::mt19937 random(seed);
        SessionScript script;
        script.make_ready();
        std::vector<ForgetLink> links(600);
        std::vector<wire::ForgetOne> given;
        std::vector<wire::ForgetOne> received;
        std::vector<SessionScript::Message> out;
        std::map<const ForgetLink*, int> returned;
        std::size_t next = 0;
        const auto take_returned = [&] {
            while (const ForgetLink* link = script.session.take_forgotten()) ++returned[link];
        };
        while (next < links.size() || script.peek() || !out.empty()) {
            switch (random() % 4) {
            case 0: {
                const std::size_t burst = random() % 50;
                for (std::size_t i = 0; i < burst && next < links.size(); ++i, ++next) {
                    links[next] = {random() % 40, random() % 4};
                    if (links[next].nodeid > 1 && links[next].nlookup != 0) {
                        given.push_back({links[next].nodeid, links[next].nlookup});
                    }
                    script.session.forget(links[next]);
                }
                break;
            }
            case 1: static_cast<void>(script.peek()); break; // the queue was full
            case 2:
                if (const auto message = script.take()) {
                    for (const auto& one : parse(*message)) received.push_back(one);
                    out.push_back(*message);
                }
                break;
            case 3:
                if (!out.empty()) {
                    const std::size_t which = random() % out.size();
                    script.use(out[which]);
                    out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
                }
                break;
            }
            if (random() % 2 == 0) take_returned();
        }
        take_returned();
        REQUIRE(received.size() == given.size());
        CHECK(std::equal(received.begin(), received.end(), given.begin(),
                         [](const auto& a, const auto& b) { return a.nodeid == b.nodeid && a.nlookup == b.nlookup; }));
        CHECK(returned.size() == links.size());
        for (const auto& [link, count] : returned) CHECK(count == 1);
        CHECK(script.session.hiprio_in_flight() == 0);
    }
}

TEST_CASE("a batch takes as many records as there is room for, and gives the rest back when it is dropped",
          "[session]") {
    ForgetBatch batch;
    CHECK(batch.empty());
    Bytes room(4096);
    CHECK(batch.encode(room, 2) == 0);
    ForgetLink links[3]{{2, 1}, {3, 1}, {4, 1}};
    for (auto& link : links) batch.add(link);
    CHECK(batch.encode(std::span(room).first(48 + 31), 2) == 48 + 16);
    CHECK_FALSE(batch.empty());
    batch.drop_all();
    CHECK(batch.empty());
    int returned = 0;
    while (batch.take_written() != nullptr) ++returned;
    CHECK(returned == 3);
}
