// SPDX-License-Identifier: BSD-2-Clause
// A device side takes over a ring where another one has stopped.
#include "support/catch.hpp"
#include "unit/serving/port_pair.hpp"

using namespace vfsproto;
using serving::DeviceSideRing;
using serving::RingPlace;
using serving::RingPositions;
using test::DrivenRing;
using test::kFeaturesOf;
using test::PackedParts;
using test::SplitParts;

namespace {

constexpr std::uint32_t kEcho = 5; // bytes that the device side says it has written

template <class Parts> RegionTable memory_of(const DrivenRing<Parts>& ring) {
    RegionTable memory;
    if (memory.add(ring.data_memory()) != Errc::ok) throw std::runtime_error("no memory");
    return memory;
}

// Sends `count` requests through the ring. Returns how many of them were answered rightly.
template <class Parts> int exchange(DrivenRing<Parts>& ring, DeviceSideRing& device, int count) {
    constexpr std::uint16_t kSlot = 3;
    std::vector<HostSegment> segments(DrivenRing<Parts>::kSize);
    int answered = 0;
    for (int i = 0; i < count; ++i) {
        ring.submit(kSlot, test::Bytes(8));
        Chain chain;
        chain.storage = segments;
        if (!device.pop(chain) || device.push(chain, kEcho) != Errc::ok) return answered;
        device.publish();
        if (ring.taken(kSlot) == kEcho) ++answered;
    }
    return answered;
}

} // namespace

// vhost-user, "Ring states": SET_VRING_BASE tells a back end where to go on.
TEMPLATE_TEST_CASE("a device side goes on where another one stopped", "[serving]", SplitParts, PackedParts) {
    constexpr int kMany = 2 * DrivenRing<TestType>::kSize + 1; // each offset of a packed ring, with each wrap counter
    for (int before = 0; before <= kMany; ++before) {
        INFO(before << " requests before");
        DrivenRing<TestType> ring;
        const RegionTable memory = memory_of(ring);
        RingPlace place = ring.place();
        DeviceSideRing first(place.size);
        REQUIRE(first.start(place, kFeaturesOf<TestType>, memory) == Errc::ok);
        REQUIRE(exchange(ring, first, before) == before);
        REQUIRE(first.outstanding() == 0);

        place.start = first.positions();
        DeviceSideRing second(place.size);
        REQUIRE(second.start(place, kFeaturesOf<TestType>, memory) == Errc::ok);
        CHECK(exchange(ring, second, kMany) == kMany);
        CHECK(second.error() == Errc::ok);
    }
}

TEST_CASE("the positions of a packed ring are an offset and a wrap counter, of both kinds of descriptors",
          "[serving]") {
    constexpr std::uint16_t kWrapped = 0x8000; // a wrap counter that is 1, as on a fresh ring
    DrivenRing<PackedParts> ring;
    const RegionTable memory = memory_of(ring);
    const RingPlace place = ring.place();
    DeviceSideRing device(place.size);
    REQUIRE(device.start(place, kFeaturesOf<PackedParts>, memory) == Errc::ok);
    CHECK(device.positions().next_avail == kWrapped);
    CHECK(device.positions().next_used == kWrapped);
    REQUIRE(exchange(ring, device, 1) == 1); // a request and its reply: two descriptors
    CHECK(device.positions().next_avail == (kWrapped | 2));
    CHECK(device.positions().next_used == (kWrapped | 2));
    REQUIRE(exchange(ring, device, 3) == 3);
    CHECK(device.positions().next_avail == 0);
}

TEST_CASE("a start outside a packed ring is refused, a split ring takes any index", "[serving]") {
    constexpr std::uint16_t kOutside = DrivenRing<PackedParts>::kSize;
    const RegionTable no_memory;
    DrivenRing<PackedParts> packed;
    RingPlace place = packed.place();
    DeviceSideRing device(place.size);
    const auto start = [&](RingPositions from) {
        place.start = from;
        return device.start(place, kFeaturesOf<PackedParts>, no_memory);
    };
    CHECK(start({kOutside, 0}) == Errc::bad_argument);
    CHECK(start({0, kOutside}) == Errc::bad_argument);
    CHECK(start({kOutside - 1, 0}) == Errc::ok);

    const DrivenRing<SplitParts> split;
    place = split.place();
    constexpr std::uint16_t kAnyIndex = 0xffff;
    place.start = RingPositions{kAnyIndex, 0};
    REQUIRE(device.start(place, kFeaturesOf<SplitParts>, no_memory) == Errc::ok);
    CHECK(device.positions().next_avail == kAnyIndex);
}
