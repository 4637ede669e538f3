// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

// virtio 1.2 §2.8.10.1
TEST_CASE("a packed ring's areas have the sizes and alignments of virtio 1.2 2.8", "[virtqueue]") {
    const auto size = GENERATE(std::uint16_t{1}, std::uint16_t{3}, std::uint16_t{1000}, std::uint16_t{32768});
    const PackedLayout layout = packed_layout(size);
    CHECK(layout.descriptor_bytes == 16u * size);
    CHECK(layout.driver_offset >= layout.descriptor_bytes);
    CHECK(layout.device_offset >= layout.driver_offset + 4);
    CHECK(layout.total_bytes >= layout.device_offset + 4);
    CHECK(layout.driver_offset % 64 == 0); // stricter than the 4 asked for: no cache line has two writers
    CHECK(layout.device_offset % 64 == 0);
}

// virtio 1.2 §2.8
TEST_CASE("every size from 1 to 32768 is a packed ring size", "[virtqueue]") {
    for (const std::uint32_t size : {1, 2, 3, 5, 7, 1000, 32767, 32768}) CHECK(is_packed_size(size));
    for (const std::uint32_t size : {0, 32769, 65536}) CHECK_FALSE(is_packed_size(size));
    CHECK(packed_size_within(0) == 0);
    CHECK(packed_size_within(100) == 100);
    CHECK(packed_size_within(65535) == 32768);
}

// virtio 1.2 §2.8.11
TEST_CASE("a packed ring refuses misaligned, short and oddly sized areas", "[virtqueue]") {
    Pages pages(8192);
    const Region memory = pages.at(DeviceAddr{0x1000});
    const PackedLayout layout = packed_layout(13);
    CHECK(PackedRing::in(memory, 13));
    CHECK(PackedRing::in(memory, 0).error() == Errc::bad_argument);
    CHECK(PackedRing::in(memory.part(0, layout.total_bytes - 1), 13).error() == Errc::no_memory);
    CHECK(PackedRing::in(memory.part(8, 4096), 13).error() == Errc::bad_argument);
    const Region shifted(memory.host(), DeviceAddr{0x1008}, memory.size()); // the device's view counts as well
    CHECK(PackedRing::in(shifted, 13).error() == Errc::bad_argument);

    const Region descriptors = memory.part(0, layout.descriptor_bytes);
    const Region driver = memory.part(1024, 4);
    const Region device = memory.part(2048, 4);
    CHECK(PackedRing::of(descriptors, driver, device, 13));
    CHECK(PackedRing::of(descriptors, driver, device, 14).error() == Errc::no_memory);
    CHECK(PackedRing::of(descriptors, memory.part(1026, 4), device, 13).error() == Errc::bad_argument);
    CHECK(PackedRing::of(descriptors, driver, memory.part(2050, 4), 13).error() == Errc::bad_argument);
    CHECK(PackedRing::of(descriptors, memory.part(1024, 3), device, 13).error() == Errc::no_memory);
    CHECK(PackedRing::of(descriptors, driver, memory.part(2048, 3), 13).error() == Errc::no_memory);
}

TEST_CASE("the areas of a packed ring are told to the device by their device addresses", "[virtqueue]") {
    Pages pages(8192);
    const PackedRing ring = *PackedRing::in(pages.at(DeviceAddr{0x4000'0000}), 20);
    CHECK(to_number(ring.descriptor_area().addr) == 0x4000'0000);
    CHECK(ring.descriptor_area().len == 320);
    CHECK(to_number(ring.driver_area().addr) == 0x4000'0000 + packed_layout(20).driver_offset);
    CHECK(ring.driver_area().len == 4);
    CHECK(to_number(ring.device_area().addr) == 0x4000'0000 + packed_layout(20).device_offset);
    CHECK(ring.device_area().len == 4);
}

// virtio 1.2 §2.8.13, §2.8.14
TEST_CASE("packed descriptors and event areas have the bytes of the specification", "[virtqueue]") {
    Pages pages(4096);
    const Region memory = pages.at(DeviceAddr{0});
    const PackedRing ring = *PackedRing::in(memory, 4);
    const auto bytes_at = [](const void* at, std::size_t n) {
        return std::vector<std::uint8_t>(static_cast<const std::uint8_t*>(at),
                                         static_cast<const std::uint8_t*>(at) + n);
    };
    ring.descriptors()[1] = {0x1122334455667788,
                             PackedDesc::pack(0xaabbccdd, 0x0203, packed::kNext | packed::kWrite | packed::kUsed)};
    CHECK(bytes_at(memory.host() + 16, 16) == std::vector<std::uint8_t>{0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
                                                                        0xdd, 0xcc, 0xbb, 0xaa, 3, 2, 3, 0x80});
    *ring.driver_event() = packed_event(0x8102, packed::kDescriptor);
    CHECK(bytes_at(ring.driver_event(), 4) == std::vector<std::uint8_t>{0x02, 0x81, 2, 0});
    *ring.device_event() = packed_event(0, packed::kDisable);
    CHECK(bytes_at(ring.device_event(), 4) == std::vector<std::uint8_t>{0, 0, 1, 0});
    CHECK(packed::kAvail == 0x80);
    CHECK(packed::kUsed == 0x8000);
}

TEST_CASE("the event arithmetic of a packed ring equals a walk over the descriptors", "[virtqueue]") {
    for (const unsigned size : {1u, 2u, 3u, 7u, 8u, 13u}) {
        const auto place = [&](unsigned at) {
            return static_cast<std::uint16_t>(at % size | (at / size % 2 == 0 ? packed::kWrap : 0));
        };
        for (unsigned start = 2 * size; start < 6 * size; ++start) {
            for (unsigned count = 1; count <= size; ++count) {
                // an event is set for what has not been used yet: at most one ring behind the step's end
                for (unsigned event = start + count - size; event < start + count + size; ++event) {
                    const bool is_passed = event >= start && event < start + count;
                    const bool is_due =
                        packed_event_due(place(event), place(start + count), count, static_cast<std::uint16_t>(size));
                    if (is_due != is_passed)
                        FAIL("size " << size << " start " << start << " count " << count << " event " << event);
                }
            }
        }
    }
}

TEST_CASE("the event arithmetic holds on the largest packed ring", "[virtqueue]") {
    CHECK(packed_event_due(packed::kStart, 0x8001, 1, 32768));
    CHECK_FALSE(packed_event_due(0x8001, 0x8001, 1, 32768));
    CHECK(packed_event_due(0xffff, 0x0000, 1, 32768)); // across the wrap
    CHECK(packed_event_due(0xfffe, 0x0003, 5, 32768));
    CHECK_FALSE(packed_event_due(0xfffd, 0x0003, 5, 32768));
    CHECK(packed_event_due(0x8004, 0x0003, 32767, 32768));
    CHECK_FALSE(packed_event_due(0x8003, 0x0003, 32767, 32768));
    CHECK(packed_event_due(0x8003, 0x0003, 32768, 32768));
}
