// SPDX-License-Identifier: BSD-2-Clause
// These tests count how often each call touches the memory shared with the other side, fences counted in, and how many of
// them are fences for hardware. More would mean that something is read twice, or that a usual chain takes the slow path;
// less, that a fence or a check after it is missing.
#include "support/interleave.hpp"

#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include <ostream>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Accesses {
    unsigned all = 0;
    unsigned fences_for_hardware = 0;
    friend bool operator==(Accesses, Accesses) = default;
    friend std::ostream& operator<<(std::ostream& out, Accesses accesses) {
        return out << accesses.all << " (" << accesses.fences_for_hardware << ")";
    }
};

template <class F> Accesses accesses(F&& run) {
    Accesses count;
    platform_fences = 0;
    shared_access_hook = {[](void* self) { ++static_cast<Accesses*>(self)->all; }, &count};
    run();
    shared_access_hook = {};
    count.fences_for_hardware = platform_fences;
    return count;
}

// Chains of one writable segment, or of two of which the first is readable.
template <class Pair> Errc submit_alone(Pair& pair, std::uint16_t token) {
    const Segment writable[] = {pair.segment(token * 64u, 16)};
    return pair.driver.submit({}, writable, Token{token});
}
template <class Pair> void take(bool is_there, Pair& pair) {
    REQUIRE(is_there);
    REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok);
}

} // namespace

TEST_CASE("each call of a split ring's driver makes so many accesses", "[virtqueue][sim]") {
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const unsigned fence = ordering == Ordering::platform ? 1 : 0;
    RingPair pair({.size = 8, .event_index = event_index, .ordering = ordering});
    bool said = false;
    for (int lap = 0; lap < 20; ++lap) {
        CHECK(accesses([&] { REQUIRE(pair.submit(0) == Errc::ok); }) == Accesses{7, 0});
        CHECK(accesses([&] { pair.driver.kick(); }) ==
              Accesses{3 + fence, 2 * fence}); // index, fence, what the device says
        CHECK(accesses([&] { pair.driver.kick(); }) == Accesses{0, 0});
        CHECK(accesses([&] { said = pair.driver.arm(1); }) == Accesses{3, fence});
        CHECK_FALSE(said);
        CHECK(accesses([&] { CHECK(pair.poll() == 0); }) == Accesses{1, 0});
        REQUIRE(pair.serve());
        REQUIRE(pair.submit(1) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve());
        CHECK(accesses([&] { said = pair.driver.arm(2); }) == Accesses{3, fence});
        CHECK(said);
        const unsigned taken_back = event_index == EventIndex::off ? 1 : 0;
        CHECK(accesses([&] { CHECK(pair.poll() == 2); }) == Accesses{5 + taken_back + fence, fence});
        CHECK(accesses([&] { pair.driver.disarm(); }) == Accesses{1, 0});
        pair.submit_and_kick(0); // nothing is asked for: nothing is taken back
        REQUIRE(pair.serve());
        CHECK(accesses([&] { CHECK(pair.poll() == 1); }) == Accesses{3 + fence, fence});
    }
}

TEST_CASE("each call of a split ring's device side makes so many accesses", "[virtqueue][sim]") {
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const unsigned fence = ordering == Ordering::platform ? 1 : 0;
    RingPair pair({.size = 8, .event_index = event_index, .ordering = ordering});
    bool is_there = pair.table.translate(RingPair::kDataAddr, 1) != nullptr; // the region hit last
    for (std::uint16_t lap = 0; lap < 20; ++lap) {
        for (std::uint16_t token = 0; token < 2; ++token) REQUIRE(pair.submit(token) == Errc::ok);
        REQUIRE(submit_alone(pair, 2) == Errc::ok);
        pair.driver.kick();
        // The index; a look that finds no lone descriptor: an entry and a link; then the entry and two descriptors.
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{10 + fence, fence});
        CHECK(accesses([&] { take(is_there, pair); }) == Accesses{2, 0});
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{9, 0});
        take(is_there, pair);
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{4, 0});
        take(is_there, pair);
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{1, 0});
        CHECK_FALSE(is_there);
        CHECK(accesses([&] { pair.device.publish(); }) == Accesses{1 + fence, fence});
        CHECK(accesses([&] { pair.device.publish(); }) == Accesses{0, 0});
        CHECK(accesses([&] { is_there = pair.device.wants_notification(); }) == Accesses{2, fence});
        CHECK(accesses([&] { is_there = pair.device.arm(); }) == Accesses{3, fence});
        CHECK_FALSE(is_there);
        CHECK(accesses([&] { pair.device.disarm(); }) == Accesses{1, 0});
        REQUIRE(pair.poll() == 3);
    }
}

TEST_CASE("each call of a packed ring's driver makes so many accesses", "[virtqueue][sim]") {
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const unsigned fence = ordering == Ordering::platform ? 1 : 0;
    PackedPair pair({.size = 7, .event_index = event_index, .ordering = ordering});
    bool said = false;
    for (int lap = 0; lap < 20; ++lap) {
        CHECK(accesses([&] { REQUIRE(pair.submit(0) == Errc::ok); }) == Accesses{4, 0});
        CHECK(accesses([&] { pair.driver.kick(); }) ==
              Accesses{4 + fence, 2 * fence}); // two words, fence, what the device says
        CHECK(accesses([&] { pair.driver.kick(); }) == Accesses{0, 0});
        CHECK(accesses([&] { said = pair.driver.arm(1); }) == Accesses{3, fence});
        CHECK_FALSE(said);
        CHECK(accesses([&] { CHECK(pair.poll() == 0); }) == Accesses{1, 0});
        REQUIRE(pair.serve(1));
        REQUIRE(pair.submit(1) == Errc::ok);
        pair.driver.kick();
        REQUIRE(pair.serve(0));
        CHECK(accesses([&] { said = pair.driver.arm(2); }) == Accesses{3, fence});
        CHECK(said);
        const unsigned taken_back = event_index == EventIndex::off ? 1 : 0;
        CHECK(accesses([&] { CHECK(pair.poll() == 2); }) == Accesses{2 + taken_back + fence, fence});
        CHECK(accesses([&] { CHECK(pair.poll() == 0); }) == Accesses{0, 0}); // nothing is in flight
        CHECK(accesses([&] { said = pair.driver.arm(1); }) == Accesses{3, fence});
        CHECK(accesses([&] { pair.driver.disarm(); }) == Accesses{1, 0});
        pair.submit_and_kick(0); // nothing is asked for: nothing is taken back
        REQUIRE(pair.serve());
        CHECK(accesses([&] { CHECK(pair.poll() == 1); }) == Accesses{1 + fence, fence});
    }
}

TEST_CASE("each call of a packed ring's device side makes so many accesses", "[virtqueue][sim]") {
    const auto ordering = GENERATE(Ordering::smp, Ordering::platform);
    const auto event_index = GENERATE(EventIndex::off, EventIndex::on);
    const unsigned fence = ordering == Ordering::platform ? 1 : 0;
    PackedPair pair({.size = 7, .event_index = event_index, .ordering = ordering});
    bool is_there = pair.table.translate(RingPair::kDataAddr, 1) != nullptr; // the region hit last
    for (int lap = 0; lap < 20; ++lap) {
        REQUIRE(pair.submit(0) == Errc::ok);
        REQUIRE(submit_alone(pair, 1) == Errc::ok);
        REQUIRE(pair.submit(2) == Errc::ok);
        pair.driver.kick();
        // A look that finds no lone descriptor; then each word of the chain. With fences for hardware one look more.
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{5 + 2 * fence, fence});
        CHECK(accesses([&] { take(is_there, pair); }) == Accesses{1, 0});
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{2 + 3 * fence, fence});
        CHECK(pair.chain.descriptors == 1);
        take(is_there, pair);
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{5 + 2 * fence, fence});
        CHECK(pair.chain.descriptors == 2);
        take(is_there, pair);
        CHECK(accesses([&] { is_there = pair.device.pop(pair.chain); }) == Accesses{2, 0});
        CHECK_FALSE(is_there);
        CHECK(accesses([&] { pair.device.publish(); }) == Accesses{1 + fence, fence});
        CHECK(accesses([&] { pair.device.publish(); }) == Accesses{0, 0});
        CHECK(accesses([&] { is_there = pair.device.wants_notification(); }) == Accesses{2, fence});
        CHECK(accesses([&] { is_there = pair.device.wants_notification(); }) == Accesses{0, 0});
        CHECK(accesses([&] { is_there = pair.device.arm(); }) == Accesses{3, fence});
        CHECK_FALSE(is_there);
        CHECK(accesses([&] { pair.device.disarm(); }) == Accesses{1, 0});
        REQUIRE(pair.poll() == 3);
    }
}

TEST_CASE("with IN_ORDER a burst is one used descriptor, read once and written once", "[virtqueue][sim]") {
    PackedPair pair({.size = 6, .order = UseOrder::in_order});
    for (int lap = 0; lap < 20; ++lap) {
        for (std::uint16_t token = 0; token < 3; ++token) REQUIRE(pair.submit(token) == Errc::ok);
        pair.driver.kick();
        for (int i = 0; i < 3; ++i) REQUIRE(pair.pop() >= 0);
        for (std::uint16_t i = 0; i < 3; ++i) {
            pair.chain.head = static_cast<std::uint16_t>((lap * 3 + i) * 2 % 6); // where it begins
            CHECK(accesses([&] { REQUIRE(pair.device.push(pair.chain, 0) == Errc::ok); }) == Accesses{0, 0});
        }
        // Each word is put together in private, then written.
        CHECK(accesses([&] { pair.device.publish(); }) == Accesses{2, 0});
        CHECK(accesses([&] { CHECK(pair.poll() == 3); }) ==
              Accesses{lap == 0 ? 2u : 1u, 0}); // the first takes back zeroed flags
    }
}

TEST_CASE("entries of an aligned table are read in words, of another in bytes", "[virtqueue][sim]") {
    RingPair split({.size = 4, .indirect = IndirectTables::accepted});
    PackedPair packed({.size = 4, .indirect = IndirectTables::accepted});
    REQUIRE(split.submit(0) == Errc::ok);
    REQUIRE(packed.submit(0) == Errc::ok);
    split.driver.kick();
    packed.driver.kick();
    // The index; the entry and the link; the entry, the descriptor twice; then two entries of three words.
    CHECK(accesses([&] { CHECK(split.pop() >= 0); }) == Accesses{1 + 2 + 1 + 3 + 3 + 6, 0});
    // The descriptor's word three times, its address; then two entries of two words.
    CHECK(accesses([&] { CHECK(packed.pop() >= 0); }) == Accesses{4 + 4, 0});

    const std::size_t odd = 9;
    std::memcpy(split.data.host() + odd, split.tables().host(), 32);
    split.forge_descriptor(3, split.data_addr(odd), 32, split::kIndirect, 0);
    split.forge_avail(3);
    CHECK(accesses([&] { CHECK(split.pop() >= 0); }) == Accesses{1 + 2 + 1 + 3 + 3 + 32, 0});
}
