// SPDX-License-Identifier: BSD-2-Clause
// The inputs of the rings' fuzz targets, as tests. With VFSPROTO_CORPUS=FOLDER the sessions that follow the rules are
// written there, a folder for each target.
#include "support/interleave.hpp"

#include "../../../fuzz/ring_seeds.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace vfsproto;
using namespace vfsproto::fuzz;

namespace {

struct Named {
    const char* name;
    RingTarget target;
};
constexpr Named kTargets[] = {{"split_driver", RingTarget::split_driver},
                              {"packed_driver", RingTarget::packed_driver},
                              {"split_device", RingTarget::split_device},
                              {"packed_device", RingTarget::packed_device}};

std::string said(const char* problem) { return problem == nullptr ? "" : problem; }

std::vector<char> contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::filesystem::path& folder, std::uint64_t number, std::span<const std::byte> bytes) {
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / ("session_" + std::to_string(number)), std::ios::binary);
    for (const std::byte byte : bytes) file.put(static_cast<char>(byte));
}

} // namespace

TEST_CASE("every input kept for the fuzz targets of the rings holds", "[virtqueue][fuzz]") {
    for (const Named& each : kTargets) {
        std::size_t inputs = 0;
        const auto folder = std::filesystem::path(VFSPROTO_SOURCE_DIR) / "fuzz" / "corpus" / each.name;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            const std::vector<char> bytes = contents(entry.path());
            INFO(entry.path().string());
            REQUIRE(said(broken_rule(each.target, std::as_bytes(std::span(bytes)))) == "");
            ++inputs;
        }
        CHECK(inputs >= 10);
    }
}

TEST_CASE("scripted sessions that follow the rules complete every chain, with both sides at each other's accesses",
          "[virtqueue][fuzz]") {
    const char* const corpus = std::getenv("VFSPROTO_CORPUS");
    std::size_t completions = 0;
    for (std::uint64_t number = 0; number < kSeeds; ++number) {
        const std::vector<std::byte> bytes = ring_seed(number);
        INFO("session " << number);
        RingSession<SplitAreas> split(bytes, Side::device);
        REQUIRE(said(split.run()) == "");
        CHECK(split.is_honest());
        RingSession<PackedAreas> packed(bytes, Side::device);
        REQUIRE(said(packed.run()) == "");
        CHECK(packed.is_honest());
        completions += split.completions() + packed.completions();
        for (const Named& each : kTargets) {
            if (corpus != nullptr) write(std::filesystem::path(corpus) / each.name, number, bytes);
        }
    }
    CHECK(completions > 1'500); // the sessions do something
}
