// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/base/region.hpp"

#include <limits>
#include <vector>

using namespace vfsproto;

TEST_CASE("a region contains exactly its own bytes", "[base]") {
    std::vector<std::byte> memory(4096);
    const Region region(memory.data(), DeviceAddr{0x10000}, memory.size());
    CHECK(region.contains(DeviceAddr{0x10000}, 4096));
    CHECK(region.contains(DeviceAddr{0x11000}, 0));
    CHECK_FALSE(region.contains(DeviceAddr{0x10000}, 4097));
    CHECK_FALSE(region.contains(DeviceAddr{0xffff}, 1));
    CHECK_FALSE(region.contains(DeviceAddr{0x10001}, std::numeric_limits<std::uint64_t>::max()));
    CHECK(region.at(DeviceAddr{0x10010}, 16) == memory.data() + 16);
    CHECK(to_number(region.segment(memory.data() + 64, 8).addr) == 0x10040);
}

TEST_CASE("a region table refuses overlaps, empty regions and wrap-around", "[base]") {
    std::vector<std::byte> memory(8192);
    RegionTable table;
    REQUIRE(table.add({memory.data(), DeviceAddr{0x1000}, 4096}) == Errc::ok);
    CHECK(table.add({memory.data(), DeviceAddr{0x1fff}, 4096}) == Errc::bad_argument);
    CHECK(table.add({memory.data(), DeviceAddr{0x9000}, 0}) == Errc::bad_argument);
    CHECK(table.add({memory.data(), DeviceAddr{~std::uint64_t{0} - 10}, 4096}) == Errc::bad_argument);
    CHECK(table.add({memory.data() + 4096, DeviceAddr{0x2000}, 4096}) == Errc::ok);
    CHECK(table.translate(DeviceAddr{0x1ffc}, 8) == nullptr); // crosses into the neighbour: not one region
    CHECK(table.translate(DeviceAddr{0x2000}, 4096) == memory.data() + 4096);
    CHECK(table.translate(DeviceAddr{0x1000}, 1) == memory.data());
    CHECK(table.remove(DeviceAddr{0x1000}));
    CHECK_FALSE(table.remove(DeviceAddr{0x1000}));
    CHECK(table.translate(DeviceAddr{0x1000}, 1) == nullptr);
}

TEST_CASE("a region table holds as many regions as configured and no more", "[base]") {
    std::vector<std::byte> memory(16);
    RegionTable table;
    for (std::size_t i = 0; i < config::kMaxRegions; ++i) {
        REQUIRE(table.add({memory.data(), DeviceAddr{i * 0x1000}, 16}) == Errc::ok);
    }
    CHECK(table.add({memory.data(), DeviceAddr{0x1000000}, 16}) == Errc::no_memory);
}
