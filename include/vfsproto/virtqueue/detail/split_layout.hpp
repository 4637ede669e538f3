// SPDX-License-Identifier: BSD-2-Clause
// A split virtqueue in memory: its three areas, byte for byte (virtio 1.2 §2.7.2, §2.7.5 to §2.7.8).
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/virtqueue/detail/ring_layout.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto {

inline constexpr std::uint16_t kSplitMaxSize = 32768; // entries, virtio 1.2 §2.7.1

// True for powers of two up to kSplitMaxSize. <bit> is not used: on a machine without an instruction for it, its functions
// call the compiler's run-time library.
[[nodiscard]] constexpr bool is_split_size(std::uint32_t size) noexcept {
    return size != 0 && size <= kSplitMaxSize && (size & (size - 1)) == 0;
}
// Returns the largest legal size that is not above an offer; 0 for an offer of 0.
[[nodiscard]] constexpr std::uint16_t split_size_within(std::uint16_t offered) noexcept {
    std::uint16_t floor = kSplitMaxSize;
    while (floor > offered) floor = static_cast<std::uint16_t>(floor >> 1);
    return floor;
}

// Flag bits, virtio 1.2 §2.7.5 to §2.7.8.
namespace split {
inline constexpr std::uint16_t kNext = 1;        // descriptor: continues at `next`
inline constexpr std::uint16_t kWrite = 2;       // descriptor: device-writable
inline constexpr std::uint16_t kIndirect = 4;    // descriptor: a table of descriptors
inline constexpr std::uint16_t kNoInterrupt = 1; // avail.flags
inline constexpr std::uint16_t kNoNotify = 1;    // used.flags
} // namespace split

// struct virtq_desc: le64 addr, le32 len, le16 flags, le16 next. The last two are one little-endian word here: three
// accesses write a descriptor, and read each value of it exactly once. In a ring it is touched through store_descriptor()
// and load_descriptor() only; the accessors are for a private copy.
struct SplitDesc {
    Le64 addr;
    Le32 len; // bytes
    Le32 link;

    [[nodiscard]] static constexpr std::uint32_t pack(std::uint16_t flags, std::uint32_t next) noexcept {
        return flags | next << 16;
    }
    [[nodiscard]] constexpr bool has(std::uint16_t flag) const noexcept { return (link.value() & flag) != 0; }
    [[nodiscard]] constexpr std::uint32_t next() const noexcept { return link.value() >> 16; }
};
static_assert(sizeof(SplitDesc) == 16);

// struct virtq_used_elem. `id` is 32 bits wide on the wire and compared so.
struct SplitUsed {
    Le32 id;
    Le32 len;
};
static_assert(sizeof(SplitUsed) == 8 && alignof(SplitUsed) == 4);

// Offsets of the three areas of a ring in one block of memory. The driver and the device never write to one cache line. used_event and avail_event are always there, negotiated or not. All in bytes.
struct SplitLayout {
    std::size_t descriptor_bytes{}; // at offset 0
    std::size_t driver_offset{};    // "available ring"
    std::size_t driver_bytes{};
    std::size_t device_offset{}; // "used ring"
    std::size_t device_bytes{};
    std::size_t total_bytes{};
};

inline constexpr RingAreaSizes kSplitAlign{.descriptors = 16, .driver = 2, .device = 4};

[[nodiscard]] constexpr SplitLayout split_layout(std::uint16_t size) noexcept {
    constexpr std::size_t line = 64;
    const auto round_up = [](std::size_t n) { return (n + line - 1) / line * line; }; // [split.layout.round]
    SplitLayout layout;
    layout.descriptor_bytes = std::size_t{16} * size;
    layout.driver_bytes = 6 + std::size_t{2} * size;
    layout.device_bytes = 6 + std::size_t{8} * size;
    layout.driver_offset = round_up(layout.descriptor_bytes);
    layout.device_offset = round_up(layout.driver_offset + layout.driver_bytes);
    layout.total_bytes = round_up(layout.device_offset + layout.device_bytes);
    return layout;
}

// Descriptors anywhere: an indirect table (virtio 1.2 §2.7.5.3).
[[nodiscard]] inline SplitDesc* descriptors_at(std::byte* host) noexcept { return reinterpret_cast<SplitDesc*>(host); }

// The three areas of one ring, as pointers. A view: it owns nothing.
class SplitRing : public RingAreas {
public:
    constexpr SplitRing() noexcept = default;

    // A ring laid out by split_layout() at the start of `memory`. Errors: bad_argument (not a legal size, misaligned),
    // no_memory (too small).
    [[nodiscard]] static Result<SplitRing> in(const Region& memory, std::uint16_t size) noexcept {
        const SplitLayout layout = split_layout(size);
        if (memory.size() < layout.total_bytes) return Errc::no_memory;
        return of(memory.part(0, layout.descriptor_bytes), memory.part(layout.driver_offset, layout.driver_bytes),
                  memory.part(layout.device_offset, layout.device_bytes), size);
    }
    // A ring whose areas lie anywhere. Errors: as above.
    [[nodiscard]] static Result<SplitRing> of(const Region& descriptors, const Region& driver, const Region& device,
                                              std::uint16_t size) noexcept {
        const SplitLayout layout = split_layout(size);
        if (!is_split_size(size)) return Errc::bad_argument;
        SplitRing ring;
        const RingAreaSizes bytes{layout.descriptor_bytes, layout.driver_bytes, layout.device_bytes};
        const Errc taken = ring.take(descriptors, driver, device, size, {bytes, kSplitAlign});
        if (taken != Errc::ok) return taken;
        return ring;
    }

    [[nodiscard]] SplitDesc* descriptors() const noexcept { return descriptors_at(descriptor_bytes()); }
    [[nodiscard]] Le16* avail() const noexcept { return reinterpret_cast<Le16*>(driver_bytes()); }
    [[nodiscard]] Le16* used() const noexcept { return reinterpret_cast<Le16*>(device_bytes()); }

    // struct virtq_avail and virtq_used, as element numbers of the two arrays of Le16 above.
    static constexpr std::size_t kFlags = 0;
    static constexpr std::size_t kIndex = 1;
    static constexpr std::size_t kEntries = 2;
    [[nodiscard]] Le16* avail_entries() const noexcept { return avail() + kEntries; }
    [[nodiscard]] SplitUsed* used_entries() const noexcept {
        return reinterpret_cast<SplitUsed*>(device_bytes() + 2 * kEntries); // [split.layout.entries]
    }
    [[nodiscard]] Le16* used_event() const noexcept { return avail() + kEntries + size(); }
    [[nodiscard]] Le16* avail_event() const noexcept { return used() + kEntries + std::size_t{4} * size(); }
};

// Reads one descriptor, each word exactly once: what is checked is what is used.
[[nodiscard]] inline SplitDesc load_descriptor(const SplitDesc& at) noexcept {
    return {load_relaxed(at.addr), load_relaxed(at.len), load_relaxed(at.link)};
}
// Reads one entry of an indirect table, at an address the driver chose: the specification asks for no alignment.
[[nodiscard]] inline SplitDesc load_descriptor_at(const std::byte* at) noexcept {
    if (reinterpret_cast<std::uintptr_t>(at) % alignof(SplitDesc) == 0) {
        return load_descriptor(*reinterpret_cast<const SplitDesc*>(at));
    }
    const UnalignedWords words = load_unaligned_words(at);
    return {words.low, static_cast<std::uint32_t>(words.high), static_cast<std::uint32_t>(words.high >> 32)};
}
[[gnu::always_inline]] inline void store_descriptor(SplitDesc& at, const Segment& segment,
                                                    std::uint32_t link) noexcept {
    store_relaxed(at.addr, to_number(segment.addr));
    store_relaxed(at.len, segment.len);
    store_relaxed(at.link, link);
}

} // namespace vfsproto
