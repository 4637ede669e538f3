// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "unit/virtqueue/ring_checks.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

// virtio 1.2 §2.7.4.1
TEST_CASE("a chain is popped as translated readable and writable segments", "[virtqueue]") {
    const auto indirect = GENERATE(IndirectTables::refused, IndirectTables::accepted);
    RingPair pair({.size = 8, .max_segments = 5, .indirect = indirect});
    check_popped_segments(pair, indirect);
    CHECK(pair.device.error() == Errc::ok);
}

// virtio 1.2 §2.7.5.3.2
TEST_CASE("normal descriptors before an indirect table make one chain", "[virtqueue]") {
    RingPair pair({.size = 8, .max_segments = 8, .indirect = IndirectTables::accepted});
    const auto misalign = GENERATE(0u, 4u, 1u); // the specification asks for no alignment of a table
    std::byte* const table = pair.tables().host() + misalign;
    const SplitDesc entries[] = {
        {pair.data_addr(500), 5, SplitDesc::pack(split::kWrite | split::kNext, 2)},
        {0, 0, 0},
        {pair.data_addr(600), 6, SplitDesc::pack(split::kWrite, 77)}, // the table need not be in order, `next` is moot
    };
    std::memcpy(table, entries, sizeof entries);
    pair.forge_descriptor(6, pair.data_addr(100), 10, split::kNext, 1);
    pair.forge_descriptor(1, pair.data_addr(200), 20, split::kNext, 4);
    // the WRITE flag of the descriptor that names a table is ignored
    pair.forge_descriptor(4, to_number(pair.tables().device()) + misalign, 48, split::kIndirect | split::kWrite, 0);
    pair.forge_avail(6);
    REQUIRE(pair.pop() == 6);
    CHECK(pair.device.error() == Errc::ok);
    REQUIRE(pair.chain.readable().size() == 2);
    REQUIRE(pair.chain.writable().size() == 2);
    CHECK(pair.chain.readable()[1].len == 20);
    CHECK(pair.chain.writable()[0].data == pair.data.host() + 500);
    CHECK(pair.chain.writable()[1].data == pair.data.host() + 600);
    CHECK(pair.chain.writable()[1].len == 6);
    CHECK(pair.chain.descriptors == 3);
}

TEST_CASE("descriptors of zero bytes are passed over", "[virtqueue]") {
    RingPair pair({.size = 8});
    pair.forge_descriptor(0, 0, 0, split::kNext, 1); // their address means nothing
    pair.forge_descriptor(1, pair.data_addr(8), 8, split::kNext, 2);
    pair.forge_descriptor(2, ~std::uint64_t{0}, 0, split::kNext | split::kWrite, 3);
    pair.forge_descriptor(3, pair.data_addr(16), 4, split::kWrite, 0);
    pair.forge_avail(0);
    REQUIRE(pair.pop() == 0);
    REQUIRE(pair.chain.readable().size() == 1);
    REQUIRE(pair.chain.writable().size() == 1);
    CHECK(pair.chain.readable()[0].len == 8);
    CHECK(pair.chain.writable()[0].len == 4);
    CHECK(pair.chain.descriptors == 4);
}

TEST_CASE("unknown descriptor flags are ignored", "[virtqueue]") {
    RingPair pair({.size = 8});
    pair.forge_descriptor(0, pair.data_addr(), 8, 0xfff8, 9000);
    pair.forge_avail(0);
    REQUIRE(pair.pop() == 0);
    CHECK(pair.chain.readable().size() == 1);
}

// virtio 1.2 §2.7.8.2
TEST_CASE("used entries become visible at publish and not before", "[virtqueue]") {
    RingPair pair({.size = 8});
    HostSegment storage[2][4];
    Chain chains[2];
    for (std::uint16_t i = 0; i < 2; ++i) {
        pair.submit_and_kick(i);
        chains[i].storage = storage[i];
        REQUIRE(pair.device.pop(chains[i]));
    }
    REQUIRE(pair.device.push(chains[1], 11) == Errc::ok);
    REQUIRE(pair.device.push(chains[0], 22) == Errc::ok);
    CHECK(pair.ring.used()[SplitRing::kIndex].value() == 0);
    CHECK(pair.poll() == 0);
    pair.device.publish();
    CHECK(pair.ring.used()[SplitRing::kIndex].value() == 2);
    CHECK(pair.ring.used_entries()[0].id.value() == chains[1].head);
    CHECK(pair.ring.used_entries()[0].len.value() == 11);
    CHECK(pair.ring.used_entries()[1].len.value() == 22);
    CHECK(pair.poll() == 2);
    CHECK(pair.device.counters().publications == 1);
    CHECK(pair.device.counters().completions == 2);
    CHECK(pair.device.counters().chains == 2);
}

// virtio 1.2 §2.7.5.1
TEST_CASE("the device side writes to the used ring only", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 8, .event_index = mode, .indirect = IndirectTables::accepted});
    const auto snapshot = [&] {
        const std::byte* const start = pair.ring_memory().host();
        std::vector<std::byte> bytes(start, start + split_layout(8).device_offset);
        bytes.insert(bytes.end(), pair.tables().host(), pair.tables().host() + pair.tables().size());
        bytes.insert(bytes.end(), pair.data.host(), pair.data.host() + 4096);
        return bytes;
    };
    check_unwritten(pair, snapshot);
    CHECK(pair.ring.used()[SplitRing::kIndex].value() == 4);
}

TEST_CASE("push refuses a chain that is not out", "[virtqueue]") {
    RingPair pair({.size = 8});
    check_refused_pushes(pair);
    CHECK(pair.ring.used()[SplitRing::kIndex].value() == 1);
}

TEST_CASE("an interrupt is wanted for what was published since the last question", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 8, .event_index = mode});
    CHECK_FALSE(pair.device.wants_notification());
    pair.submit_and_kick(0);
    pair.submit_and_kick(1);
    REQUIRE(pair.serve());
    REQUIRE(pair.serve());
    CHECK(pair.device.wants_notification()); // the first one was asked for, though two were published since
    CHECK_FALSE(pair.device.wants_notification());
}

TEST_CASE("an interrupt is wanted when the used index came round unasked", "[virtqueue]") {
    RingPair pair({.size = 8, .event_index = EventIndex::on});
    REQUIRE_FALSE(pair.driver.arm(1)); // of the very first
    for (std::uint32_t i = 0; i < 65'536; ++i) {
        pair.submit_and_kick(0);
        REQUIRE(pair.serve());
        pair.device.publish();
        Completion done{};
        REQUIRE(pair.driver.poll({&done, 1}) == 1);
    }
    CHECK(pair.device.wants_notification());
    CHECK_FALSE(pair.device.wants_notification());
}

TEST_CASE("the device asks for kicks only while it is armed", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 16, .event_index = mode});
    check_kicks_until_armed(pair);
    pair.submit_and_kick(2);
    CHECK(pair.doorbells == 2);
}

TEST_CASE("a device continues at the index it was stopped at", "[virtqueue]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 8, .event_index = mode});
    for (std::uint16_t round = 0; round < 5; ++round) {
        pair.submit_and_kick(0);
        REQUIRE(pair.serve());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.device.next_avail() == 5);
    CHECK(pair.device.outstanding() == 0);
    check_goes_on(pair, [&] { pair.start_device(pair.device.next_avail()); });
    CHECK(pair.device.next_avail() == 6);
    CHECK(pair.pop() >= 0);
    CHECK(pair.device.outstanding() == 1);
}

TEST_CASE("a device takes indirect chains beyond the ring size where it is told to", "[virtqueue]") {
    RingPair pair({.size = 2, .max_segments = 2, .indirect = IndirectTables::accepted});
    auto* const table = descriptors_at(pair.data.host() + 8192);
    for (std::uint16_t i = 0; i < 10; ++i) {
        const std::uint16_t flags = i < 9 ? split::kNext : 0;
        table[i] = {pair.data_addr(i), 1, SplitDesc::pack(flags, i + 1u)};
    }
    pair.forge_descriptor(0, pair.data_addr(8192), 160, split::kIndirect, 0);
    pair.forge_avail(0);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::chain_too_long);
    REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, {.max_chain = 10}) == Errc::ok);
    CHECK(pair.pop() == 0);
    CHECK(pair.chain.readable().size() == 10);
}
