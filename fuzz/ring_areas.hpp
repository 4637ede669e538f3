// SPDX-License-Identifier: BSD-2-Clause
// The memory of a ring for the fuzz targets: each area in an allocation of its own and of its exact size, so that
// AddressSanitizer sees who leaves one.
#pragma once

#include "support/ring_pair.hpp"

namespace vfsproto::fuzz {

class Block {
public:
    Block(std::size_t size, std::uint64_t device) : bytes_(size), device_(device) {}
    [[nodiscard]] Region region() { return {bytes_.data(), DeviceAddr{device_}, bytes_.size()}; }
    [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }

private:
    std::vector<std::byte> bytes_; // aligned as operator new does it, which is enough for every area
    std::uint64_t device_;
};

// These are the areas that only one side writes, with their sizes.
struct SplitAreas : test::SplitParts {
    static constexpr bool kIsPacked = false;
    static std::uint16_t size_of(std::uint8_t choice) {
        constexpr std::uint16_t sizes[] = {4, 1, 2, 8, 16, 32, 64, 256};
        return sizes[choice % 8];
    }
    static std::size_t descriptor_bytes(std::uint16_t size) { return split_layout(size).descriptor_bytes; }
    static std::size_t driver_bytes(std::uint16_t size) { return split_layout(size).driver_bytes; }
    static std::size_t device_bytes(std::uint16_t size) { return split_layout(size).device_bytes; }
};
struct PackedAreas : test::PackedParts {
    static constexpr bool kIsPacked = true;
    static std::uint16_t size_of(std::uint8_t choice) {
        constexpr std::uint16_t sizes[] = {4, 1, 2, 3, 5, 7, 8, 33, 100, 16, 257, 64};
        return sizes[choice % 12];
    }
    static std::size_t descriptor_bytes(std::uint16_t size) { return packed_layout(size).descriptor_bytes; }
    static std::size_t driver_bytes(std::uint16_t) { return kPackedEventBytes; }
    static std::size_t device_bytes(std::uint16_t) { return kPackedEventBytes; }
};

// The ring, its tables and the data, at device addresses far apart; the data's reaches the very end of all addresses.
template <class Areas> struct RingAreas {
    static constexpr std::size_t kTokenBytes = 512; // the first half readable, the second writable

    RingAreas(std::uint16_t size, std::uint16_t max_segments)
        : descriptors(Areas::descriptor_bytes(size), 0x10000),
          driver(Areas::driver_bytes(size), 0x2000000),
          device(Areas::device_bytes(size), 0x3000000),
          tables(Areas::table_bytes(size, max_segments), 0x4000000),
          data(data_bytes(size), ~std::uint64_t{0} - data_bytes(size)),
          ring(*Areas::Ring::of(descriptors.region(), driver.region(), device.region(), size)) {}
    // One token more than can be in flight: that of a chain that is refused.
    static std::size_t data_bytes(std::uint16_t size) { return (size + std::size_t{1}) * kTokenBytes; }
    RingAreas(const RingAreas&) = delete;
    RingAreas& operator=(const RingAreas&) = delete;

    // Returns an area a peer may write to: everything shared but the data, which no ring looks at.
    [[nodiscard]] std::span<std::byte> shared(unsigned choice) {
        Block* const blocks[] = {&descriptors, &driver, &device, &tables};
        return blocks[choice % 4]->bytes();
    }

    Block descriptors;
    Block driver;
    Block device;
    Block tables;
    Block data;
    typename Areas::Ring ring;
};

} // namespace vfsproto::fuzz
