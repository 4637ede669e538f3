// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/opened.hpp"

#include <random>

using namespace vfsproto;
using namespace vfsproto::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kHuge = ScriptedKernel::kHuge;

void without_platform_addresses(ScriptedKernel& kernel, std::vector<std::uint64_t> frames) {
    kernel.model.offered.remove(Feature::access_platform);
    kernel.frames = std::move(frames);
}

std::vector<std::uint64_t> frames_from(std::uint64_t first, std::size_t count, std::uint64_t step = 1) {
    std::vector<std::uint64_t> frames;
    for (std::size_t i = 0; i < count; ++i) frames.push_back((first + i * step) * kHuge);
    return frames;
}

// Checks that the device will find each byte of the piece. The tests write each page's physical address into it.
void check_place(const ScriptedKernel& kernel, const Region& piece) {
    for (const auto& [iova, mapping] : kernel.mapped) {
        if (to_number(piece.device()) < iova || to_number(piece.device()) >= iova + mapping.second) continue;
        CHECK(to_number(piece.device()) + piece.size() <= iova + mapping.second);
        CHECK(mapping.first + (to_number(piece.device()) - iova) == piece.host());
        return;
    }
    FAIL("the device cannot reach it");
}

} // namespace

// virtio 1.2 §6.1
TEST_CASE("pages in any order become runs in the order of their physical addresses", "[vfio]") {
    std::vector<std::uint64_t> frames = frames_from(1000, 16);
    std::mt19937 random(3);
    std::shuffle(frames.begin(), frames.end(), random);
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames);
    const auto device = open_scripted(kernel);
    const auto large = device->allocate(std::size_t{3} << 20); // more than one page of 2 MiB
    REQUIRE(large);
    check_place(kernel, *large);
    for (unsigned i = 0; i < 40; ++i) {
        const auto piece = device->allocate(12'288);
        REQUIRE(piece);
        check_place(kernel, *piece);
    }
}

TEST_CASE("pages that have no neighbours are given back, and more are looked at", "[vfio]") {
    ScriptedKernel kernel;
    // Runs of 4 MiB are wanted: the first two pages are none, of the next four two are.
    without_platform_addresses(kernel, {7 * kHuge, 3 * kHuge, 9 * kHuge, 4 * kHuge, 8 * kHuge, 5 * kHuge});
    const auto device = open_scripted(kernel);
    REQUIRE(kernel.mapped.size() == 2);
    CHECK(kernel.mapped.at(4 * kHuge).second == 2 * kHuge);
    CHECK(kernel.mapped.at(8 * kHuge).second == 2 * kHuge);
}

TEST_CASE("too few huge pages, and what to do about it", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, {});
    CHECK_THAT(refusal(kernel), Contains("nr_hugepages") && Contains("physical addresses"));
}

TEST_CASE("huge pages that are scattered are no run", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames_from(1000, 40, 2));
    CHECK_THAT(refusal(kernel), Contains("needs 4 MiB") && Contains("2 MiB were found"));
    CHECK(kernel.leaks() == "");
}

TEST_CASE("a kernel that does not tell where pages are is not guessed at", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames_from(1000, 16));
    kernel.tells_frames = false;
    CHECK_THAT(refusal(kernel), Contains("pagemap") && Contains("root"));
    CHECK(kernel.leaks() == "");
}

TEST_CASE("pages that move while they are pinned are not used", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames_from(1000, 16));
    kernel.frames_move = true;
    CHECK_THAT(refusal(kernel), Contains("moved"));
    CHECK(kernel.leaks() == "");
}

TEST_CASE("pages in a window the IOMMU keeps for itself are not used", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames_from(0xfee00000 / kHuge, 2));
    CHECK_THAT(refusal(kernel), Contains("keeps for itself"));
    CHECK(kernel.leaks() == "");
}

TEST_CASE("more huge pages are taken when the first are used up, and no more than there are", "[vfio]") {
    ScriptedKernel kernel;
    without_platform_addresses(kernel, frames_from(1000, 8));
    const auto device = open_scripted(kernel);
    std::vector<Region> pieces;
    for (;;) {
        const auto piece = device->allocate(kHuge);
        if (!piece) break;
        check_place(kernel, *piece);
        pieces.push_back(*piece);
    }
    CHECK(pieces.size() == 8);
    for (const Region& piece : pieces) device->release(piece);
    CHECK(kernel.mapped.size() == 1);
}
