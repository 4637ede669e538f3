// SPDX-License-Identifier: BSD-2-Clause
// A device that answers with garbage, claims lengths it did not write, completes in any order, twice, or what nobody
// sent: the client ends every request exactly once and touches nothing it was not given.
#include "hostile_tasks.hpp"
#include "support/scripted_queue.hpp"
#include "vfsproto/fuse/client/lane.hpp"

#include <cstdlib>
#include <map>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::size_t kSlots = 12;
constexpr std::uint32_t kBounce = 16384;

std::uint64_t seed_of_run() {
    const char* const wanted = std::getenv("VFSPROTO_TEST_SEED");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20240612;
}

// A hostile device answers so: mostly something that passes the first checks.
struct Lie {
    std::vector<std::byte> bytes; // written into the writable part, as far as it fits
    std::uint32_t written = 0;
};

void randomize(Random& random, std::byte* at, std::size_t size) {
    // Small numbers, zeros and all ones are worth more than noise.
    for (std::size_t i = 0; i < size; ++i) {
        switch (random.below(4)) {
        case 0: at[i] = std::byte{0}; break;
        case 1: at[i] = static_cast<std::byte>(random.below(8)); break;
        case 2: at[i] = std::byte{0xff}; break;
        default: at[i] = static_cast<std::byte>(random.next()); break;
        }
    }
}

Lie make_lie(Random& random, const wire::InHeader& request, std::uint32_t capacity) {
    const wire::OpInfo* op = wire::find_op(request.opcode);
    Lie lie;
    std::uint32_t size = 16 + op->out_size;
    if (op->out_tail != wire::OutTail::none && capacity > 16) size = 16 + random.below(capacity - 16 + 1);
    if (random.one_in(8)) size = random.below(capacity + 1);
    if (random.one_in(8)) size = 16;
    lie.bytes.resize(size);
    randomize(random, lie.bytes.data(), size);
    wire::OutHeader header{size, 0, request.unique};
    switch (random.below(12)) {
    case 0: header.error = -static_cast<std::int32_t>(random.below(600)); break;
    case 1: header.error = static_cast<std::int32_t>(random.next()); break;
    case 2: header.len = static_cast<std::uint32_t>(random.next()); break;
    case 3: header.error = -38; break;
    default: break;
    }
    if (random.one_in(300)) header.unique ^= std::uint64_t{1} << random.below(64);
    if (size >= 16 && !random.one_in(20)) std::memcpy(lie.bytes.data(), &header, 16);
    lie.written = size;
    switch (random.below(16)) {
    case 0: lie.written = random.below(capacity + 1); break;
    case 1: lie.written = 0; break;
    default: break;
    }
    if (op->traits.reply == wire::ReplyOwed::never && !random.one_in(50)) lie.written = 0;
    return lie;
}

struct HostileLane {
    explicit HostileLane(Random& random) : tasks(random, memory.add(50'000)) {
        params.minor = wire::kMinor;
        params.flags = params.offered = wire::InitFlags(~std::uint64_t{0});
        params.max_pages = 4;
        params.max_read = params.max_write = 16384;
        block = memory.add(client::Lane::memory_bytes(kSlots, kBounce));
        options.bounce = kBounce;
        options.max_data_in_flight = 64 * 1024;
        client = {&lane, &params, &sticky};
    }
    void set_up(QueueRef queue) {
        REQUIRE(lane.init(queue, entries, block, options) == Errc::ok);
        sticky.reset();
    }

    SharedMemory memory;
    Region block;
    std::vector<client::Lane::Entry> entries{kSlots};
    client::LaneOptions options{};
    client::Lane lane;
    client::SessionParams params{};
    client::StickyEnosys sticky;
    client::Client client{};
    HostileTasks tasks;
};

} // namespace

TEST_CASE("a hundred thousand requests of every kind end exactly once against a queue that hands back anything",
          "[hostile]") {
    const std::uint64_t seed = seed_of_run();
    INFO("VFSPROTO_TEST_SEED=" << seed);
    Random random(seed);
    HostileLane h(random);
    std::size_t resets = 0;
    std::size_t submitted = 0;
    while (submitted < 100'000) {
        // A device, until it is reset.
        ScriptedQueue queue(h.memory,
                            {.max_inflight = 10, .max_segments = static_cast<std::uint16_t>(2 + random.below(4))});
        h.set_up(make_queue_ref(queue));
        for (int round = 0; round < 3000 && h.lane.error() == Errc::ok; ++round) {
            while (random.below(4) != 0 && h.tasks.started() - h.tasks.ended() < 20) h.tasks.start(h.client);
            if (random.one_in(100)) h.sticky.reset();
            h.lane.kick();
            const auto visible = queue.visible();
            for (const std::size_t number : visible) {
                if (random.one_in(3)) continue;
                const ScriptedQueue::Sent& sent = queue.sent(number);
                Lie lie = make_lie(random, sent.header(), sent.capacity);
                if (lie.bytes.size() > sent.capacity) lie.bytes.resize(sent.capacity);
                queue.write(number, lie.bytes.data(), lie.bytes.size());
                if (random.one_in(500)) lie.written = static_cast<std::uint32_t>(random.next()); // beyond the buffer
                queue.complete(number, lie.written);
                if (random.one_in(2000)) queue.complete_token(sent.token, lie.written);
            }
            if (random.one_in(2000)) queue.complete_token(Token{static_cast<std::uint16_t>(random.next())}, 16);
            if (random.one_in(3000)) queue.latch(Errc::ring_index_jump);
            static_cast<void>(h.lane.drain());
            static_cast<void>(h.lane.arm_burst());
            queue.drop_answered();
        }
        submitted += queue.sent_count();
        CHECK(queue.blamed() == "");
        h.lane.fail_all(Errc::device_gone);
        REQUIRE(h.tasks.started() == h.tasks.ended());
        REQUIRE(h.lane.idle());
        REQUIRE(h.lane.counters().started == h.lane.counters().finished);
        ++resets;
    }
    // It was neither so hostile that nothing got through, nor so tame that nothing was refused.
    CHECK(resets > 10);
    CHECK(h.tasks.succeeded() > 10'000);
    CHECK(h.tasks.refused() > 10'000);
    CHECK(h.lane.counters().violations > 10'000);
}

namespace {

// Puts a lie into the chain that the ring has popped, and gives it back.
void answer_with_lie(Random& random, const wire::InHeader& header, RingPair& ring) {
    const auto capacity = static_cast<std::uint32_t>(total_length(ring.chain.writable()));
    const Lie lie = make_lie(random, header, capacity);
    std::size_t at = 0;
    for (const HostSegment& segment : ring.chain.writable()) {
        const std::size_t part = std::min<std::size_t>(segment.len, lie.bytes.size() - at);
        if (part != 0) std::memcpy(segment.data, lie.bytes.data() + at, part);
        at += part;
    }
    static_cast<void>(ring.device.push(ring.chain, std::min(lie.written, capacity)));
}

} // namespace

TEST_CASE("the same over a real ring whose used entries the device forges", "[hostile]") {
    const std::uint64_t seed = seed_of_run() + 1;
    INFO("VFSPROTO_TEST_SEED=" << seed - 1);
    Random random(seed);
    RingPair ring({.size = 32, .event_index = EventIndex::on, .max_segments = 3});
    std::vector<client::Lane::Entry> entries(8);
    client::LaneOptions options;
    options.bounce = kBounce;
    client::SessionParams params;
    params.minor = wire::kMinor;
    params.flags = params.offered = wire::InitFlags(~std::uint64_t{0});
    params.max_read = params.max_write = 16384;
    client::StickyEnosys sticky;
    client::Lane lane;
    client::Client client{&lane, &params, &sticky};
    const std::size_t lane_bytes = client::Lane::memory_bytes(8, kBounce);
    HostileTasks tasks(random, ring.data.part(lane_bytes, 50'000));
    std::map<Errc, int> latched;
    std::size_t seen = 0;
    while (seen < 30'000) {
        REQUIRE(lane.init(make_queue_ref(ring.driver), entries, ring.data.part(0, lane_bytes), options) == Errc::ok);
        for (int round = 0; round < 3000 && lane.error() == Errc::ok; ++round) {
            while (random.below(4) != 0 && tasks.started() - tasks.ended() < 16) tasks.start(client);
            lane.kick();
            while (ring.pop() >= 0) {
                ++seen;
                wire::InHeader header{};
                std::memcpy(&header, ring.chain.readable()[0].data, sizeof(header));
                answer_with_lie(random, header, ring);
                if (random.one_in(400)) {
                    ring.device.publish();
                    ring.forge_used(random.one_in(2) ? random.below(40) : static_cast<std::uint32_t>(random.next()),
                                    random.below(20000));
                    break;
                }
            }
            ring.device.publish();
            if (random.one_in(500)) {
                ring.ring.used()[SplitRing::kIndex] = static_cast<std::uint16_t>(random.next());
            }
            static_cast<void>(lane.drain());
        }
        ++latched[lane.error()];
        lane.fail_all(Errc::device_gone);
        REQUIRE(tasks.started() == tasks.ended());
        REQUIRE(lane.idle());
        REQUIRE(ring.driver.restart() == Errc::ok);
        ring.start_device(0);
    }
    CHECK(latched[Errc::ring_index_jump] > 0);
    CHECK(latched[Errc::unique_mismatch] > 0);
    CHECK(latched[Errc::ring_id_not_live] + latched[Errc::ring_double_completion] > 0);
    CHECK(tasks.succeeded() > 1000);
}
