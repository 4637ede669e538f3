// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/opened.hpp"

#include <cstring>
#include <random>

using namespace vfsproto;
using namespace vfsproto::test;
using backends::vfio_pci::AddressRange;
using backends::vfio_pci::FreeRanges;
using backends::vfio_pci::IovaSpace;

namespace {

bool lies_in(const std::vector<AddressRange>& usable, std::uint64_t start, std::uint64_t size) {
    return std::any_of(usable.begin(), usable.end(), [&](const AddressRange& range) {
        return start >= range.start && start + (size - 1) <= range.last;
    });
}

// Keeps the ranges taken so far and refuses an overlap.
class Taken {
public:
    void add(std::uint64_t start, std::uint64_t size) {
        const auto next = pieces_.lower_bound(start);
        if (next != pieces_.end()) REQUIRE(start + size <= next->first);
        if (next != pieces_.begin()) {
            const auto& [before, length] = *std::prev(next);
            REQUIRE(before + length <= start);
        }
        pieces_[start] = size;
    }
    std::pair<std::uint64_t, std::uint64_t> remove(std::size_t which) {
        const auto at = std::next(pieces_.begin(), static_cast<std::ptrdiff_t>(which % pieces_.size()));
        const auto piece = *at;
        pieces_.erase(at);
        return piece;
    }
    [[nodiscard]] bool empty() const { return pieces_.empty(); }

private:
    std::map<std::uint64_t, std::uint64_t> pieces_;
};

} // namespace

TEST_CASE("device addresses never lie in a reserved window, overlap or lose their alignment", "[vfio]") {
    const std::vector<AddressRange> usable{
        {0, 0xfedfffff}, {0xfef00000, 0x1'0000'0fff}, {0x2'0000'0000, 0x7f'ffff'ffff}};
    std::mt19937_64 random(7);
    IovaSpace space(usable);
    Taken taken;
    for (unsigned i = 0; i < 3000; ++i) {
        if (random() % 3 != 0 || taken.empty()) {
            const std::uint64_t size = (random() % 20'000 + 1) * 4096;
            const std::uint64_t alignment = std::uint64_t{4096} << random() % 12;
            const auto start = space.take(size, alignment);
            REQUIRE(start);
            REQUIRE(*start % alignment == 0);
            REQUIRE(*start >= IovaSpace::kFirst);
            REQUIRE(lies_in(usable, *start, size + IovaSpace::kGap));
            taken.add(*start, size + IovaSpace::kGap);
        } else {
            const auto [start, size] = taken.remove(random());
            space.give_back(start, size - IovaSpace::kGap);
        }
    }
}

TEST_CASE("addresses run out, and come back", "[vfio]") {
    IovaSpace space({{0, (std::uint64_t{64} << 20) - 1}});
    std::vector<std::uint64_t> starts;
    while (const auto start = space.take(std::uint64_t{2} << 20, 4096)) starts.push_back(*start);
    CHECK(starts.size() == 15);
    for (const std::uint64_t start : starts) space.give_back(start, std::uint64_t{2} << 20);
    CHECK(space.take(std::uint64_t{60} << 20, 4096));
}

TEST_CASE("ranges up to the last address, overlapping and empty ones do no harm", "[vfio]") {
    constexpr std::uint64_t kLast = ~std::uint64_t{0};
    IovaSpace space({{5, 4}, {0, 0x200000}, {0x100000, 0x8fffff}, {kLast - 0x7fffff, kLast}});
    CHECK(space.take(0x400000, 4096));
    CHECK(space.take(0x400000, 0x200000).value_or(0) == kLast - 0x7fffff);
    CHECK_FALSE(space.take(0x400000, 0x200000));
    CHECK_FALSE(IovaSpace({}).take(1, 1));
}

TEST_CASE("free ranges merge with their neighbours", "[vfio]") {
    FreeRanges ranges;
    ranges.add(0, 100);
    CHECK(ranges.take_at(40, 20));
    CHECK_FALSE(ranges.take_at(50, 20));
    CHECK(ranges.largest() == 40);
    ranges.add(40, 20);
    CHECK(ranges.largest() == 100);
    CHECK_FALSE(ranges.take(101, 1));
    CHECK(ranges.take(60, 64).value_or(1) == 0);
    CHECK_FALSE(ranges.take(37, 64));
    CHECK(ranges.take(36, 64).value_or(0) == 64);
}

TEST_CASE("memory is mapped in runs, handed out in pages, and zeroed when it comes back", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    REQUIRE(kernel.mapped.size() == 1);
    const auto first = device->allocate(1);
    const auto second = device->allocate(8192);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->size() == 4096);
    CHECK(kernel.mapped.size() == 1);
    const auto& [iova, run] = *kernel.mapped.begin();
    for (const Region& piece : {*first, *second}) {
        const std::uint64_t offset = to_number(piece.device()) - iova;
        CHECK(offset + piece.size() <= run.second);
        CHECK(run.first + offset == piece.host());
    }
    std::memset(second->host(), 7, second->size());
    device->release(*second);
    const auto again = device->allocate(8192);
    REQUIRE(again);
    CHECK(again->host() == second->host());
    CHECK(std::all_of(again->host(), again->host() + 8192, [](std::byte byte) { return byte == std::byte{0}; }));
    CHECK(device->allocate(0).error() == Errc::bad_argument);
}

TEST_CASE("what does not fit gets a run of its own, which goes when it is given back", "[vfio]") {
    ScriptedKernel kernel;
    const auto device = open_scripted(kernel);
    const auto small = device->allocate(4096);
    const auto large = device->allocate(std::size_t{9} << 20);
    REQUIRE(small);
    REQUIRE(large);
    CHECK(kernel.mapped.size() == 2);
    device->release(*large);
    CHECK(kernel.mapped.size() == 1);
    device->release(*large); // not ours any more
    CHECK(kernel.mapped.size() == 1);
}

TEST_CASE("no run is mapped that the IOMMU has no room for", "[vfio]") {
    ScriptedKernel kernel;
    kernel.mappings_left = 2;
    const auto device = open_scripted(kernel);
    CHECK(device->allocate(std::size_t{9} << 20));
    CHECK(device->allocate(std::size_t{9} << 20).error() == Errc::no_memory);
    CHECK(device->allocate(4096));
}

TEST_CASE("a reserved window that the kernel does not tell of is not hit either", "[vfio]") {
    ScriptedKernel kernel;
    kernel.tells_ranges = false;
    const auto device = open_scripted(kernel);
    CHECK(kernel.mapped.begin()->first >= std::uint64_t{1} << 32);
}

TEST_CASE("a program's own pages are reachable from map() to unmap()", "[vfio]") {
    ScriptedKernel kernel;
    alignas(4096) static std::byte own[3 * 4096];
    {
        const auto device = open_scripted(kernel);
        const auto region = device->map(own);
        REQUIRE(region);
        CHECK(region->host() == own);
        CHECK(kernel.mapped.at(to_number(region->device())).second == sizeof own);
        CHECK(device->map({own + 1, 4096}).error() == Errc::bad_argument);
        CHECK(device->map({own, 100}).error() == Errc::bad_argument);
        CHECK(device->map({}).error() == Errc::bad_argument);
        device->unmap(*region);
        CHECK(kernel.mapped.count(to_number(region->device())) == 0);
        device->unmap(*region);
        kernel.map_answer = -EFAULT;
        CHECK(device->map(own).error() == Errc::no_memory);
        kernel.map_answer = 0;
        CHECK(device->map(own)); // and stays until the end
    }
    CHECK(kernel.leaks() == "");
}
