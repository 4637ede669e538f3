// SPDX-License-Identifier: BSD-2-Clause
// Both sides of a ring of one kind, by the same names, on memory of their own: what ring_cost and ring_time measure.
#pragma once

#include "vfsproto/virtqueue/packed_device.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"
#include "vfsproto/virtqueue/split_device.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

#include <cstdlib>
#include <vector>

namespace vfsproto::bench {

inline constexpr std::uint16_t kSize = 256; // of the rings
inline constexpr DeviceAddr kBase{0x100000};
inline constexpr std::uint32_t kWritten = 16; // as a reply to a request

inline void must(Errc errc) {
    if (errc != Errc::ok) std::abort();
}

struct Split {
    using Ring = SplitRing;
    static std::size_t ring_bytes() { return split_layout(kSize).total_bytes; }
    static std::size_t table_bytes() { return split_indirect_bytes(kSize, 4); }

    Ring ring;
    SplitDriver driver;
    SplitDevice device;
    std::vector<SplitDriverState> shadow{split_driver_state_count(kSize)};
    std::vector<SplitDeviceState> heads{split_device_state_count(kSize)};

    void start(const RegionTable& memory, const Region& tables, UseOrder order, std::uint16_t segments) {
        SplitDriverOptions options;
        options.order = order;
        options.event_index = EventIndex::on;
        options.indirect = tables;
        options.max_segments = segments;
        must(driver.init(ring, shadow, options));
        must(device.init(ring, memory, heads, {.event_index = EventIndex::on, .order = order}));
    }
    // The cheapest device there can be: copies heads to used ids.
    std::uint16_t served = 0;
    void serve_bare(std::size_t burst, std::size_t) {
        for (std::size_t i = 0; i < burst; ++i, ++served) {
            const std::uint16_t head = load_relaxed(ring.avail_entries()[served % kSize]);
            store_relaxed(ring.used_entries()[served % kSize].id, head);
        }
        store_release(ring.used()[SplitRing::kIndex], served);
    }
};

struct Packed {
    using Ring = PackedRing;
    static std::size_t ring_bytes() { return packed_layout(kSize).total_bytes; }
    static std::size_t table_bytes() { return packed_indirect_bytes(kSize, 4); }

    Ring ring;
    PackedDriver driver;
    PackedDevice device;
    std::vector<PackedDriverState> shadow{packed_driver_state_count(kSize)};
    std::vector<PackedDeviceState> heads{packed_device_state_count(kSize)};

    void start(const RegionTable& memory, const Region& tables, UseOrder order, std::uint16_t segments) {
        PackedDriverOptions options;
        options.event_index = EventIndex::on;
        options.order = order;
        options.indirect = tables;
        options.max_segments = segments;
        options.direct_segments = 1;
        must(driver.init(ring, shadow, options));
        must(device.init(ring, memory, heads, {.event_index = EventIndex::on, .order = order}));
    }
    // Turns available descriptors of a packed ring into used ones.
    std::uint32_t served = 0;
    std::uint64_t used = PackedDesc::flags(packed::kBoth);
    void serve_bare(std::size_t burst, std::size_t chain) {
        for (std::size_t i = 0; i < burst; ++i) {
            PackedDesc& desc = ring.descriptors()[served];
            store_release(desc.word,
                          PackedDesc::pack(kWritten, PackedDesc::id_of(load_relaxed(desc.word)), packed::kWrite) |
                              used);
            served += static_cast<std::uint32_t>(chain);
            if (served >= kSize) served -= kSize, used ^= PackedDesc::flags(packed::kBoth);
        }
    }
};

// A ring with memory of its own for its areas, its tables and the data.
template <class Rings> struct OwnRings : Rings {
    std::vector<std::byte> memory;
    RegionTable table;
    Region data; // kDataBytes

    static constexpr std::size_t kDataBytes = std::size_t{128} * 4096;

    // Chains have up to `segments`, at most four.
    OwnRings(const bool indirect, UseOrder order, std::uint16_t segments = 4) {
        const std::size_t tables = Rings::table_bytes();
        const std::size_t offset = (Rings::ring_bytes() + 63) / 64 * 64;
        memory.resize(offset + tables + kDataBytes + 64);
        auto* start = memory.data();
        while (reinterpret_cast<std::uintptr_t>(start) % 64 != 0) ++start;
        const Region all(start, kBase, offset + tables + kDataBytes);
        this->ring = *Rings::Ring::in(all, kSize);
        data = all.part(offset + tables, kDataBytes);
        must(table.add(all));
        this->start(table, indirect ? all.part(offset, tables) : Region(), order, segments);
    }
};

} // namespace vfsproto::bench
