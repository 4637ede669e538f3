// SPDX-License-Identifier: BSD-2-Clause
// INIT, FORGET and DESTROY against a server and a device that say anything.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "support/scripted_queue.hpp"
#include "vfsproto/fuse/client/detail/unique.hpp"
#include "vfsproto/fuse/client/session.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using client::ForgetLink;
using client::Session;
using client::SessionState;

TEST_CASE("whatever INIT is answered, the session is ready with parameters that can be used, or failed with a reason",
          "[hostile]") {
    Random random(7);
    SharedMemory memory;
    const Region block = memory.add(Session::kMemoryBytes);
    std::size_t ready = 0;
    std::size_t failed = 0;
    for (int i = 0; i < 50'000; ++i) {
        Session session;
        REQUIRE(session.init(block, {}) == Errc::ok);
        REQUIRE(session.open({}) == Errc::ok);
        client::SessionRequest request;
        REQUIRE(session.peek_request(request));
        session.handle_submitted(request.queue, request.token);
        const std::byte* message = memory.translate(request.readable);
        wire::InHeader in{};
        std::memcpy(&in, message, sizeof(in));

        std::byte reply[80];
        for (std::byte& b : reply) b = static_cast<std::byte>(random.one_in(2) ? random.next() : 0);
        const std::uint32_t written = random.one_in(10)  ? static_cast<std::uint32_t>(random.next())
                                      : random.one_in(4) ? random.below(81)
                                                         : 80;
        wire::OutHeader header{written, 0, in.unique};
        if (random.one_in(10)) header.len = static_cast<std::uint32_t>(random.next());
        if (random.one_in(10)) header.error = static_cast<std::int32_t>(random.next());
        if (random.one_in(10)) header.error = -static_cast<std::int32_t>(random.below(520));
        if (random.one_in(20)) header.unique = random.next();
        std::memcpy(reply, &header, sizeof(header));
        if (!random.one_in(4)) {
            const std::uint32_t version[2] = {7, random.below(60)};
            std::memcpy(reply + 16, version, sizeof(version));
        }
        std::memcpy(memory.translate(request.writable), reply, 80);
        session.handle_completion(request.queue, request.token, written);

        if (session.state() == SessionState::ready) {
            ++ready;
            const client::SessionParams& p = session.params();
            const bool usable = p.minor >= wire::kMinorFloor && p.minor <= wire::kMinor && p.max_pages >= 1 &&
                                p.max_pages <= 256 && p.max_write >= 4096 && p.max_write <= 256u * 4096 &&
                                p.max_read >= 4096 && p.max_read <= 256u * 4096 && p.max_readahead <= (1u << 20) &&
                                p.time_gran >= 1 && p.time_gran <= 1'000'000'000 &&
                                (p.flags & client::implemented_init_flags()) == p.flags;
            REQUIRE(usable);
        } else {
            ++failed;
            REQUIRE(session.state() == SessionState::failed);
            REQUIRE(session.failure() != Errc::ok);
            REQUIRE_FALSE(session.peek_request(request));
        }
    }
    CHECK(ready > 5000);
    CHECK(failed > 5000);
}

namespace {

// Gives INIT the good answer, so that lives get beyond it.
void answer_init(Session& session, const Region& block) {
    constexpr std::size_t kReplyAt = 2048; // in the session's memory
    wire::InHeader in{};
    std::memcpy(&in, block.host(), sizeof(in));
    wire::InitOut out{};
    out.major = 7;
    out.minor = 31;
    constexpr std::uint32_t kLength = sizeof(wire::OutHeader) + sizeof(out);
    const wire::OutHeader header{kLength, 0, in.unique};
    std::memcpy(block.host() + kReplyAt, &header, sizeof(header));
    std::memcpy(block.host() + kReplyAt + sizeof(header), &out, sizeof(out));
    session.handle_completion(wire::QueueKind::request, Token{0}, kLength);
}

} // namespace

TEST_CASE("completions of anything at any time lose no link and free no block twice", "[hostile]") {
    Random random(11);
    SharedMemory memory;
    const Region block = memory.add(Session::kMemoryBytes);
    for (int life = 0; life < 300; ++life) {
        Session session;
        client::SessionOptions options;
        options.quirks.interrupts = client::InterruptUse::allowed;
        REQUIRE(session.init(block, options) == Errc::ok);
        std::vector<ForgetLink> links(50);
        std::size_t given = 0;
        std::size_t returned = 0;
        for (int step = 0; step < 400; ++step) {
            client::SessionRequest request;
            switch (random.below(11)) {
            case 0: static_cast<void>(session.open({})); break;
            case 1:
                if (session.state() == SessionState::init_sent) answer_init(session, block);
                break;
            case 2:
            case 3:
                if (given < links.size()) {
                    links[given] = {random.below(20), random.below(4)};
                    session.forget(links[given++]);
                }
                break;
            case 4:
            case 5:
                if (session.peek_request(request)) session.handle_submitted(request.queue, request.token);
                break;
            case 6:
                session.handle_completion(wire::QueueKind::hiprio, Token{static_cast<std::uint16_t>(random.below(16))},
                                          static_cast<std::uint32_t>(random.next()));
                break;
            case 7:
                while (session.take_forgotten() != nullptr) ++returned;
                break;
            case 8:
                if (random.one_in(20)) static_cast<void>(session.close());
                if (random.one_in(20)) session.handle_lanes_idle();
                if (random.one_in(60)) session.handle_device_gone(Errc::device_gone);
                if (random.one_in(30)) session.handle_completion(wire::QueueKind::request, Token{1}, 80);
                break;
            case 9: {
                const std::uint64_t target = client::make_unique(1 + random.below(6), 1, 0);
                const Errc said = session.interrupt(target);
                REQUIRE((said == Errc::ok || said == Errc::no_slot || said == Errc::wrong_state ||
                         said == Errc::not_negotiated));
                if (random.one_in(3)) session.end_interrupt(target);
                break;
            }
            case 10: session.handle_turn(); break;
            }
            REQUIRE(session.hiprio_in_flight() <= Session::kHiprioSlots);
        }
        session.handle_device_gone(Errc::device_gone);
        while (session.take_forgotten() != nullptr) ++returned;
        REQUIRE(returned == given);
    }
}
