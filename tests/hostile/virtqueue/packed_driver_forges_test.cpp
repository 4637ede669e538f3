// SPDX-License-Identifier: BSD-2-Clause
// A driver that breaks the rules, against the device side of a packed ring.
#include "hostile/virtqueue/forged.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <algorithm>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

constexpr std::uint16_t kN = packed::kNext;
constexpr std::uint16_t kW = packed::kWrite;
constexpr std::uint16_t kI = packed::kIndirect;

RingPairOptions ring_of_8(UseOrder order = UseOrder::any) {
    return {.size = 8, .max_segments = 4, .indirect = IndirectTables::accepted, .order = order};
}
void check_latched(PackedPair& pair, Errc why) {
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == why);
    // good chains in every place do not help any more
    for (int i = 0; i < 8; ++i) {
        pair.ring.descriptors()[i] = {pair.data_addr(), PackedDesc::pack(8, 7, packed::kAvail)};
    }
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == why);
    CHECK_FALSE(pair.device.arm());
    Chain any;
    any.head = 7;
    CHECK(pair.device.push(any, 0) == why);
    CHECK_FALSE(pair.device.wants_notification());
}
// Writes an indirect table into the data region, and the descriptor that names it.
void forge_table(PackedPair& pair, std::initializer_list<PackedDesc> entries) {
    auto* const table = packed_descriptors_at(pair.data.host() + 4096);
    std::size_t i = 0;
    for (const PackedDesc& entry : entries) table[i++] = entry;
    pair.forge_avail(pair.data_addr(4096), static_cast<std::uint32_t>(16 * entries.size()), 0, kI);
}

} // namespace

TEST_CASE("an id outside the packed ring latches the device side", "[virtqueue][hostile]") {
    const auto id = GENERATE(8u, 9u, 0x7fffu, 0x8000u, 0xffffu);
    const auto flags = GENERATE(std::uint16_t{0}, kW);
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    pair.forge_avail(pair.data_addr(), 8, id, flags);
    check_latched(pair, Errc::avail_head_invalid);
}

TEST_CASE("an id that is out already latches the device side", "[virtqueue][hostile]") {
    const auto second = GENERATE(std::uint16_t{0}, kW, kN);
    PackedPair pair(ring_of_8());
    pair.forge_avail(pair.data_addr(), 8, 3, kW);
    REQUIRE(pair.pop() == 3);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    CHECK(pair.device.wants_notification());
    pair.forge_avail(pair.data_addr(), 8, 3, kW); // after its completion it is fine
    REQUIRE(pair.pop() == 3);
    if (second == kN) pair.forge_avail(pair.data_addr(), 8, 1, kN);
    pair.forge_avail(pair.data_addr(), 8, 3, second == kN ? kW : second);
    check_latched(pair, Errc::avail_head_invalid);
}

TEST_CASE("more chains than the packed ring has descriptors latch the device side", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair(ring_of_8(order));
    for (std::uint16_t i = 0; i < 8; ++i) pair.forge_avail(pair.data_addr(), 8, i, kW);
    for (std::uint16_t i = 0; i < 8; ++i) CHECK(pair.pop() == i); // a full ring is fine
    CHECK(pair.device.error() == Errc::ok);
    pair.forge_avail(pair.data_addr(), 8, 5, kW);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == (order == UseOrder::any ? Errc::avail_head_invalid : Errc::avail_index_jump));
}

TEST_CASE("with IN_ORDER chains of more descriptors than the packed ring has lead the device side nowhere but into it",
          "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8(UseOrder::in_order));
    const std::vector<std::byte> beyond(pair.tables().bytes().begin(), pair.tables().bytes().end());
    std::vector<std::vector<HostSegment>> storage;
    std::vector<Chain> chains;
    for (int round = 0; round < 12; ++round) { // each overlaps the one before the last
        for (int i = 0; i < 4; ++i) pair.forge_avail(pair.data_addr(), 8, 1, kW | kN);
        pair.forge_avail(pair.data_addr(), 8, 1, kW);
        storage.emplace_back(8);
        Chain chain{.storage = storage.back()};
        if (!pair.device.pop(chain)) break;
        chains.push_back(chain);
    }
    CHECK(chains.size() == 8); // then one begins where one that is out began
    CHECK(pair.device.error() == Errc::avail_index_jump);
    pair.start_device();
    for (int round = 0; round < 3; ++round) {
        pair.avail_place = pair.device.next_avail();
        chains.clear();
        for (int number = 0; number < 5; ++number) {
            for (int i = 0; i < 4; ++i) pair.forge_avail(pair.data_addr(), 8, 1, kW | kN);
            pair.forge_avail(pair.data_addr(), 8, 1, kW);
            Chain chain{.storage = storage[static_cast<std::size_t>(number)]};
            REQUIRE(pair.device.pop(chain));
            chains.push_back(chain);
        }
        for (const Chain& chain : chains) REQUIRE(pair.device.push(chain, 0) == Errc::ok);
        static_cast<void>(pair.device.wants_notification());
        CHECK((pair.device.next_used() & ~packed::kWrap) < 8);
        CHECK(pair.device.outstanding() == 0);
    }
    CHECK(std::equal(beyond.begin(), beyond.end(), pair.tables().bytes().begin()));
}

TEST_CASE("a packed chain that was out before the violation cannot be pushed after it", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    pair.forge_avail(pair.data_addr(), 8, 0, kW);
    REQUIRE(pair.pop() == 0);
    const Chain out = pair.chain;
    pair.forge_avail(pair.data_addr(), 8, 99, kW);
    CHECK(pair.pop() == -1);
    const std::uint64_t word = pair.ring.descriptors()[0].word.value();
    CHECK(pair.device.push(out, 0) == Errc::avail_head_invalid);
    CHECK_FALSE(pair.device.wants_notification());
    CHECK(pair.ring.descriptors()[0].word.value() == word);
}

TEST_CASE("a packed chain that goes round the ring latches the device side", "[virtqueue][hostile]") {
    const auto len = GENERATE(8u, 0u); // also where its descriptors are empty and fill no segment
    PackedPair pair(ring_of_8());
    for (std::uint16_t i = 0; i < 8; ++i) pair.forge_avail(pair.data_addr(), len, 0, kN);
    check_latched(pair, Errc::chain_too_long);
}

// virtio 1.2 §2.8.2
TEST_CASE("a packed chain as long as the ring is fine", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    for (std::uint16_t i = 0; i < 7; ++i) pair.forge_avail(pair.data_addr(), 8, 0, kN);
    pair.forge_avail(pair.data_addr(), 8, 1, kW);
    REQUIRE(pair.pop() == 1);
    CHECK(pair.chain.descriptors == 8);
    CHECK(pair.pop() == -1);
    CHECK(pair.device.error() == Errc::ok);
    CHECK(pair.device.next_avail() == 0);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
    pair.device.publish();
    CHECK(pair.device.next_used() == 0);
}

TEST_CASE("a packed chain of more segments than there is room for latches the device side", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    const auto room = GENERATE(0u, 3u);
    pair.chain.storage = std::span(pair.storage).first(room);
    for (std::uint16_t i = 0; i < 4; ++i) {
        pair.forge_avail(pair.data_addr(), 8, 0, i < 3 && room != 0 ? static_cast<std::uint16_t>(kW | kN) : kW);
    }
    check_latched(pair, Errc::chain_too_long);
}

TEST_CASE("a readable packed descriptor after a writable one latches the device side", "[virtqueue][hostile]") {
    const auto len = GENERATE(8u, 0u);
    PackedPair pair(ring_of_8());
    pair.forge_avail(pair.data_addr(), 8, 0, kW | kN);
    pair.forge_avail(pair.data_addr(), len, 0, 0);
    check_latched(pair, Errc::chain_order);
}

TEST_CASE("a packed descriptor outside the memory given latches the device side", "[virtqueue][hostile]") {
    const std::uint64_t start = to_number(PackedPair::kDataAddr);
    const std::uint64_t end = start + PackedPair::kDataBytes;
    struct Row {
        std::uint64_t addr;
        std::uint32_t len;
    };
    const auto flags = GENERATE(std::uint16_t{0}, kW);
    const auto is_second = GENERATE(false, true);
    for (const Row row : {Row{0, 8}, Row{start - 1, 8}, Row{end, 1}, Row{end - 7, 8}, Row{start, 0x200000},
                          Row{start, 0xffffffff}, Row{~std::uint64_t{0}, 1}, Row{~std::uint64_t{0} - 3, 8},
                          Row{~std::uint64_t{0} - 3, 4}, Row{to_number(PackedPair::kRingAddr) - 4, 8}}) {
        PackedPair pair(ring_of_8());
        pair.forge_avail(start, 8, 1, kW);
        REQUIRE(pair.pop() == 1); // something of the region was hit before
        if (is_second) pair.forge_avail(start, 8, 2, kN);
        pair.forge_avail(row.addr, row.len, 2, flags);
        CHECK(pair.pop() == -1);
        CHECK(pair.device.error() == Errc::chain_address);
    }
    PackedPair pair(ring_of_8());
    pair.forge_avail(end - 8, 8, 1, flags); // the very end is inside
    CHECK(pair.pop() == 1);
}

TEST_CASE("a packed chain without any byte latches the device side", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    if (GENERATE(false, true)) pair.forge_avail(pair.data_addr(), 0, 0, kN);
    pair.forge_avail(pair.data_addr(), 0, 0, kW);
    check_latched(pair, Errc::chain_empty);
}

TEST_CASE("a packed indirect table without any byte latches the device side", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    forge_table(pair, {{pair.data_addr(), PackedDesc::pack(0, 0, kW)}});
    check_latched(pair, Errc::chain_empty);
}

TEST_CASE("a malformed packed indirect table latches the device side", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    const std::uint64_t table = pair.data_addr(4096);
    SECTION("its length is zero") { pair.forge_avail(table, 0, 0, kI); }
    SECTION("its length is no multiple of 16") { pair.forge_avail(table, 24, 0, kI); }
    SECTION("it is followed by another descriptor") {
        pair.forge_avail(table, 16, 0, kI | kN);
        pair.forge_avail(pair.data_addr(), 8, 0, 0);
    }
    SECTION("it follows another descriptor") {
        pair.forge_avail(pair.data_addr(), 8, 0, kN);
        pair.forge_avail(table, 16, 0, kI);
    }
    check_latched(pair, Errc::chain_indirect);
}

TEST_CASE("a packed indirect table that was not negotiated latches the device side", "[virtqueue][hostile]") {
    PackedPair pair({.size = 8});
    forge_table(pair, {{pair.data_addr(), 8}});
    check_latched(pair, Errc::chain_indirect);
}

TEST_CASE("a packed indirect table outside the memory given latches the device side", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    pair.forge_avail(GENERATE(std::uint64_t{0}, ~std::uint64_t{0} - 15, std::uint64_t{0x7000'000f'fff8}), 16, 0, kI);
    check_latched(pair, Errc::chain_address);
}

TEST_CASE("a huge packed indirect table is not walked", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    pair.forge_avail(pair.data_addr(), GENERATE(16u * 9, 16u * 60'000, 0xfffffff0u), 0, kI);
    check_latched(pair, Errc::chain_too_long);
}

TEST_CASE("an entry of a packed indirect table is checked like any descriptor", "[virtqueue][hostile]") {
    PackedPair pair(ring_of_8());
    const std::uint64_t data = pair.data_addr();
    SECTION("readable after writable") {
        forge_table(pair, {{data, PackedDesc::pack(8, 0, kW)}, {data, 8}});
        check_latched(pair, Errc::chain_order);
    }
    SECTION("outside the memory given") {
        forge_table(pair, {{data, 8}, {0x10, 8}});
        check_latched(pair, Errc::chain_address);
    }
    SECTION("more than there is room for") {
        pair.chain.storage = std::span(pair.storage).first(1);
        forge_table(pair, {{data, 8}, {data, 8}});
        check_latched(pair, Errc::chain_too_long);
    }
}

TEST_CASE("a driver that rewrites its packed event area costs an interrupt at most", "[virtqueue][hostile]") {
    const auto mode = GENERATE(EventIndex::off, EventIndex::on);
    PackedPair pair({.size = 15, .event_index = mode});
    Random random(5);
    for (int round = 0; round < 2000; ++round) {
        *pair.ring.driver_event() = static_cast<std::uint32_t>(random.next());
        pair.submit_and_kick(0);
        REQUIRE(pair.serve());
        static_cast<void>(pair.device.wants_notification());
        CHECK_FALSE(pair.device.wants_notification());
        REQUIRE(pair.poll() == 1);
    }
    CHECK(pair.device.error() == Errc::ok);
}

TEST_CASE("random packed descriptors never crash the device side nor lead out of the memory given",
          "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    PackedPair pair(
        {.size = 16, .max_segments = 4, .indirect = IndirectTables::accepted, .ordering = ordering, .order = order});
    Random random(3);
    std::size_t violations[64] = {};
    std::size_t popped = 0;
    const auto random_descriptor = [&]() -> PackedDesc {
        const std::uint64_t anywhere = random.next();
        const std::uint64_t table = pair.data_addr(4096 + 16 * random.below(64));
        const std::uint64_t addr = random.one_in(40)  ? anywhere
                                   : random.one_in(3) ? table
                                                      : pair.data_addr(random.below(8000));
        const std::uint32_t len = random.one_in(60) ? static_cast<std::uint32_t>(random.next()) : 16 * random.below(5);
        std::uint32_t flags = random.below(4);
        if (random.one_in(6)) flags = kI;
        if (random.one_in(100)) flags = random.below(0x10000);
        flags = (flags & ~std::uint32_t{packed::kBoth}) | (random.one_in(20) ? packed::kUsed : packed::kAvail);
        const std::uint32_t id = random.one_in(60) ? random.below(0x10000) : random.below(16);
        return {addr, PackedDesc::pack(len, id, flags)};
    };
    for (int round = 0; round < 8000; ++round) {
        for (int i = 0; i < 16; ++i) pair.ring.descriptors()[i] = random_descriptor();
        auto* const tables = packed_descriptors_at(pair.data.host() + 4096);
        for (int i = 0; i < 64; ++i) tables[i] = random_descriptor();
        pair.start_device();
        popped += static_cast<std::size_t>(take_forged_chains(pair, random, 16));
        ++violations[static_cast<std::size_t>(pair.device.error())];
        pair.device.publish();
    }
    CHECK(popped > 5000);
    for (const Errc why : {Errc::avail_head_invalid, Errc::chain_too_long, Errc::chain_order, Errc::chain_address,
                           Errc::chain_indirect, Errc::chain_empty}) {
        INFO(to_string(why));
        CHECK(violations[static_cast<std::size_t>(why)] > 0);
    }
}

TEST_CASE("random bytes all over a packed ring never crash the device side", "[virtqueue][hostile]") {
    const auto order = GENERATE(UseOrder::any, UseOrder::in_order);
    PackedPair pair({.size = 13,
                     .event_index = EventIndex::on,
                     .max_segments = 4,
                     .indirect = IndirectTables::accepted,
                     .order = order});
    Random random(4);
    for (int round = 0; round < 5000; ++round) {
        scribble(pair.ring_memory(), random, 64);
        PackedDeviceOptions options = pair.device_options();
        options.start_avail = static_cast<std::uint16_t>(random.below(13) | random.below(2) << 15);
        options.start_used = static_cast<std::uint16_t>(random.below(13) | random.below(2) << 15);
        REQUIRE(pair.device.init(pair.ring, pair.table, pair.heads, options) == Errc::ok);
        int pops = 0;
        while (pair.pop() >= 0) {
            if (++pops > 13) FAIL("more chains than the ring has descriptors");
            if (random.one_in(3))
                static_cast<void>(pair.device.push(pair.chain, static_cast<std::uint32_t>(random.next())));
            if (random.one_in(3)) pair.device.publish();
        }
        static_cast<void>(pair.device.arm());
        static_cast<void>(pair.device.wants_notification());
    }
}
