// SPDX-License-Identifier: BSD-2-Clause
// Events that requests of the client cause are told from those of others by their kinds and number.
#include "../../../src/backends/passthrough/own_names.hpp"
#include "support/catch.hpp"

#include <sys/inotify.h>

#include <string>

using vfsproto::backends::OwnNames;

namespace {

constexpr std::uint64_t kDirectory = 7;
constexpr std::uint32_t kMade = IN_CREATE;

} // namespace

TEST_CASE("an event of each kind is taken that a change causes, of its own name alone", "[passthrough][changes]") {
    OwnNames names;
    OwnNames::Change* const change = names.begin(kDirectory, "name", IN_MOVED_FROM | IN_MOVED_TO);
    REQUIRE(change != nullptr);
    CHECK_FALSE(names.take(kDirectory, "other", IN_MOVED_TO));
    CHECK_FALSE(names.take(kDirectory + 1, "name", IN_MOVED_TO));
    CHECK_FALSE(names.take(kDirectory, "name", IN_DELETE));
    CHECK(names.take(kDirectory, "name", IN_MOVED_FROM));
    CHECK_FALSE(names.take(kDirectory, "name", IN_MOVED_FROM));
    CHECK_FALSE(names.end(*change, true)); // its second event may come later
    CHECK(names.take(kDirectory, "name", IN_MOVED_TO));
    CHECK_FALSE(names.take(kDirectory, "name", IN_MOVED_TO));
}

TEST_CASE("changes of one name at a time are each taken once", "[passthrough][changes]") {
    OwnNames names;
    OwnNames::Change* const first = names.begin(kDirectory, "name", kMade);
    OwnNames::Change* const second = names.begin(kDirectory, "name", kMade);
    REQUIRE((first != nullptr && second != nullptr));
    CHECK(names.take(kDirectory, "name", kMade));
    CHECK(names.take(kDirectory, "name", kMade));
    CHECK_FALSE(names.take(kDirectory, "name", kMade));
    CHECK_FALSE(names.end(*first, true));
    CHECK_FALSE(names.end(*second, true));
    CHECK(names.size() == 0);
}

TEST_CASE("an event that was taken for a change which did not happen is given back", "[passthrough][changes]") {
    OwnNames names;
    OwnNames::Change* const change = names.begin(kDirectory, "name", kMade);
    REQUIRE(change != nullptr);
    SECTION("with one") {
        CHECK(names.take(kDirectory, "name", kMade));
        const auto mistaken = names.end(*change, false);
        REQUIRE(mistaken);
        CHECK(mistaken->directory == kDirectory);
        CHECK(mistaken->name == "name");
    }
    SECTION("with none") { CHECK_FALSE(names.end(*change, false)); }
    CHECK(names.size() == 0);
    CHECK_FALSE(names.take(kDirectory, "name", kMade));
}

TEST_CASE("events that did not come by the next reading are not waited for", "[passthrough][changes]") {
    OwnNames names;
    OwnNames::Change* const done = names.begin(kDirectory, "done", kMade);
    OwnNames::Change* const under_way = names.begin(kDirectory, "under way", kMade);
    REQUIRE((done != nullptr && under_way != nullptr));
    CHECK_FALSE(names.end(*done, true));
    names.begin_reading();
    names.end_reading();
    CHECK_FALSE(names.take(kDirectory, "done", kMade));
    CHECK(names.take(kDirectory, "under way", kMade));
    names.lose_events();
    CHECK_FALSE(names.take(kDirectory, "under way", kMade));
    CHECK_FALSE(names.end(*under_way, true));
    CHECK(names.size() == 0);
}

TEST_CASE("a client with very many changes under way is told some of them, and no more memory is used",
          "[passthrough][changes]") {
    OwnNames names;
    std::size_t begun = 0;
    for (int i = 0; i < 10'000; ++i) begun += names.begin(kDirectory, std::to_string(i), kMade) != nullptr;
    CHECK(begun < 10'000);
    CHECK(names.size() == begun);
}
