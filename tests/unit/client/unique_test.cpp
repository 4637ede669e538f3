// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "vfsproto/fuse/client/detail/unique.hpp"

#include <initializer_list>
#include <set>

using namespace vfsproto::client;

TEST_CASE("sequence, lane and slot of a unique do not overlap", "[unique]") {
    CHECK(make_unique(1, 0, 0) == std::uint64_t{1} << 25);
    CHECK(make_unique(0, 1, 0) == std::uint64_t{1} << 17);
    CHECK(make_unique(0, 0, 1) == std::uint64_t{1} << 1);
    CHECK(make_unique(0x2bcdef0123, 0x45, 0x6789) ==
          ((std::uint64_t{0x2bcdef0123} << 24 | std::uint64_t{0x45} << 16 | 0x6789) << 1));
    std::set<std::uint64_t> seen;
    for (const std::uint64_t sequence : {std::uint64_t{1}, std::uint64_t{2}, kSequenceMask}) {
        for (const std::uint8_t lane : std::initializer_list<std::uint8_t>{0, 1, 255}) {
            for (const std::uint16_t slot : std::initializer_list<std::uint16_t>{0, 1, 65535})
                seen.insert(make_unique(sequence, lane, slot));
        }
    }
    CHECK(seen.size() == 27);
}

TEST_CASE("bit 0 and bit 63 of a unique are never set", "[unique]") {
    for (const std::uint64_t sequence : {std::uint64_t{1}, kSequenceMask, ~std::uint64_t{0}}) {
        const std::uint64_t unique = make_unique(sequence, 0xff, 0xffff);
        CHECK((unique & 1) == 0);
        CHECK(unique >> 63 == 0);
    }
}

TEST_CASE("the sequence starts at 1, skips 0 when it wraps, and so no unique is 0", "[unique]") {
    CHECK(next_sequence(0) == 1);
    CHECK(next_sequence(1) == 2);
    CHECK(next_sequence(kSequenceMask - 1) == kSequenceMask);
    CHECK(next_sequence(kSequenceMask) == 1);
    CHECK(make_unique(next_sequence(kSequenceMask), 0, 0) != 0);
}

TEST_CASE("a source gives the same numbers, one after the other, and begins again at sequence 1", "[unique]") {
    UniqueSource source(0x45);
    std::uint64_t sequence = 0;
    for (std::uint16_t slot = 0; slot < 100; ++slot) {
        sequence = next_sequence(sequence);
        CHECK(source.take(slot) == make_unique(sequence, 0x45, slot));
    }
    UniqueSource last(0x45, kSequenceMask);
    CHECK(last.take(0xffff) == make_unique(kSequenceMask, 0x45, 0xffff));
    CHECK(last.take(3) == make_unique(1, 0x45, 3));
    CHECK(last.take(3) == make_unique(2, 0x45, 3));
    last.set_lane(0x81);
    CHECK(last.take(3) == make_unique(3, 0x81, 3));
}
