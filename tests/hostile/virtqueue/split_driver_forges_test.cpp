// SPDX-License-Identifier: BSD-2-Clause
// A driver that breaks the rules, against the device side.
#include "hostile/virtqueue/forged.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint16_t kN = split::kNext;
constexpr std::uint16_t kW = split::kWrite;
constexpr std::uint16_t kI = split::kIndirect;

RingPairOptions ring_of_8(UseOrder order = UseOrder::any) {
    return {.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .order = order};
}
void check_latched(RingPair& pair, Errc why) {
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == why);
    // good chains in every place do not help any more
    for (std::uint16_t i = 0; i < 8; ++i) {
        pair.forge_descriptor(i, pair.data_addr(), 8, 0, 0);
        pair.ring.avail_entries()[i] = 7;
    }
    pair.ring.avail()[SplitRing::kIndex] = static_cast<std::uint16_t>(pair.device.next_avail() + 1);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == why);
    CHECK_FALSE(pair.device.arm());
    Chain any;
    any.head = 7;
    CHECK(pair.device.push(any, 0) == why);
    CHECK_FALSE(pair.device.wants_notification());
}
// Writes an indirect table into the data region and makes descriptor 0 name it.
void forge_table(RingPair& pair, std::initializer_list<SplitDesc> entries) {
    auto* const table = descriptors_at(pair.data.host() + 4096);
    std::size_t i = 0;
    for (const SplitDesc& entry : entries) table[i++] = entry;
    pair.forge_descriptor(0, pair.data_addr(4096), static_cast<std::uint32_t>(16 * entries.size()), kI, 0);
    pair.forge_avail(0);
}

} // namespace

TEST_CASE("an available index ahead of what the ring holds latches the device side", "[virtqueue][hostile]") {
    const auto jump = GENERATE(9u, 10u, 0x8000u, 0xffffu);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    for (std::uint16_t i = 0; i < 8; ++i) pair.forge_descriptor(i, pair.data_addr(), 8, 0, 0);
    pair.ring.avail()[SplitRing::kIndex] = static_cast<std::uint16_t>(jump);
    check_latched(pair, Errc::avail_index_jump);
}

TEST_CASE("an available index ahead of what is not out latches the device side", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    for (std::uint16_t i = 0; i < 8; ++i) pair.forge_descriptor(i, pair.data_addr(), 8, 0, 0);
    for (std::uint16_t i = 0; i < 3; ++i) {
        pair.forge_avail(i);
        REQUIRE(pair.pop() == i);
    }
    pair.ring.avail()[SplitRing::kIndex] = 3 + 6; // 3 are out: at most 5 more
    check_latched(pair, Errc::avail_index_jump);
}

TEST_CASE("a full ring of chains is no index jump", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    for (std::uint16_t i = 0; i < 8; ++i) {
        pair.forge_descriptor(i, pair.data_addr(), 8, 0, 0);
        pair.forge_avail(i);
    }
    for (std::uint16_t i = 0; i < 8; ++i) CHECK(pair.pop() == i);
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("a head outside the ring latches the device side", "[virtqueue][hostile]") {
    const auto head = GENERATE(std::uint16_t{8}, std::uint16_t{9}, std::uint16_t{0x8000}, std::uint16_t{0xffff});
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    pair.forge_avail(head);
    check_latched(pair, Errc::avail_head_invalid);
}

TEST_CASE("what stands behind the descriptor table is none, whatever it looks like", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    // The available ring follows the table: read as a ninth descriptor it is one of 8 bytes to write, at this address.
    constexpr std::uint64_t kAddr = std::uint64_t{8} << 48 | 2u << 16; // its second entry, and its index
    Pages pages(4096);
    REQUIRE(pair.table.add(pages.at(DeviceAddr{kAddr})) == Errc::ok);
    pair.forge_descriptor(0, kAddr, 8, kW, 0);
    pair.forge_avail(0);
    REQUIRE(pair.pop() == 0);
    pair.ring.avail_entries()[2] = 8; // its length
    pair.ring.avail_entries()[4] = kW;
    pair.forge_avail(8);
    check_latched(pair, Errc::avail_head_invalid);
}

TEST_CASE("a head that is out already latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    pair.forge_descriptor(0, pair.data_addr(), 8, 0, 0);
    pair.forge_avail(0);
    REQUIRE(pair.pop() == 0);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    CHECK(pair.device.wants_notification());
    pair.forge_avail(0); // after its completion it is fine
    REQUIRE(pair.pop() == 0);
    pair.forge_avail(0);
    check_latched(pair, Errc::avail_head_invalid);
}

TEST_CASE("with IN_ORDER a head may be out more than once, and the ring holds no more chains for it",
          "[virtqueue][hostile]") {
    RingPair pair(ring_of_8(UseOrder::in_order));
    pair.forge_descriptor(0, pair.data_addr(), 8, kW, 0);
    for (std::uint16_t i = 0; i < 8; ++i) pair.forge_avail(0);
    for (std::uint16_t i = 0; i < 8; ++i) CHECK(pair.pop() == i); // a chain's own name is its place
    pair.chain.head = 3;
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok); // waits, and still takes its place
    pair.forge_avail(0);
    check_latched(pair, Errc::avail_index_jump);
}

TEST_CASE("a chain that was out before the violation cannot be pushed after it", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    pair.forge_descriptor(0, pair.data_addr(), 8, 0, 0);
    pair.forge_avail(0);
    REQUIRE(pair.pop() == 0);
    const Chain out = pair.chain;
    pair.forge_avail(99);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.push(out, 0) == Errc::avail_head_invalid);
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.ring.used()[SplitRing::kIndex].value() == 0);
}

TEST_CASE("a next outside the table latches the device side", "[virtqueue][hostile]") {
    const auto next = GENERATE(std::uint16_t{8}, std::uint16_t{0xffff});
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    pair.forge_descriptor(0, pair.data_addr(), 8, kN, next);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_next_invalid);
}

TEST_CASE("a chain that loops latches the device side", "[virtqueue][hostile]") {
    const auto len = GENERATE(8u, 0u); // also where its descriptors are empty and fill no segment
    const auto back_to = GENERATE(std::uint16_t{0}, std::uint16_t{1});
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    pair.forge_descriptor(0, pair.data_addr(), len, kN, 1);
    pair.forge_descriptor(1, pair.data_addr(), len, kN, back_to);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_too_long);
}

TEST_CASE("a chain of more segments than there is room for latches the device side", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair(ring_of_8(order));
    for (std::uint16_t i = 0; i < 4; ++i) {
        pair.forge_descriptor(i, pair.data_addr(), 8, i < 3 ? kN : std::uint16_t{0}, static_cast<std::uint16_t>(i + 1));
    }
    pair.chain.storage = std::span(pair.storage).first(GENERATE(0u, 3u));
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_too_long);
}

TEST_CASE("a readable descriptor after a writable one latches the device side", "[virtqueue][hostile]") {
    const auto len = GENERATE(8u, 0u);
    RingPair pair(ring_of_8());
    pair.forge_descriptor(0, pair.data_addr(), 8, kW | kN, 1);
    pair.forge_descriptor(1, pair.data_addr(), len, 0, 0);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_order);
}

TEST_CASE("a descriptor outside the memory given latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    const std::uint64_t start = pair.data_addr();
    const std::uint64_t end = start + RingPair::kDataBytes;
    struct Row {
        std::uint64_t addr;
        std::uint32_t len;
    };
    for (const Row row :
         {Row{0, 8}, Row{start - 1, 8}, Row{end, 1}, Row{end - 7, 8}, Row{start, 0x200000}, Row{start, 0xffffffff},
          Row{~std::uint64_t{0}, 1}, Row{~std::uint64_t{0} - 3, 8}, Row{to_number(RingPair::kRingAddr) - 4, 8}}) {
        pair.start_device(pair.ring.avail()[SplitRing::kIndex].value());
        pair.forge_descriptor(1, start, 8, kN, 2); // something of the region was hit before
        pair.forge_descriptor(2, row.addr, row.len, GENERATE(std::uint16_t{0}, kW), 0);
        pair.forge_avail(1);
        CHECK(pair.pop() == -1);
        CHECK(pair.device.error() == Errc::chain_address);
    }
    pair.start_device(pair.ring.avail()[SplitRing::kIndex].value());
    pair.forge_descriptor(1, end - 8, 8, 0, 0); // the very end is inside
    pair.forge_avail(1);
    CHECK(pair.pop() == 1);
}

TEST_CASE("a chain without any byte latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    pair.forge_descriptor(0, pair.data_addr(), 0, kN, 1);
    pair.forge_descriptor(1, pair.data_addr(), 0, kW, 0);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_empty);
}

TEST_CASE("an indirect table without any byte latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    forge_table(pair, {{pair.data_addr(), 0, SplitDesc::pack(kW, 0)}});
    check_latched(pair, Errc::chain_empty);
}

TEST_CASE("a malformed indirect table latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    const std::uint64_t table = pair.data_addr(4096);
    SECTION("its length is zero") { pair.forge_descriptor(0, table, 0, kI, 0); }
    SECTION("its length is no multiple of 16") { pair.forge_descriptor(0, table, 24, kI, 0); }
    SECTION("it is followed by another descriptor") {
        pair.forge_descriptor(0, table, 16, kI | kN, 1);
        pair.forge_descriptor(1, pair.data_addr(), 8, 0, 0);
    }
    SECTION("it names another table") {
        forge_table(pair, {{table + 64, 16, SplitDesc::pack(kI, 0)}});
        pair.ring.avail()[SplitRing::kIndex] = 0;
    }
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_indirect);
}

TEST_CASE("an indirect table that was not negotiated latches the device side", "[virtqueue][hostile]") {
    RingPair pair({.size = 8});
    forge_table(pair, {{pair.data_addr(), 8, 0}});
    check_latched(pair, Errc::chain_indirect);
}

TEST_CASE("an indirect table outside the memory given latches the device side", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    const auto addr = GENERATE(std::uint64_t{0}, ~std::uint64_t{0} - 15, std::uint64_t{0x7000'000f'fff8});
    pair.forge_descriptor(0, addr, 16, kI, 0);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_address);
}

TEST_CASE("a huge indirect table is walked no further than a chain may be long", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    auto* const table = descriptors_at(pair.data.host());
    for (std::uint32_t i = 0; i < 1000; ++i) table[i] = {pair.data_addr(), 0, SplitDesc::pack(kN, i + 1)};
    pair.forge_descriptor(0, pair.data_addr(), 16 * 1001, kI, 0);
    pair.forge_avail(0);
    check_latched(pair, Errc::chain_too_long);
}

TEST_CASE("an entry of an indirect table is checked like any descriptor", "[virtqueue][hostile]") {
    RingPair pair(ring_of_8());
    const std::uint64_t data = pair.data_addr();
    SECTION("next beyond the table, though inside the ring") {
        forge_table(pair, {{data, 8, SplitDesc::pack(kN, 2)}, {data, 8, 0}});
        check_latched(pair, Errc::chain_next_invalid);
    }
    SECTION("a loop") {
        forge_table(pair, {{data, 8, SplitDesc::pack(kN, 1)}, {data, 8, SplitDesc::pack(kN, 0)}});
        check_latched(pair, Errc::chain_too_long);
    }
    SECTION("readable after writable") {
        forge_table(pair, {{data, 8, SplitDesc::pack(kN | kW, 1)}, {data, 8, 0}});
        check_latched(pair, Errc::chain_order);
    }
    SECTION("outside the memory given") {
        forge_table(pair, {{data, 8, SplitDesc::pack(kN, 1)}, {0x10, 8, 0}});
        check_latched(pair, Errc::chain_address);
    }
    SECTION("readable after a writable one of the ring") {
        pair.forge_descriptor(1, data, 8, kW | kN, 0);
        forge_table(pair, {{data, 8, 0}});
        pair.ring.avail_entries()[0] = 1;
        check_latched(pair, Errc::chain_order);
    }
}

// virtio 1.2 §2.7.7.2
TEST_CASE("a driver that rewrites the event fields costs an interrupt at most", "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    RingPair pair({.size = 16, .event_index = mode});
    Random random(5);
    for (int round = 0; round < 2000; ++round) {
        *pair.ring.used_event() = static_cast<std::uint16_t>(random.next());
        pair.ring.avail()[SplitRing::kFlags] = static_cast<std::uint16_t>(random.next());
        pair.submit_and_kick(0);
        REQUIRE(pair.serve());
        static_cast<void>(pair.device.wants_notification());
        CHECK_FALSE(pair.device.wants_notification());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("random descriptors never crash the device side nor lead out of the memory given", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 16, .max_segments = 4, .indirect = IndirectTables::accepted, .order = order});
    Random random(3);
    std::size_t violations[64] = {};
    std::size_t popped = 0;
    const auto random_descriptor = [&](bool is_in_table) -> SplitDesc {
        const std::uint64_t anywhere = random.next();
        const std::uint64_t table = pair.data_addr(4096 + 16 * random.below(64));
        const std::uint64_t addr = random.one_in(40)  ? anywhere
                                   : random.one_in(3) ? table
                                                      : pair.data_addr(random.below(8000));
        const std::uint32_t len = random.one_in(60) ? static_cast<std::uint32_t>(random.next()) : 16 * random.below(5);
        std::uint32_t flags = random.below(4);
        if (random.one_in(is_in_table ? 60 : 6)) flags = kI;
        if (random.one_in(100)) flags = random.below(0x10000);
        const std::uint32_t next = random.one_in(60) ? random.below(0x10000) : random.below(is_in_table ? 4 : 16);
        return {addr, len, SplitDesc::pack(static_cast<std::uint16_t>(flags), next)};
    };
    for (int round = 0; round < 20'000; ++round) {
        for (int i = 0; i < 16; ++i) pair.ring.descriptors()[i] = random_descriptor(false);
        auto* const tables = descriptors_at(pair.data.host() + 4096);
        for (int i = 0; i < 64; ++i) tables[i] = random_descriptor(true);
        for (int i = 0; i < 16; ++i) {
            pair.ring.avail_entries()[i] =
                static_cast<std::uint16_t>(random.one_in(60) ? random.next() : random.below(16));
        }
        pair.start_device(0);
        pair.ring.avail()[SplitRing::kIndex] =
            static_cast<std::uint16_t>(random.one_in(60) ? random.next() : random.below(17));
        popped += static_cast<std::size_t>(take_forged_chains(pair, random, 16));
        ++violations[static_cast<std::size_t>(pair.device.error())];
        pair.device.publish();
    }
    CHECK(popped > 5000);
    for (const Errc why :
         {Errc::avail_index_jump, Errc::avail_head_invalid, Errc::chain_too_long, Errc::chain_next_invalid,
          Errc::chain_order, Errc::chain_address, Errc::chain_indirect, Errc::chain_empty}) {
        INFO(to_string(why));
        CHECK(violations[static_cast<std::size_t>(why)] > 0);
    }
}

TEST_CASE("random bytes all over the ring never crash the device side", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    RingPair pair({.size = 16,
                   .event_index = EventIndex::on,
                   .max_segments = 4,
                   .indirect = IndirectTables::accepted,
                   .order = order});
    Random random(4);
    for (int round = 0; round < 5000; ++round) {
        scribble(pair.ring_memory(), random, 64);
        pair.start_device(static_cast<std::uint16_t>(random.next()));
        int pops = 0;
        while (pair.pop() >= 0) {
            if (++pops > 16) FAIL("more chains than the ring has entries");
        }
        static_cast<void>(pair.device.arm());
        static_cast<void>(pair.device.wants_notification());
    }
}
