// SPDX-License-Identifier: BSD-2-Clause
// These tests show that a prepared chain is written only where it differs (prepared_chain.hpp).
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kScribble = 0xee;
const Segment kMessage[] = {{DeviceAddr{0x1000}, 0x28}};

// Submits a chain of a message, a reply header, and a payload that differs.
struct Payload {
    std::uint64_t addr;
    std::uint32_t len;
};
Errc submit(RingPair& pair, PreparedId id, Payload payload, std::uint16_t token = 0) {
    const Segment writable[] = {{DeviceAddr{0x2000}, 0x10}, {DeviceAddr{payload.addr}, payload.len}};
    return pair.driver.submit_prepared<2>(kMessage, writable, Token{token}, id);
}
// Submits a chain whose payload is readable and comes before the reply header.
Errc submit_out(RingPair& pair, PreparedId id, Payload payload) {
    const Segment readable[] = {kMessage[0], {DeviceAddr{payload.addr}, payload.len}};
    const Segment writable[] = {{DeviceAddr{0x2000}, 0x10}};
    return pair.driver.submit_prepared<1>(readable, writable, Token{0}, id);
}

// The descriptors from `head` on; the last one's `next` means nothing and is left out.
Bytes chain_at(const RingPair& pair, std::uint16_t head, std::size_t count = 3) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(pair.ring.descriptors() + head);
    return {at, at + count * 16 - 2};
}
void scribble(RingPair& pair) {
    std::memset(static_cast<void*>(pair.ring.descriptors()), kScribble, std::size_t{16} * pair.ring.size());
}
void complete(RingPair& pair, std::uint16_t head, std::uint32_t written = 0x10) {
    pair.driver.kick();
    pair.forge_used(head, written);
    REQUIRE(pair.poll() == 1);
}

const Bytes kWhole = {0x00, 0x10, 0,    0,    0,    0, 0, 0, 0x28, 0,    0, 0, 1, 0, 1, 0, // the message, next 1
                      0x00, 0x20, 0,    0,    0,    0, 0, 0, 0x10, 0,    0, 0, 3, 0, 2, 0, // the header, next 2
                      0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0,    0x10, 0, 0, 2, 0};      // the payload
constexpr Payload kPayload{0x123456789a, 0x1000};

} // namespace

TEST_CASE("a prepared chain is written whole the first time, and then only the segment that differs", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit(pair, id, kPayload, 7) == Errc::ok);
    CHECK(chain_at(pair, 0) == kWhole);
    complete(pair, 0);
    CHECK(pair.done[0].token == Token{7});

    std::memset(static_cast<void*>(pair.ring.descriptors()), kScribble, 32);
    REQUIRE(submit(pair, id, {0x5000, 0x20000}, 8) == Errc::ok);
    Bytes expected(32, kScribble);
    const Bytes payload = {0x00, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0};
    expected.insert(expected.end(), payload.begin(), payload.end());
    CHECK(chain_at(pair, 0) == expected);
    complete(pair, 0);
    CHECK(pair.done[0].token == Token{8});
    CHECK(pair.driver.counters().descriptors == 6);
    CHECK(pair.driver.counters().chains == 2);
}

TEST_CASE("the segment that differs may be a readable one", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit_out(pair, id, {0x3000, 5}) == Errc::ok);
    complete(pair, 0);
    const Bytes before = chain_at(pair, 0);
    REQUIRE(submit_out(pair, id, {0x4400, 6}) == Errc::ok);
    Bytes expected = before;
    expected[17] = 0x44;
    expected[24] = 6;
    CHECK(chain_at(pair, 0) == expected);
    complete(pair, 0, 0x10);
    // The bound of what the device may write did not grow with it.
    REQUIRE(submit_out(pair, id, {0x4400, 0x1000}) == Errc::ok);
    pair.driver.kick();
    pair.forge_used(0, 0x11);
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ring_used_length);
}

TEST_CASE("prepared chains are told apart, and each head in the ring has its own", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId first = pair.driver.reserve_prepared(2);
    CHECK(first != PreparedId::none);
    CHECK(pair.driver.reserve_prepared(1) == first + 2);
    // One id at two heads at once: each chain is written whole.
    REQUIRE(submit(pair, first, {0x7000, 1}) == Errc::ok);
    REQUIRE(submit(pair, first, kPayload) == Errc::ok);
    Bytes second = kWhole;
    second[14] = 4;
    second[30] = 5;
    CHECK(chain_at(pair, 3) == second);
    complete(pair, 3);
    // Another id is submitted at the same head.
    scribble(pair);
    REQUIRE(submit(pair, first + 1, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 3) == second);
    complete(pair, 3);
    scribble(pair);
    REQUIRE(submit(pair, first, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 3) == second);
}

TEST_CASE("after any other chain at its head a prepared chain is written whole", "[virtqueue]") {
    const bool through_a_table = GENERATE(false, true);
    RingPair pair({.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .direct_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit(pair, id, {0x7000, 1}) == Errc::ok);
    complete(pair, 0);
    const std::vector<Segment> segments(through_a_table ? 4 : 1, Segment{DeviceAddr{0x9000}, 8});
    REQUIRE(pair.driver.submit(segments, {}, Token{1}) == Errc::ok);
    CHECK(load_descriptor(pair.ring.descriptors()[0]).has(split::kIndirect) == through_a_table);
    complete(pair, 0, 0);
    scribble(pair);
    REQUIRE(submit(pair, id, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 0) == kWhole);
}

TEST_CASE("after any other chain was refused at its head a prepared chain is written whole", "[virtqueue]") {
    const std::size_t count = GENERATE(1u, 4u); // direct, and through a table
    RingPair pair({.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .direct_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit(pair, id, {0x7000, 1}) == Errc::ok);
    complete(pair, 0);
    std::vector<Segment> segments(count, Segment{DeviceAddr{0x9000}, 8});
    segments.back().len = 0;
    REQUIRE(pair.driver.submit(segments, {}, Token{1}) == Errc::bad_argument);
    REQUIRE(submit(pair, id, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 0) == kWhole);
}

TEST_CASE("a chain too long to be direct goes through its table, whole each time", "[virtqueue]") {
    RingPair pair({.size = 4, .max_segments = 4, .indirect = IndirectTables::accepted, .direct_segments = 2});
    const PreparedId id = pair.driver.reserve_prepared(1);
    for (int round = 0; round < 3; ++round) {
        scribble(pair);
        std::memset(pair.tables().host(), kScribble, pair.tables().size());
        REQUIRE(submit(pair, id, kPayload) == Errc::ok);
        CHECK(load_descriptor(pair.ring.descriptors()[0]).has(split::kIndirect));
        const auto* table = reinterpret_cast<const std::uint8_t*>(pair.tables().host());
        CHECK(Bytes(table, table + 46) == kWhole);
        complete(pair, 0);
    }
}

TEST_CASE("a prepared chain is refused what a chain is refused, the first time and later", "[virtqueue]") {
    const bool is_known = GENERATE(false, true);
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    if (is_known) {
        REQUIRE(submit(pair, id, kPayload) == Errc::ok);
        complete(pair, 0);
    }
    constexpr std::uint32_t kOthers = 0x28 + 0x10;
    const std::uint32_t len = GENERATE(0u, 0xffff'ffffu, 0xffff'ffffu - kOthers);
    CHECK(submit(pair, id, {0x1000, len}) == Errc::bad_argument);
    CHECK(pair.driver.in_flight() == 0);
    CHECK(pair.driver.error() == Errc::ok);
    REQUIRE(submit(pair, id, {0x1000, 0xffff'fffeu - kOthers}) == Errc::ok);
    complete(pair, 0, 0xffff'fffeu - 0x28);
    REQUIRE(submit(pair, id, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 0) == kWhole);
    CHECK(pair.driver.in_flight() == 1);
}

TEST_CASE("a chain with an empty segment among the others is never prepared", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    const Segment writable[] = {{DeviceAddr{0x2000}, 0}, {DeviceAddr{0x3000}, 8}};
    for (int i = 0; i < 2; ++i) {
        CHECK(pair.driver.submit_prepared<2>(kMessage, writable, Token{0}, id) == Errc::bad_argument);
    }
    CHECK(pair.driver.in_flight() == 0);
}

TEST_CASE("the bound of a used length follows the segment that differs", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit(pair, id, {0x3000, 0x1000}) == Errc::ok);
    complete(pair, 0, 0x1010);
    REQUIRE(submit(pair, id, {0x3000, 0x2000}) == Errc::ok);
    complete(pair, 0, 0x2010);
    REQUIRE(submit(pair, id, {0x3000, 0x10}) == Errc::ok);
    pair.driver.kick();
    pair.forge_used(0, 0x21);
    CHECK(pair.poll() == 0);
    CHECK(pair.driver.error() == Errc::ring_used_length);
}

TEST_CASE("a full or a latched ring refuses prepared chains as it refuses others", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 3});
    const PreparedId id = pair.driver.reserve_prepared(1);
    REQUIRE(submit(pair, id, kPayload) == Errc::ok);
    complete(pair, 0);
    REQUIRE(submit(pair, id, kPayload, 1) == Errc::ok);
    REQUIRE(submit(pair, id, kPayload, 2) == Errc::ok);
    CHECK(submit(pair, id, kPayload, 3) == Errc::queue_full);
    pair.driver.kick();
    pair.forge_used(0, 0);
    pair.forge_used(1, 0);
    CHECK(pair.poll() == 1);
    CHECK(submit(pair, id, kPayload, 4) == Errc::ring_id_not_live);
    CHECK(pair.driver.evacuate(pair.done) == 1);
    CHECK(submit(pair, id, kPayload, 4) == Errc::ring_id_not_live);

    // Nothing of what was in the ring is left after a restart.
    REQUIRE(pair.driver.restart() == Errc::ok);
    scribble(pair);
    REQUIRE(submit(pair, id, kPayload) == Errc::ok);
    CHECK(chain_at(pair, 0) == kWhole);
    CHECK(pair.driver.reserve_prepared(1) == id + 1);
}
