// SPDX-License-Identifier: BSD-2-Clause
#include "../../../src/backends/memfs/content.hpp"

#include "support/catch.hpp"

#include <random>
#include <vector>

using vfsproto::backends::Content;
using vfsproto::backends::Space;
using Bytes = std::vector<std::byte>;

namespace {

Bytes all_of(const Content& content) {
    Bytes bytes(content.size());
    REQUIRE(content.read(0, bytes.data(), bytes.size()));
    return bytes;
}

void put(Bytes& model, std::size_t from, std::size_t to, std::byte value, bool grow) {
    if (grow && model.size() < to) model.resize(to);
    for (std::size_t i = from; i < to && i < model.size(); ++i) model[i] = value;
}

enum class Moves { none, between_heap_and_memfd };

// Does `steps` random things to a file and to an array, which have to stay alike.
void check_random_changes(unsigned seed, int steps, Moves moves) {
    constexpr int kStepsBetweenReads = 16;
    std::mt19937 random(seed);
    Space space{1 << 20, 0};
    Content content(space);
    Bytes model;
    for (int step = 0; step < steps; ++step) {
        const std::size_t from = random() % 40000;
        const std::size_t size = 1 + random() % (random() % 2 == 0 ? 100 : 12000);
        switch (random() % (moves == Moves::none ? 5 : 7)) {
        case 0:
        case 1: {
            const auto value = static_cast<std::byte>(1 + random() % 255);
            const Bytes data(size, value);
            REQUIRE(content.write(from, data.data(), size) == size);
            put(model, from, from + size, value, true);
            break;
        }
        case 2:
            REQUIRE(content.punch(from, from + size));
            put(model, from, from + size, std::byte{0}, false);
            break;
        case 3: REQUIRE(content.reserve(from, from + size)); break;
        case 4:
            REQUIRE(content.resize(from));
            model.resize(from);
            break;
        case 5: REQUIRE(content.move_to_file() == 0); break;
        case 6: REQUIRE((!content.is_in_file() || content.move_to_heap())); break;
        }
        REQUIRE(content.size() == model.size());
        REQUIRE(space.used == content.blocks());
        if (step % kStepsBetweenReads == 0) REQUIRE(all_of(content) == model);
    }
}

} // namespace

TEST_CASE("a sparse file reads like a plain array under random changes") {
    check_random_changes(11, 4000, Moves::none);
}

TEST_CASE("a file that moves between the heap and a memfd reads like a plain array under random changes") {
    check_random_changes(12, 2000, Moves::between_heap_and_memfd);
}

TEST_CASE("what moves to a memfd and back has the holes it had") {
    Space space{1 << 20, 0};
    Content content(space);
    const Bytes data(10, std::byte{1});
    content.write(3 * 4096 + 5, data.data(), data.size());
    REQUIRE(content.resize(20 * 4096));
    REQUIRE(content.reserve(5 * 4096, 7 * 4096));
    REQUIRE(content.move_to_file() == 0);
    CHECK(content.next_data(0) == 3 * 4096);
    CHECK(content.next_hole(3 * 4096) == 4 * 4096);
    CHECK(content.blocks() == 3);
    REQUIRE(content.move_to_heap());
    CHECK(content.next_data(0) == 3 * 4096);
    CHECK(content.next_data(4 * 4096) == content.size());
    CHECK(content.blocks() == 3);
}

TEST_CASE("data and holes are found block by block, and together they cover the file") {
    Space space{1 << 20, 0};
    Content content(space);
    const Bytes data(10, std::byte{1});
    content.write(3 * 4096 + 5, data.data(), data.size());
    content.write(10 * 4096, data.data(), data.size());
    REQUIRE(content.resize(20 * 4096));
    REQUIRE(content.reserve(5 * 4096, 7 * 4096));
    CHECK(content.next_data(0) == 3 * 4096);
    CHECK(content.next_data(3 * 4096 + 100) == 3 * 4096 + 100);
    CHECK(content.next_hole(3 * 4096 + 100) == 4 * 4096);
    CHECK(content.next_data(4 * 4096) == 10 * 4096);
    CHECK(content.next_hole(0) == 0);
    CHECK(content.next_data(11 * 4096) == content.size());
    CHECK(content.blocks() == 4);
}

TEST_CASE("space is counted, runs out, and comes back") {
    Space space{4, 0};
    {
        Content content(space);
        const Bytes data(6 * 4096, std::byte{1});
        CHECK(content.write(0, data.data(), data.size()) == 4 * 4096);
        CHECK(content.size() == 4 * 4096);
        CHECK_FALSE(content.reserve(4 * 4096, 5 * 4096));
        CHECK(content.reserve(0, 4 * 4096));
        REQUIRE(content.punch(4096, 3 * 4096));
        CHECK(space.used == 2);
        CHECK(content.write(8 * 4096, data.data(), 1) == 1);
        CHECK(space.used == 3);
        REQUIRE(content.resize(1));
        CHECK(space.used == 1);
    }
    CHECK(space.used == 0);
}

TEST_CASE("a growth for which there is no space takes none, and what was taken before stays") {
    Space space{4, 0};
    Content content(space);
    const Bytes data(2 * 4096, std::byte{1});
    REQUIRE(content.write(0, data.data(), 1) == 1);
    REQUIRE(content.reserve(7 * 4096, 8 * 4096));
    REQUIRE(content.move_to_file() == 0);
    // The second one alone finds no space.
    for (const Content::Reach& reach : {Content::Reach{0, 2 * 4096}, Content::Reach{2 * 4096, 16 * 4096}}) {
        REQUIRE(content.take_reach(reach));
        content.add_mapping(reach);
    }
    CHECK(space.used == 2);
    CHECK_FALSE(content.resize(6 * 4096));
    CHECK(space.used == 2);
    CHECK(content.write(5 * 4096, data.data(), data.size()) == 0);
    CHECK(space.used == 2);
    CHECK(content.blocks() == 2);
    CHECK(content.has_block(7));
    CHECK(content.size() == 1);
    REQUIRE(content.resize(3 * 4096));
    CHECK(space.used == 4);
}
