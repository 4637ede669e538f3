// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/posix/detail/registered_memory.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace vfsproto;
using posix::RegisteredMemory;

namespace {

Region region_of(std::vector<std::byte>& bytes, std::uint64_t device) {
    return {bytes.data(), DeviceAddr{device}, bytes.size()};
}
std::uint64_t place_of(const Region* region) { return static_cast<std::uint64_t>(region->device()); }

} // namespace

TEST_CASE("memory is found when all of it lies in one region", "[registered_memory]") {
    RegisteredMemory memory;
    std::vector<std::byte> a(4096);
    std::vector<std::byte> b(4096);
    CHECK(memory.find(a.data(), 1) == nullptr);
    REQUIRE(memory.add(region_of(a, 0x1000)));
    REQUIRE(memory.add(region_of(b, 0x9000)));
    const Region* found = memory.find(a.data(), a.size());
    REQUIRE(found != nullptr);
    CHECK(place_of(found) == 0x1000);
    CHECK(memory.find(a.data() + 100, 10) == found);
    CHECK(memory.find(a.data() + 4095, 1) == found);
    CHECK(memory.find(a.data() + 4095, 2) == nullptr);
    CHECK(memory.find(a.data(), 4097) == nullptr);
    CHECK(memory.find(a.data() + 1, SIZE_MAX) == nullptr);
    CHECK(place_of(memory.find(b.data() + 7, 7)) == 0x9000);
    CHECK(memory.drop(region_of(a, 0x1000)));
    CHECK(memory.find(a.data(), 1) == nullptr);
    CHECK(memory.find(b.data(), 1) != nullptr);
    CHECK_FALSE(memory.drop(region_of(a, 0x1000))); // again changes nothing
    REQUIRE(memory.add(region_of(a, 0x2000)));
    CHECK(place_of(memory.find(a.data(), 1)) == 0x2000);
}

TEST_CASE("memory goes with the last of its users, in whatever order they go", "[registered_memory]") {
    RegisteredMemory memory;
    std::vector<std::byte> bytes(4096);
    std::vector<std::byte> others(4096);
    const Region region = region_of(bytes, 0x1000);
    REQUIRE(memory.add(region_of(others, 0x9000)));
    REQUIRE(memory.add(region));
    CHECK(memory.is_owners_alone(region));
    const Region& found = *memory.find(bytes.data() + 10, 10);
    const std::uint64_t version = memory.version();
    memory.keep(found);
    memory.keep(found);
    CHECK_FALSE(memory.is_owners_alone(region));
    CHECK(memory.is_owners_alone(region_of(others, 0x9000)));
    CHECK(memory.drop_unless_last(found));
    CHECK_FALSE(memory.is_owners_alone(region));
    memory.keep(found);
    CHECK_FALSE(memory.drop(region));
    CHECK_FALSE(memory.drop(found));
    CHECK_FALSE(memory.drop_unless_last(found)); // it is the last
    CHECK(memory.find(bytes.data(), 1) == &found);
    CHECK(memory.version() == version); // what is known of it still holds
    CHECK(memory.drop(found));
    CHECK(memory.find(bytes.data(), 1) == nullptr);
    CHECK(memory.version() != version);
    REQUIRE(memory.add(region)); // with one user, as the first time
    CHECK(memory.is_owners_alone(region));
    CHECK(memory.drop(region));
}

TEST_CASE("there are places for so many regions and no more", "[registered_memory]") {
    RegisteredMemory memory;
    std::vector<std::vector<std::byte>> all(RegisteredMemory::kMost + 1, std::vector<std::byte>(64));
    for (std::size_t i = 0; i < RegisteredMemory::kMost; ++i) REQUIRE(memory.add(region_of(all[i], i * 64)));
    CHECK_FALSE(memory.add(region_of(all.back(), 0)));
    for (std::size_t i = 0; i < RegisteredMemory::kMost; ++i) {
        REQUIRE(memory.find(all[i].data(), 64) != nullptr);
        CHECK(place_of(memory.find(all[i].data(), 64)) == i * 64);
    }
    CHECK(memory.drop(region_of(all[7], 0)));
    REQUIRE(memory.add(region_of(all.back(), 0xabc0)));
    CHECK(place_of(memory.find(all.back().data(), 1)) == 0xabc0);
}

TEST_CASE("one's own memory is found, and nobody else's, while others come and go", "[registered_memory]") {
    RegisteredMemory memory;
    std::vector<std::byte> mine(4096);
    std::vector<std::byte> row(192);
    const std::byte* const never = row.data() + 64;
    REQUIRE(memory.add(region_of(mine, 0x1000)));
    std::atomic<bool> stop{false};
    std::thread others([&] {
        // Regions on both sides of memory that is never registered: a torn look would take it for part of one.
        const Region before(row.data(), DeviceAddr{0x100000}, 64);
        const Region behind(row.data() + 128, DeviceAddr{0x200000}, 64);
        while (!stop) {
            if (!memory.add(before)) std::terminate();
            if (!memory.drop(before)) std::terminate();
            if (!memory.add(behind)) std::terminate();
            if (!memory.drop(behind)) std::terminate();
        }
    });
    bool wrong = false;
    for (int i = 0; i < 100'000; ++i) {
        const Region* found = memory.find(mine.data() + 5, 100);
        wrong = wrong || found == nullptr || place_of(found) != 0x1000;
        wrong = wrong || memory.find(never, 64) != nullptr;
    }
    stop = true;
    others.join();
    CHECK_FALSE(wrong);
}
