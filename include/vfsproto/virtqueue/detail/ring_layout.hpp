// SPDX-License-Identifier: BSD-2-Clause
// The three areas of a ring in memory, which split and packed rings share.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"

namespace vfsproto {

// True if the area is aligned in the host's view and in the device's.
[[nodiscard]] inline bool is_aligned(const Region& area, std::size_t align) noexcept {
    return reinterpret_cast<std::uintptr_t>(area.host()) % align == 0 && to_number(area.device()) % align == 0;
}

// One number of bytes for each area of a ring: its size, or its alignment.
struct RingAreaSizes {
    std::size_t descriptors{};
    std::size_t driver{};
    std::size_t device{};
};

// Bytes and alignment that the areas of a ring must have at least.
struct RingAreaNeeds {
    RingAreaSizes bytes{};
    RingAreaSizes align{};
};

// The three areas of one ring (virtio 1.2 §2.6), of either kind. A view: it owns nothing.
class RingAreas {
public:
    [[nodiscard]] constexpr std::uint16_t size() const noexcept { return size_; } // descriptors; 0 = no ring

    // The areas as the device is told of them.
    [[nodiscard]] Segment descriptor_area() const noexcept { return segment_of(descriptors_); }
    [[nodiscard]] Segment driver_area() const noexcept { return segment_of(driver_); }
    [[nodiscard]] Segment device_area() const noexcept { return segment_of(device_); }

    // Zeroes all three areas. Only while no device knows of the ring.
    void clear() const noexcept {
        for (const Region* area : {&descriptors_, &driver_, &device_}) {
            __builtin_memset(area->host(), 0, area->size());
        }
    }

protected:
    constexpr RingAreas() noexcept = default;

    // Takes as much of the three as a ring of this size needs. Errors: no_memory (too small), bad_argument (misaligned).
    [[nodiscard]] Errc take(const Region& descriptors, const Region& driver, const Region& device, std::uint16_t size,
                            const RingAreaNeeds& needs) noexcept {
        const auto& [bytes, align] = needs;
        if (descriptors.size() < bytes.descriptors || driver.size() < bytes.driver || device.size() < bytes.device) {
            return Errc::no_memory;
        }
        if (!is_aligned(descriptors, align.descriptors) || !is_aligned(driver, align.driver) ||
            !is_aligned(device, align.device)) {
            return Errc::bad_argument;
        }
        descriptors_ = descriptors.part(0, bytes.descriptors);
        driver_ = driver.part(0, bytes.driver);
        device_ = device.part(0, bytes.device);
        size_ = size;
        return Errc::ok;
    }

    [[nodiscard]] std::byte* descriptor_bytes() const noexcept { return descriptors_.host(); }
    [[nodiscard]] std::byte* driver_bytes() const noexcept { return driver_.host(); }
    [[nodiscard]] std::byte* device_bytes() const noexcept { return device_.host(); }

private:
    // An area of a ring is never as large as 4 GiB.
    [[nodiscard]] static Segment segment_of(const Region& area) noexcept {
        return {area.device(), static_cast<std::uint32_t>(area.size())};
    }

    Region descriptors_;
    Region driver_;
    Region device_;
    std::uint16_t size_ = 0;
};

// An entry of an indirect table that is not aligned: 16 bytes, each read exactly once.
struct UnalignedWords {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};
[[nodiscard]] inline UnalignedWords load_unaligned_words(const std::byte* at) noexcept {
    std::uint64_t words[2] = {};
    for (unsigned i = 0; i < sizeof words; ++i) {
        const auto byte = load_relaxed(reinterpret_cast<const std::uint8_t&>(at[i]));
        words[i / 8] |= std::uint64_t{byte} << (i % 8 * 8); // [ring.load.shift]
    }
    return {words[0], words[1]};
}

} // namespace vfsproto
