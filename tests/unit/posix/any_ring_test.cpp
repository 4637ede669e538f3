// SPDX-License-Identifier: BSD-2-Clause
// The lane of a channel, over the ring itself, beside the lane of the core, over a table of functions: in all that the
// device can see they are alike, though the first one writes again only what it must.
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "support/scale.hpp"

#include "vfsproto/fuse/client/lane_body.hpp"
#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/posix/detail/any_ring.hpp"

#include <deque>
#include <map>

using namespace vfsproto;
using namespace vfsproto::test;
using wire::Opcode;

namespace {

constexpr std::uint32_t kBounce = 8192;
constexpr std::size_t kSlots = 4;
constexpr std::size_t kPayloadAt = std::size_t{512} << 10; // in the data region, behind the slots

struct Transfer : client::Transfer {
    int ended = 0;
};
struct Statfs : client::Call<Opcode::statfs> {
    int ended = 0;
};

// A lane, its ring, and the device at the other end of it.
template <class Lane, class Queue> struct Side {
    Side() : entries(kSlots) { start(); }
    void start(std::size_t at = 0) {
        const Region memory = pair.data.part(at, Lane::memory_bytes(kSlots, kBounce));
        client::LaneOptions options;
        options.bounce = kBounce;
        REQUIRE(lane.init(Queue(pair.driver), entries, memory, options) == Errc::ok);
    }
    template <Opcode Op> void send(const client::TransferSpan& span) {
        Transfer& transfer = transfers.emplace_back();
        transfer.on_done = [](client::Transfer& done) noexcept { ++static_cast<Transfer&>(done).ended; };
        lane.template start_inline<Op>(transfer, span, client::Caller{.uid = 7, .gid = 8, .pid = 9});
        REQUIRE(lane.counters().slow_transfers == 0);
    }
    void send_other() {
        Statfs& call = others.emplace_back();
        call.nodeid = 1;
        call.owner = &call;
        call.on_done = [](client::Request& request) noexcept { ++static_cast<Statfs*>(request.owner)->ended; };
        lane.enqueue(call);
    }
    // Lets the device see everything that is published; it keeps the chains.
    void take() {
        lane.kick();
        for (;;) {
            HostSegment room[8];
            Chain chain{.storage = room};
            if (!pair.device.pop(chain)) break;
            wire::InHeader header;
            std::memcpy(&header, chain.readable()[0].data, sizeof(header));
            std::vector<std::byte>& request = seen.emplace_back();
            for (const HostSegment& segment : chain.readable()) {
                request.insert(request.end(), segment.bytes().begin(), segment.bytes().end());
            }
            Out& out = outstanding.emplace_back();
            out.header = header;
            out.room.assign(chain.storage.begin(), chain.storage.end());
            out.chain = chain;
        }
    }
    // Answers the one of that number with that many bytes of data, if it is a READ.
    void answer(std::size_t number, std::uint32_t bytes) {
        Out out = std::move(outstanding[number]);
        outstanding.erase(outstanding.begin() + static_cast<std::ptrdiff_t>(number));
        out.chain.storage = out.room;
        const auto writable = out.chain.writable();
        std::vector<std::byte> body;
        if (out.is(Opcode::read)) body.assign(bytes, std::byte{0x5a});
        if (out.is(Opcode::write)) body.assign(sizeof(wire::WriteOut), std::byte{0});
        if (out.is(Opcode::statfs)) body.assign(sizeof(wire::Kstatfs), std::byte{1});
        const wire::OutHeader header{static_cast<std::uint32_t>(sizeof(header) + body.size()), 0, out.header.unique};
        std::vector<std::byte> reply(sizeof(header));
        std::memcpy(reply.data(), &header, sizeof(header));
        reply.insert(reply.end(), body.begin(), body.end());
        std::size_t at = 0;
        for (const HostSegment& segment : writable) {
            const std::size_t part = std::min<std::size_t>(segment.len, reply.size() - at);
            std::memcpy(segment.data, reply.data() + at, part);
            at += part;
        }
        REQUIRE(at == reply.size());
        REQUIRE(pair.device.push(out.chain, static_cast<std::uint32_t>(at)) == Errc::ok);
        pair.device.publish();
        while (lane.drain() != 0) {}
    }
    // The device is reset, with whatever is out.
    void restart() {
        lane.fail_all(Errc::device_gone);
        outstanding.clear();
        REQUIRE(pair.driver.restart() == Errc::ok);
        pair.start_device(0);
        start();
    }

    struct Out {
        // Bytes of data the device may write.
        [[nodiscard]] std::uint32_t payload() const {
            return is(Opcode::read) ? static_cast<std::uint32_t>(room[chain.readable_count + 1u].len) : 0;
        }
        [[nodiscard]] bool is(Opcode op) const { return header.opcode == static_cast<std::uint32_t>(op); }
        wire::InHeader header{};
        std::vector<HostSegment> room;
        Chain chain;
    };
    RingPair pair{{.size = 16, .max_segments = 4}};
    std::vector<typename Lane::Entry> entries;
    Lane lane;
    std::deque<Transfer> transfers;
    std::deque<Statfs> others;
    std::vector<std::vector<std::byte>> seen;
    std::deque<Out> outstanding;
};

struct Table : QueueRef {
    explicit Table(SplitDriver& driver) : QueueRef(make_queue_ref(driver)) {}
};
using OverRing = Side<posix::Lane, posix::AnyRing>;
using OverTable = Side<client::Lane, Table>;

static_assert(PreparesChains<posix::AnyRing>);
static_assert(!PreparesChains<QueueRef>);

bool same_memory(const Region& a, const Region& b) { return std::memcmp(a.host(), b.host(), a.size()) == 0; }

} // namespace

TEST_CASE("what the lane of a channel leaves unwritten stands there already", "[any_ring]") {
    OverRing ring;
    OverTable table;
    Random random(GENERATE(1u, 2u, 3u));
    std::map<int, int> kinds;
    const std::uint64_t steps =
        test::scaled({.least = 600, .usual = 4000, .nightly = 4000}); // each compares all memory
    for (std::uint64_t step = 0; step < steps; ++step) {
        const auto both = [&](auto&& what) {
            what(ring);
            what(table);
        };
        const std::uint32_t len = random.between(1, 40'000);
        const client::TransferSpan wanted{.nodeid = random.next(),
                                          .fh = random.next(),
                                          .offset = random.next() >> 2,
                                          .device = ring.pair.data.device() + kPayloadAt + random.below(8192),
                                          .len = len,
                                          .open_flags = random.below(0xffff),
                                          .payload = client::Payload::registered};
        const bool has_room = ring.outstanding.size() < kSlots;
        const int kind = has_room ? static_cast<int>(random.below(40)) : 39;
        if (kind < 12) {
            both([&](auto& side) { side.template send<Opcode::read>(wanted); });
        } else if (kind < 18) {
            both([&](auto& side) { side.template send<Opcode::write>(wanted); });
        } else if (kind < 21) {
            both([&](auto& side) { side.send_other(); });
        } else if (kind < 22) {
            both([&](auto& side) { side.restart(); });
        } else if (!ring.outstanding.empty()) {
            const std::size_t number = random.below(ring.outstanding.size());
            const std::uint32_t bytes = random.below(ring.outstanding[number].payload() + 1);
            both([&](auto& side) { side.answer(number, bytes); });
        }
        ++kinds[kind / 3];
        both([&](auto& side) { side.take(); });
        REQUIRE(ring.seen == table.seen);
        ring.seen.clear();
        table.seen.clear();
        if (!same_memory(ring.pair.ring_memory(), table.pair.ring_memory())) FAIL("other rings after step " << step);
        if (!same_memory(ring.pair.data, table.pair.data)) FAIL("other memory after step " << step);
    }
    CHECK(kinds.size() > 7);
    CHECK(ring.pair.driver.counters().descriptors == table.pair.driver.counters().descriptors);
    ring.restart();
    table.restart();
    REQUIRE(ring.transfers.size() == table.transfers.size());
    CHECK(ring.transfers.size() > steps / 8);
    for (std::size_t i = 0; i < ring.transfers.size(); ++i) {
        const Transfer& a = ring.transfers[i];
        const Transfer& b = table.transfers[i];
        REQUIRE(a.ended == 1);
        REQUIRE(b.ended == 1);
        REQUIRE(a.errc == b.errc);
        REQUIRE(a.bytes == b.bytes);
    }
    for (const Statfs& call : ring.others) REQUIRE(call.ended == 1);
}

TEST_CASE("a second READ of a slot writes one descriptor", "[any_ring]") {
    OverRing ring;
    const auto read = [&](std::uint64_t at, std::uint32_t len) {
        ring.send<Opcode::read>({.nodeid = 1,
                                 .fh = 2,
                                 .offset = 3,
                                 .device = ring.pair.data.device() + kPayloadAt + at,
                                 .len = len,
                                 .payload = client::Payload::registered});
        ring.take();
        ring.answer(0, len);
    };
    read(0, 100);
    // A descriptor that nobody writes again stays as it is, and our side never reads it.
    SplitDesc* const descriptors = ring.pair.ring.descriptors();
    const SplitDesc message = descriptors[0];
    const SplitDesc payload = descriptors[2];
    read(64, 200);
    CHECK(std::memcmp(&message, &descriptors[0], sizeof(message)) == 0);
    CHECK(std::memcmp(&payload, &descriptors[2], sizeof(payload)) != 0);
    CHECK(descriptors[2].len.value() == 200);
    CHECK(ring.transfers.back().bytes == 200);
    CHECK(ring.transfers.back().errc == Errc::ok);
}

TEST_CASE("a lane that begins anew on other memory takes nothing for its own that stands in the ring", "[any_ring]") {
    OverRing ring;
    constexpr std::size_t kOther = std::size_t{128} << 10;
    for (const std::size_t at : {std::size_t{0}, kOther}) {
        ring.start(at);
        ring.send<Opcode::read>({.nodeid = 1,
                                 .fh = 2,
                                 .offset = 3,
                                 .device = ring.pair.data.device() + kPayloadAt,
                                 .len = 100,
                                 .payload = client::Payload::registered});
        ring.take();
        ring.answer(0, 100);
        const std::uint64_t block = to_number(ring.pair.data.device()) + at;
        CHECK(ring.pair.ring.descriptors()[0].addr.value() == block + client::kReplyArea);
        CHECK(ring.pair.ring.descriptors()[1].addr.value() == block + client::reply_behind(80));
        CHECK(ring.transfers.back().bytes == 100);
    }
}
