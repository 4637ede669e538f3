// SPDX-License-Identifier: BSD-2-Clause
// The examples in the class comments of the rings, run. tools/check_examples.py compares them with the comments.
#include "support/catch.hpp"

#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"
#include "vfsproto/virtqueue/split_device.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

using namespace vfsproto;

namespace {

constexpr std::uint16_t kSize = 8;
constexpr std::uint32_t kRequestBytes = 40;
constexpr std::uint32_t kReplyBytes = 16;
constexpr DeviceAddr kDeviceBase{0x10'0000};

// One block of memory: a ring, a request and a reply.
struct Memory {
    alignas(64) std::byte bytes[8192]{};
    Region region{bytes, kDeviceBase, sizeof bytes};
    Region ring_memory = region.part(0, 4096);
    Segment request = region.segment(bytes + 4096, kRequestBytes);
    Segment reply = region.segment(bytes + 6144, kReplyBytes);
};

std::uint32_t answer(std::span<const HostSegment> readable, std::span<const HostSegment> writable) {
    REQUIRE(readable.size() == 1);
    REQUIRE(writable.size() == 1);
    return writable[0].len;
}

} // namespace

TEST_CASE("the examples of SplitDriver, SplitDevice and QueueRef run", "[virtqueue]") {
    Memory memory;
    auto& [bytes, region, ring_memory, request, reply] = memory;
    unsigned kicks = 0;
    const Doorbell doorbell{[](void* context, std::uint16_t) noexcept { ++*static_cast<unsigned*>(context); }, &kicks};
    RegionTable regions;
    REQUIRE(regions.add(region) == Errc::ok);
    SplitDriverState driver_states[kSize];
    SplitDeviceState device_states[kSize];
    SplitDevice device;
    unsigned interrupts = 0;
    const auto interrupt = [&] { ++interrupts; };
    const auto serve = [&] {
        HostSegment segments[4];
        do {
            Chain chain{.storage = segments};
            while (device.pop(chain)) {
                const std::uint32_t written = answer(chain.readable(), chain.writable());
                if (device.push(chain, written) != Errc::ok) break;
            }
            if (device.wants_notification()) interrupt();
        } while (device.arm());
    };
    const auto wait_for_interrupt = [&] { serve(); };

    const auto ring = SplitRing::in(ring_memory, kSize);
    SplitDriver driver;
    Errc errc = driver.init(*ring, driver_states, {.event_index = EventIndex::on, .doorbell = doorbell});
    REQUIRE(errc == Errc::ok);
    REQUIRE(device.init(*ring, regions, device_states, {.event_index = EventIndex::on}) == Errc::ok);

    errc = driver.submit({&request, 1}, {&reply, 1}, Token{7});
    driver.kick();
    Completion done[4];
    while (driver.poll(done) == 0) {
        if (!driver.arm(1)) wait_for_interrupt();
    }

    CHECK(errc == Errc::ok);
    CHECK(done[0].token == Token{7});
    CHECK(done[0].written == kReplyBytes);
    CHECK(kicks == 1);
    CHECK(interrupts == 1);

    QueueRef queue = make_queue_ref(driver);
    errc = queue.submit({&request, 1}, {&reply, 1}, Token{8});
    queue.kick();

    CHECK(errc == Errc::ok);
    serve();
    REQUIRE(queue.poll(done) == 1);
    CHECK(done[0].token == Token{8});
}

TEST_CASE("the example of PackedDriver runs", "[virtqueue]") {
    Memory memory;
    auto& [bytes, region, ring_memory, request, reply] = memory;
    PackedDriverState driver_states[kSize];

    const auto ring = PackedRing::in(ring_memory, kSize);
    PackedDriver driver;
    Errc errc = driver.init(*ring, driver_states, {.event_index = EventIndex::on});
    errc = driver.submit({&request, 1}, {&reply, 1}, Token{7}); // writes descriptor 1; 0 is held back
    errc = driver.submit({}, {&reply, 1}, Token{8});            // writes descriptor 2
    driver.kick();                                              // writes descriptor 0: all three are available

    CHECK(errc == Errc::ok);
    const std::uint64_t available = PackedDesc::flags(packed::kAvail);
    for (int i = 0; i < 3; ++i) {
        CHECK((ring->descriptors()[i].word.value() & PackedDesc::flags(packed::kBoth)) == available);
    }
}
