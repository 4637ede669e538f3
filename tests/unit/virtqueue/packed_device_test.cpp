// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "unit/virtqueue/ring_checks.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint16_t kN = packed::kNext;
constexpr std::uint16_t kW = packed::kWrite;
constexpr std::uint16_t kI = packed::kIndirect;

} // namespace

// virtio 1.2 §2.8.18
TEST_CASE("a packed chain is popped as translated readable and writable segments", "[virtqueue]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    PackedPair pair({.size = 7, .max_segments = 5, .indirect = indirect, .ordering = ordering});
    for (int round = 0; round < 20; ++round) { // wrapping within chains
        check_popped_segments(pair, indirect);
        REQUIRE(pair.device.push(pair.chain, 9) == Errc::ok);
        pair.device.publish();
        CHECK(pair.device.outstanding() == 0);
        REQUIRE(pair.poll() == 1);
        CHECK(pair.done[0].written == 9);
    }
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("a packed chain of one descriptor is readable or writable", "[virtqueue]") {
    PackedPair pair({.size = 3});
    pair.forge_avail(pair.data_addr(8), 5, 2, 0);
    pair.forge_avail(pair.data_addr(16), 6, 0, kW);
    REQUIRE(pair.pop() == 2);
    REQUIRE(pair.chain.readable().size() == 1);
    CHECK(pair.chain.writable().empty());
    CHECK(pair.chain.readable()[0].data == pair.data.host() + 8);
    CHECK(pair.chain.readable()[0].len == 5);
    REQUIRE(pair.pop() == 0);
    REQUIRE(pair.chain.writable().size() == 1);
    CHECK(pair.chain.readable().empty());
    CHECK(pair.chain.writable()[0].len == 6);
}

// virtio 1.2 §2.8.7
TEST_CASE("entries of a packed indirect table are used in order, and of their flags only WRITE counts", "[virtqueue]") {
    PackedPair pair({.size = 8, .max_segments = 8, .indirect = IndirectTables::accepted});
    const auto misalign = GENERATE(0u, 4u, 1u); // the specification asks for no alignment of a table
    std::byte* const table = pair.tables().host() + misalign;
    const PackedDesc entries[] = {
        {pair.data_addr(500), PackedDesc::pack(5, 0xffff, kN | kI | packed::kBoth)}, // ids mean nothing either
        {pair.data_addr(600), PackedDesc::pack(6, 3, 0xffff)},
        {pair.data_addr(700), PackedDesc::pack(7, 0, kW)},
    };
    std::memcpy(static_cast<void*>(table), entries, sizeof entries);
    // the WRITE flag of the descriptor that names a table is ignored
    pair.forge_avail(to_number(pair.tables().device()) + misalign, 48, 6, kI | kW);
    REQUIRE(pair.pop() == 6);
    CHECK(pair.device.error() == Errc::ok);
    REQUIRE(pair.chain.readable().size() == 1);
    REQUIRE(pair.chain.writable().size() == 2);
    CHECK(pair.chain.readable()[0].data == pair.data.host() + 500);
    CHECK(pair.chain.writable()[0].data == pair.data.host() + 600);
    CHECK(pair.chain.writable()[1].len == 7);
    CHECK(pair.chain.descriptors == 1);
}

// virtio 1.2 §2.8.6
TEST_CASE("the id of a packed chain is the one of its last descriptor", "[virtqueue]") {
    PackedPair pair({.size = 8});
    pair.forge_avail(pair.data_addr(), 8, 77, kN);
    pair.forge_avail(pair.data_addr(), 8, 5, kW);
    REQUIRE(pair.pop() == 5);
    REQUIRE(pair.device.push(pair.chain, 3) == Errc::ok);
    pair.device.publish();
    CHECK(pair.ring.descriptors()[0].word.value() == PackedDesc::pack(3, 5, packed::kBoth | kW));
    CHECK(pair.device.next_used() == 0x8002);
}

TEST_CASE("packed descriptors of zero bytes are passed over", "[virtqueue]") {
    PackedPair pair({.size = 8});
    pair.forge_avail(0, 0, 0, kN); // their address means nothing
    pair.forge_avail(pair.data_addr(8), 8, 0, kN);
    pair.forge_avail(~std::uint64_t{0}, 0, 0, kN | kW);
    pair.forge_avail(pair.data_addr(16), 4, 0, kW);
    REQUIRE(pair.pop() == 0);
    REQUIRE(pair.chain.readable().size() == 1);
    REQUIRE(pair.chain.writable().size() == 1);
    CHECK(pair.chain.readable()[0].len == 8);
    CHECK(pair.chain.writable()[0].len == 4);
    CHECK(pair.chain.descriptors == 4);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    pair.device.publish();
    CHECK(pair.device.next_used() == 0x8004);
}

TEST_CASE("unknown flags of packed descriptors are ignored", "[virtqueue]") {
    PackedPair pair({.size = 8});
    pair.forge_avail(pair.data_addr(), 8, 1, 0x7f78);
    REQUIRE(pair.pop() == 1);
    CHECK(pair.chain.readable().size() == 1);
}

// virtio 1.2 §2.8.12, §2.8.15
TEST_CASE("used descriptors become visible at publish and not before", "[virtqueue]") {
    PackedPair pair({.size = 5, .max_segments = 2});
    HostSegment storage[2][4];
    Chain chains[2];
    for (int round = 0; round < 7; ++round) {
        for (std::uint16_t i = 0; i < 2; ++i) {
            pair.submit_and_kick(i);
            chains[i].storage = storage[i];
            REQUIRE(pair.device.pop(chains[i]));
        }
        REQUIRE(pair.device.push(chains[1], 11) == Errc::ok);
        REQUIRE(pair.device.push(chains[0], 22) == Errc::ok);
        CHECK(pair.poll() == 0);
        pair.device.publish();
        REQUIRE(pair.poll() == 2);
        CHECK(pair.done[0].written == 11);
        CHECK(pair.done[1].written == 22);
    }
    CHECK(pair.device.counters().publications == 7);
    CHECK(pair.device.counters().completions == 14);
    CHECK(pair.device.counters().chains == 14);
}

// virtio 1.2 §2.8.1, §2.8.3
TEST_CASE("a used descriptor has id, length, wrap and WRITE, at the place of the first chain", "[virtqueue]") {
    PackedPair pair({.size = 8});
    HostSegment storage[2][4];
    Chain chains[2];
    for (std::uint16_t i = 0; i < 2; ++i) {
        pair.submit_and_kick(i);
        chains[i].storage = storage[i];
        REQUIRE(pair.device.pop(chains[i]));
    }
    const std::uint64_t address = pair.ring.descriptors()[0].addr.value();
    REQUIRE(pair.device.push(chains[1], 0x1234) == Errc::ok);
    REQUIRE(pair.device.push(chains[0], 0) == Errc::ok);
    pair.device.publish();
    CHECK(pair.ring.descriptors()[0].word.value() == PackedDesc::pack(0x1234, 1, 0x8082));
    CHECK(pair.ring.descriptors()[2].word.value() == PackedDesc::pack(0, 0, 0x8080)); // nothing written: no WRITE
    CHECK(pair.ring.descriptors()[0].addr.value() == address);
}

// virtio 1.2 §2.8.15
TEST_CASE("the packed device side writes to used descriptors and its event area only", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 8, .event_index = mode, .indirect = IndirectTables::accepted});
    const auto snapshot = [&] {
        const std::byte* const start = pair.ring_memory().host();
        std::vector<std::byte> bytes(start + 64, start + packed_layout(8).device_offset); // descriptors from 4 on
        bytes.insert(bytes.end(), pair.tables().host(), pair.tables().host() + pair.tables().size());
        bytes.insert(bytes.end(), pair.data.host(), pair.data.host() + 4096);
        return bytes;
    };
    check_unwritten(pair, snapshot);
}

TEST_CASE("a packed push refuses a chain that is not out", "[virtqueue]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair({.size = 8, .order = order});
    check_refused_pushes(pair);
    CHECK(pair.device.next_used() == 0x8002);
}

// virtio 1.2 §2.8.10, §2.8.14
TEST_CASE("the packed device asks for kicks only while it is armed", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 16, .event_index = mode});
    const std::uint16_t flags = mode == EventIndex::on ? packed::kDescriptor : packed::kEnable;
    CHECK(pair.ring.device_event()->value() >> 16 == flags);
    check_kicks_until_armed(pair);
    if (mode == EventIndex::on) CHECK((pair.ring.device_event()->value() & 0xffff) == 0x8004);
    pair.submit_and_kick(2);
    CHECK(pair.doorbells == 2);
}

TEST_CASE("a packed device continues at the places it was stopped at", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 5, .event_index = mode});
    for (std::uint16_t round = 0; round < 4; ++round) {
        pair.submit_and_kick(0);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.device.next_avail() == 0x0003);
    CHECK(pair.device.next_used() == 0x0003);
    PackedDeviceOptions options = pair.device_options();
    check_goes_on(pair, [&] {
        options.start_avail = pair.device.next_avail();
        options.start_used = pair.device.next_used();
        REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, options) == Errc::ok);
    });
    CHECK(pair.pop() >= 0);
    CHECK(pair.device.outstanding() == 1);
    options.start_avail = 0x8005;
    CHECK(pair.device.init(pair.ring, pair.table, pair.heads, options) == Errc::bad_argument);
    options.start_avail = packed::kStart;
    options.start_used = 5;
    CHECK(pair.device.init(pair.ring, pair.table, pair.heads, options) == Errc::bad_argument);
}

TEST_CASE("a packed device takes tables beyond the ring size where it is told to", "[virtqueue]") {
    PackedPair pair({.size = 3, .max_segments = 2, .indirect = IndirectTables::accepted});
    auto* const table = packed_descriptors_at(pair.data.host() + 8192);
    for (std::uint16_t i = 0; i < 10; ++i) table[i] = {pair.data_addr(i), PackedDesc::pack(1, 0, 0)};
    pair.forge_avail(pair.data_addr(8192), 160, 0, kI);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::chain_too_long);
    REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, {.max_chain = 10}) == Errc::ok);
    CHECK(pair.pop() == 0);
    CHECK(pair.chain.readable().size() == 10);
}
