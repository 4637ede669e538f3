// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "vfsproto/virtqueue/slots.hpp"

#include <vector>

using namespace vfsproto;

namespace {
using IntSlots = Slots<int>;
}

TEST_CASE("without storage there is never a slot", "[slots]") {
    IntSlots slots;
    CHECK(slots.capacity() == 0);
    CHECK_FALSE(slots.has_free());
    CHECK(slots.acquire().error() == Errc::no_slot);
    CHECK(slots.find(Token{0}) == nullptr);
}

TEST_CASE("slots run out exactly at their number, and one that is freed can be taken again", "[slots]") {
    std::vector<IntSlots::Entry> storage(3);
    IntSlots slots(storage);
    std::vector<Token> tokens;
    for (int i = 0; i < 3; ++i) {
        REQUIRE(slots.has_free());
        const Result<Token> token = slots.acquire();
        REQUIRE(token);
        tokens.push_back(*token);
    }
    CHECK(slots.in_flight() == 3);
    CHECK_FALSE(slots.has_free());
    CHECK(slots.acquire().error() == Errc::no_slot);
    CHECK(slots.in_flight() == 3);
    slots.release(tokens[1]);
    CHECK(slots.in_flight() == 2);
    const Result<Token> again = slots.acquire();
    REQUIRE(again);
    CHECK(again->slot == tokens[1].slot);
    CHECK_FALSE(slots.has_free());
}

TEST_CASE("the slot freed last is taken first, because it is still in the cache", "[slots]") {
    std::vector<IntSlots::Entry> storage(4);
    IntSlots slots(storage);
    Token tokens[4];
    for (Token& token : tokens) token = *slots.acquire();
    slots.release(tokens[2]);
    slots.release(tokens[0]);
    slots.release(tokens[3]);
    CHECK((*slots.acquire()).slot == tokens[3].slot);
    CHECK((*slots.acquire()).slot == tokens[0].slot);
    CHECK((*slots.acquire()).slot == tokens[2].slot);
}

TEST_CASE("a token that is stale, free or out of range finds nothing", "[slots]") {
    std::vector<IntSlots::Entry> storage(2);
    IntSlots slots(storage);
    const Token first = *slots.acquire();
    REQUIRE(slots.find(first) != nullptr);
    *slots.find(first) = 42;
    CHECK(slots.at(first) == 42);
    CHECK(slots.find(Token{1}) == nullptr);
    CHECK(slots.find(Token{2}) == nullptr);
    CHECK(slots.find(Token{0xffff}) == nullptr);
    slots.release(first);
    CHECK(slots.find(first) == nullptr);
}

TEST_CASE("storage that was used before starts with every slot free", "[slots]") {
    std::vector<IntSlots::Entry> storage(2);
    IntSlots before(storage);
    REQUIRE(before.acquire());
    REQUIRE(before.acquire());
    IntSlots after(storage);
    CHECK(after.in_flight() == 0);
    CHECK(after.find(Token{0}) == nullptr);
    CHECK(after.acquire());
    CHECK(after.acquire());
    CHECK_FALSE(after.acquire());
}

TEST_CASE("at most 65535 slots are used, and the last of them works", "[slots]") {
    std::vector<IntSlots::Entry> storage(70000);
    IntSlots slots(storage);
    REQUIRE(slots.capacity() == 65535);
    std::size_t taken = 0;
    while (slots.acquire()) ++taken;
    CHECK(taken == 65535);
    CHECK(slots.in_flight() == 65535);
    CHECK(slots.find(Token{65534}) != nullptr);
    CHECK(slots.find(Token{65535}) == nullptr);
}
