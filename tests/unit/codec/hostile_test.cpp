// SPDX-License-Identifier: BSD-2-Clause
// Bytes that no honest peer sends, and the inputs of the fuzz targets `server`, `lane` and `notification` as tests. With
// VFSPROTO_CORPUS=FOLDER honest messages are written there as inputs, a folder for each target.
#include "../../../fuzz/lane_input.hpp"
#include "../../../fuzz/notification_input.hpp"
#include "../../../fuzz/server_input.hpp"

#include "honest.hpp"
#include "support/catch.hpp"
#include "told_server.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Target {
    const char* name;
    const char* (*broken_rule)(std::span<const std::byte>);
    std::vector<Bytes> (*honest)();
};
const Target kTargets[] = {
    {"server", fuzz::broken_server_rule,
     [] {
         std::vector<Bytes> inputs;
         for (const Bytes& request : honest_requests()) inputs.push_back(server_input(request));
         return inputs;
     }},
    {"lane", fuzz::broken_lane_rule, honest_replies},
    {"notification", fuzz::broken_notification_rule, honest_notifications},
};

std::string said(const char* problem) { return problem == nullptr ? "" : problem; }

Bytes contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

void write(const std::filesystem::path& folder, std::size_t number, const Bytes& bytes) {
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / ("honest_" + std::to_string(number)), std::ios::binary);
    for (const std::byte byte : bytes) file.put(static_cast<char>(byte));
}

} // namespace

TEST_CASE("every input kept for the fuzz targets of the codec holds", "[codec][fuzz]") {
    for (const Target& target : kTargets) {
        std::size_t inputs = 0;
        const auto folder = std::filesystem::path(VFSPROTO_SOURCE_DIR) / "fuzz" / "corpus" / target.name;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            INFO(entry.path().string());
            REQUIRE(said(target.broken_rule(contents(entry.path()))) == "");
            ++inputs;
        }
        CHECK(inputs >= 10);
    }
}

TEST_CASE("honest messages hold, and random damage to them holds as well", "[codec][fuzz]") {
    constexpr int kRounds = 10'000;
    const char* const corpus = std::getenv("VFSPROTO_CORPUS");
    std::mt19937 random(2024);
    for (const Target& target : kTargets) {
        const std::vector<Bytes> honest = target.honest();
        for (std::size_t i = 0; i < honest.size(); ++i) {
            INFO(target.name << " input " << i);
            CHECK(said(target.broken_rule(honest[i])) == "");
            if (corpus != nullptr) write(std::filesystem::path(corpus) / target.name, i, honest[i]);
        }
        for (int round = 0; round < kRounds; ++round) {
            Bytes input = honest[random() % honest.size()];
            for (unsigned hits = 1 + random() % 4; hits > 0; --hits) {
                const std::size_t at = random() % input.size();
                const bool any = random() % 2 == 0;
                input[at] = any ? static_cast<std::byte>(random()) : static_cast<std::byte>(0xff * (random() % 2));
            }
            if (random() % 4 == 0) input.resize(random() % (input.size() + 1));
            INFO(target.name << " round " << round);
            REQUIRE(said(target.broken_rule(input)) == "");
        }
    }
}

TEST_CASE("a request cut off anywhere never reaches the file system", "[codec]") {
    constexpr std::size_t kRoom = 1 << 13;
    for (const Bytes& honest : honest_requests()) {
        ToldServer server;
        const auto header = wire::get_struct<wire::InHeader>(honest.data());
        INFO(wire::find_op(header.opcode)->name);
        for (std::size_t length = 1; length < honest.size(); ++length) {
            Bytes cut(honest.begin(), honest.begin() + static_cast<std::ptrdiff_t>(length));
            static_cast<void>(server.serve(cut, kRoom));
            // The cut message is sent once more with a length that agrees.
            if (length >= sizeof(header)) wire::put_struct(cut.data(), static_cast<std::uint32_t>(length));
            if (header.opcode != static_cast<std::uint32_t>(wire::Opcode::init)) {
                static_cast<void>(server.serve(cut, kRoom));
            }
            if (server.fs.asked != 0) FAIL("length " << length);
        }
    }
}
