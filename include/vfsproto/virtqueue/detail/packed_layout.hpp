// SPDX-License-Identifier: BSD-2-Clause
// A packed virtqueue in memory: its descriptors and its two event areas, byte for byte (virtio 1.2 §2.8.13, §2.8.14).
#pragma once

#include "vfsproto/base/bounds.hpp"
#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/virtqueue/detail/ring_layout.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto {

inline constexpr std::uint16_t kPackedMaxSize = 32768; // descriptors, virtio 1.2 §2.8.10.1

[[nodiscard]] constexpr bool is_packed_size(std::uint32_t size) noexcept {
    return is_from_1_to<std::uint32_t>(size, kPackedMaxSize);
}
// Returns the largest legal size that is not above an offer; 0 for an offer of 0.
[[nodiscard]] constexpr std::uint16_t packed_size_within(std::uint16_t offered) noexcept {
    return offered > kPackedMaxSize ? kPackedMaxSize : offered;
}

namespace packed {

// Descriptor flags, virtio 1.2 §2.8.1 to §2.8.7.
inline constexpr std::uint16_t kNext = 1;
inline constexpr std::uint16_t kWrite = 2; // of a used descriptor: its length means something
inline constexpr std::uint16_t kIndirect = 4;
inline constexpr std::uint16_t kAvail = 1 << 7;
inline constexpr std::uint16_t kUsed = 1 << 15;
inline constexpr std::uint16_t kBoth = kAvail | kUsed;

// Event flags, virtio 1.2 §2.8.14.
inline constexpr std::uint16_t kEnable = 0;
inline constexpr std::uint16_t kDisable = 1;
inline constexpr std::uint16_t kDescriptor = 2; // only with EVENT_IDX
inline constexpr std::uint16_t kEventFlags = 3;

// A position in the ring is a 15-bit offset, and the wrap counter there as bit 15. So it is written in the event areas, in
// notification data (virtio 1.2 §2.9) and as the base of a vhost ring.
inline constexpr std::uint16_t kWrap = 0x8000;
inline constexpr std::uint16_t kStart = kWrap; // offset 0, wrap counter 1

} // namespace packed

// struct pvirtq_desc: le64 addr, le32 len, le16 id, le16 flags. The last three are one little-endian word here: two
// accesses write a descriptor, and whoever sees its flags has its length and id from the same instant.
struct PackedDesc {
    Le64 addr;
    Le64 word;

    static constexpr unsigned kIdShift = 32;
    static constexpr unsigned kFlagsShift = 48;
    [[nodiscard]] static constexpr std::uint64_t flags(std::uint32_t bits) noexcept {
        return std::uint64_t{bits} << kFlagsShift;
    }
    [[nodiscard]] static constexpr std::uint64_t pack(std::uint32_t len, std::uint32_t id,
                                                      std::uint32_t bits) noexcept {
        return len | std::uint64_t{id} << kIdShift | flags(bits);
    }
    [[nodiscard]] static constexpr std::uint32_t len_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word);
    }
    [[nodiscard]] static constexpr std::uint32_t id_of(std::uint64_t word) noexcept {
        return static_cast<std::uint16_t>(word >> kIdShift);
    }
};
static_assert(sizeof(PackedDesc) == 16);

// Returns the position of this offset. `word`: any word whose AVAIL flag is the wrap counter there.
[[nodiscard]] constexpr std::uint16_t packed_position(std::ptrdiff_t offset, std::uint64_t word) noexcept {
    const std::uint16_t wrap = (word & PackedDesc::flags(packed::kAvail)) != 0 ? packed::kWrap : std::uint16_t{0};
    return static_cast<std::uint16_t>(static_cast<std::uint16_t>(offset) | wrap);
}

// struct pvirtq_event_suppress: le16 position, le16 flags. It is read and written as one word, so that flags are never seen
// with an older position.
[[nodiscard]] constexpr std::uint32_t packed_event(std::uint16_t position, std::uint16_t flags) noexcept {
    return position | std::uint32_t{flags} << 16;
}

// True if a step over `count` descriptors, which ended before the position `next`, passed the one that `event` names.
// `count` is at most the ring size. The event is of this lap, or of the one before (virtio 1.2 §2.8.10).
[[nodiscard]] constexpr bool packed_event_due(std::uint16_t event, std::uint16_t next, std::uint32_t count,
                                              std::uint16_t size) noexcept {
    // The distance from the event to `next`. If the event is ahead, this is a negative number, as an unsigned one: too large.
    std::uint32_t behind = (next & ~std::uint32_t{packed::kWrap}) - (event & ~std::uint32_t{packed::kWrap});
    if (((event ^ next) & packed::kWrap) != 0) behind += size;
    return is_from_1_to(behind, count);
}

// Offsets of the three areas of a ring in one block of memory, in bytes. The driver and the device write to the same cache
// lines only in the descriptors.
struct PackedLayout {
    std::size_t descriptor_bytes{}; // at offset 0
    std::size_t driver_offset{};    // "driver event suppression"
    std::size_t device_offset{};    // "device event suppression"
    std::size_t total_bytes{};
};

inline constexpr RingAreaSizes kPackedAlign{.descriptors = 16, .driver = 4, .device = 4};
inline constexpr std::size_t kPackedEventBytes = 4;

[[nodiscard]] constexpr PackedLayout packed_layout(std::uint16_t size) noexcept {
    constexpr std::size_t line = 64;
    PackedLayout layout;
    layout.descriptor_bytes = std::size_t{16} * size;
    layout.driver_offset = (layout.descriptor_bytes + line - 1) / line * line; // [packed.layout.round]
    layout.device_offset = layout.driver_offset + line;
    layout.total_bytes = layout.device_offset + line;
    return layout;
}

// Descriptors anywhere: an indirect table (virtio 1.2 §2.8.7).
[[nodiscard]] inline PackedDesc* packed_descriptors_at(std::byte* host) noexcept {
    return reinterpret_cast<PackedDesc*>(host);
}

// Returns the address that many bytes of descriptors further. It may lie outside the ring, where pointer arithmetic must
// not go.
[[nodiscard]] inline PackedDesc* packed_after(PackedDesc* at, std::size_t bytes) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<PackedDesc*>(reinterpret_cast<std::uintptr_t>(at) + bytes);
}

// The three areas of one ring, as pointers. A view: it owns nothing.
class PackedRing : public RingAreas {
public:
    constexpr PackedRing() noexcept = default;

    // A ring laid out by packed_layout() at the start of `memory`. Errors: bad_argument (not a legal size, misaligned),
    // no_memory (too small).
    [[nodiscard]] static Result<PackedRing> in(const Region& memory, std::uint16_t size) noexcept {
        const PackedLayout layout = packed_layout(size);
        if (memory.size() < layout.total_bytes) return Errc::no_memory;
        // [packed.layout.events]
        return of(memory.part(0, layout.descriptor_bytes), memory.part(layout.driver_offset, kPackedEventBytes),
                  memory.part(layout.device_offset, kPackedEventBytes), size);
    }
    // A ring whose areas lie anywhere. Errors: as above.
    [[nodiscard]] static Result<PackedRing> of(const Region& descriptors, const Region& driver, const Region& device,
                                               std::uint16_t size) noexcept {
        if (!is_packed_size(size)) return Errc::bad_argument;
        PackedRing ring;
        const RingAreaSizes bytes{packed_layout(size).descriptor_bytes, kPackedEventBytes, kPackedEventBytes};
        const Errc taken = ring.take(descriptors, driver, device, size, {bytes, kPackedAlign});
        if (taken != Errc::ok) return taken;
        return ring;
    }

    [[nodiscard]] PackedDesc* descriptors() const noexcept { return packed_descriptors_at(descriptor_bytes()); }
    // The driver writes here which used buffers it wants to hear of.
    [[nodiscard]] Le32* driver_event() const noexcept { return reinterpret_cast<Le32*>(driver_bytes()); }
    // The device writes here which available buffers it wants to hear of.
    [[nodiscard]] Le32* device_event() const noexcept { return reinterpret_cast<Le32*>(device_bytes()); }
};

// Reads one entry of an indirect table, each word exactly once, at an address the driver chose: the specification asks for
// no alignment.
[[nodiscard]] inline PackedDesc load_packed_at(const std::byte* at) noexcept {
    if (reinterpret_cast<std::uintptr_t>(at) % alignof(PackedDesc) == 0) {
        const auto& desc = *reinterpret_cast<const PackedDesc*>(at);
        return {load_relaxed(desc.addr), load_relaxed(desc.word)};
    }
    const auto words = load_unaligned_words(at);
    return {words.low, words.high};
}

} // namespace vfsproto
