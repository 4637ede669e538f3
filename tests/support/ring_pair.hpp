// SPDX-License-Identifier: BSD-2-Clause
// A ring with both of its sides on the same memory, and raw access to that memory for tests that play one side by hand.
// The rings' own region and the data region lie at unrelated device addresses.
#pragma once

#include "vfsproto/virtqueue/packed_device.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/split_device.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace vfsproto::test {

// Page-aligned zeroed memory.
class Pages {
public:
    explicit Pages(std::size_t size)
        : size_(size), start_(static_cast<std::byte*>(std::aligned_alloc(4096, round(size)))) {
        std::memset(start_.get(), 0, round(size));
    }
    [[nodiscard]] Region at(DeviceAddr addr) const { return {start_.get(), addr, size_}; }

private:
    static std::size_t round(std::size_t size) { return (size + 4095) / 4096 * 4096; }
    struct Free {
        void operator()(std::byte* memory) const { std::free(memory); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte, Free> start_;
};

// splitmix64: a test's random numbers depend on its seed and on nothing else.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t z = state_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    std::uint32_t below(std::uint64_t n) { return static_cast<std::uint32_t>(next() % n); }
    std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }
    bool one_in(std::uint32_t n) { return below(n) == 0; }

private:
    std::uint64_t state_;
};

struct RingPairOptions {
    std::uint16_t size = 8;
    EventIndex event_index = EventIndex::off;
    std::uint16_t max_segments = 2;
    IndirectTables indirect = IndirectTables::refused;
    std::uint16_t direct_segments = 1; // when indirect
    std::uint16_t start_index = 0;     // of the device, on a split ring
    Ordering ordering = Ordering::smp;
    UseOrder order = UseOrder::any;
};

// The parts of a ring of each kind, by the same names.
struct SplitParts {
    using Ring = SplitRing;
    using Driver = SplitDriver;
    using Device = SplitDevice;
    using Shadow = SplitDriverState;
    using Head = SplitDeviceState;
    static std::size_t ring_bytes(std::uint16_t size) { return split_layout(size).total_bytes; }
    static std::size_t table_bytes(std::uint16_t size, std::uint16_t max_segments) {
        return split_indirect_bytes(size, max_segments);
    }
    // The least legal size from this one on.
    static constexpr std::uint16_t legal(std::uint16_t size) { return std::bit_ceil(size); }
    using DriverOptions = SplitDriverOptions;
    using DeviceOptions = SplitDeviceOptions;
};
struct PackedParts {
    using Ring = PackedRing;
    using Driver = PackedDriver;
    using Device = PackedDevice;
    using Shadow = PackedDriverState;
    using Head = PackedDeviceState;
    static std::size_t ring_bytes(std::uint16_t size) { return packed_layout(size).total_bytes; }
    static std::size_t table_bytes(std::uint16_t size, std::uint16_t max_segments) {
        return packed_indirect_bytes(size, max_segments);
    }
    static constexpr std::uint16_t legal(std::uint16_t size) { return size; }
    using DriverOptions = PackedDriverOptions;
    using DeviceOptions = PackedDeviceOptions;
};

template <class Parts> class BasicRingPair : public Parts {
public:
    static constexpr DeviceAddr kRingAddr{0x10000};
    static constexpr DeviceAddr kDataAddr{0x7000'0000'0000};
    static constexpr std::size_t kDataBytes = std::size_t{1} << 20;

    explicit BasicRingPair(const RingPairOptions& chosen)
        : options(chosen),
          memory_(Parts::ring_bytes(chosen.size) + Parts::table_bytes(chosen.size, chosen.max_segments)),
          data_pages_(kDataBytes),
          data(data_pages_.at(kDataAddr)),
          ring(*Parts::Ring::in(memory_.at(kRingAddr), chosen.size)),
          shadow(chosen.size),
          heads(chosen.size) {
        must(table.add(memory_.at(kRingAddr)));
        must(table.add(data));
        must(driver.init(ring, shadow, driver_options()));
        must(device.init(ring, table, heads, device_options()));
    }
    BasicRingPair(const BasicRingPair&) = delete;
    BasicRingPair& operator=(const BasicRingPair&) = delete;

    [[nodiscard]] auto driver_options() {
        typename Parts::DriverOptions result;
        result.event_index = options.event_index;
        result.order = options.order;
        result.ordering = options.ordering;
        result.max_segments = options.max_segments;
        result.direct_segments = options.direct_segments;
        if (options.indirect == IndirectTables::accepted) result.indirect = tables();
        result.doorbell = {[](void* self, std::uint16_t next) noexcept {
                               ++static_cast<BasicRingPair*>(self)->doorbells;
                               static_cast<BasicRingPair*>(self)->rung_with = next;
                           },
                           this};
        return result;
    }
    [[nodiscard]] auto device_options() const {
        typename Parts::DeviceOptions result;
        result.order = options.order;
        result.event_index = options.event_index;
        result.indirect = options.indirect;
        result.ordering = options.ordering;
        return result;
    }
    // The device of a ring that starts anew.
    void start_device() { must(device.init(ring, table, heads, device_options())); }

    [[nodiscard]] Region ring_memory() const { return memory_.at(kRingAddr).part(0, Parts::ring_bytes(options.size)); }
    [[nodiscard]] Region tables() const {
        return memory_.at(kRingAddr).part(Parts::ring_bytes(options.size),
                                          Parts::table_bytes(options.size, options.max_segments));
    }
    [[nodiscard]] Segment segment(std::size_t offset, std::uint32_t len) const {
        return data.segment(data.host() + offset, len);
    }

    // One chain of one readable (16 bytes) and one writable (64 bytes) segment.
    Errc submit(std::uint16_t token) {
        const Segment readable[] = {segment(std::size_t{token} * 128, 16)};
        const Segment writable[] = {segment(std::size_t{token} * 128 + 64, 64)};
        return driver.submit(readable, writable, Token{token});
    }
    void submit_and_kick(std::uint16_t token) {
        must(submit(token));
        driver.kick();
    }
    // Pops one chain; its head, or -1 when there is none.
    int pop() { return device.pop(chain) ? chain.head : -1; }
    bool serve(std::uint32_t written = 0) {
        if (pop() < 0) return false;
        must(device.push(chain, written));
        device.publish();
        return true;
    }
    std::size_t poll() { return driver.poll(done); }
    [[nodiscard]] std::uint64_t data_addr(std::size_t offset = 0) const { return to_number(data.device()) + offset; }

    static void must(Errc errc) {
        if (errc != Errc::ok) std::abort();
    }

    const RingPairOptions options;

private:
    Pages memory_;
    Pages data_pages_;

public:
    const Region data;
    const typename Parts::Ring ring;
    RegionTable table;
    std::vector<typename Parts::Shadow> shadow;
    std::vector<typename Parts::Head> heads;
    typename Parts::Driver driver;
    typename Parts::Device device;
    HostSegment storage[64];
    Chain chain{.storage = storage};
    Completion done[64];
    int doorbells = 0;
    std::uint16_t rung_with = 0; // what the doorbell was told last
};

class RingPair : public BasicRingPair<SplitParts> {
public:
    explicit RingPair(const RingPairOptions& chosen) : BasicRingPair(chosen) {
        if (chosen.start_index != 0) start_device(chosen.start_index);
    }
    using BasicRingPair::start_device;
    void start_device(std::uint16_t start_index) {
        SplitDeviceOptions start = device_options();
        start.start_index = start_index;
        must(device.init(ring, table, heads, start));
    }

    // Playing the device by hand: writes a used entry, and the index behind it.
    void forge_used(std::uint32_t id, std::uint32_t len) {
        const std::uint16_t index = ring.used()[SplitRing::kIndex].value();
        ring.used_entries()[index & (ring.size() - 1)] = {id, len};
        ring.used()[SplitRing::kIndex] = static_cast<std::uint16_t>(index + 1);
    }
    // Playing the driver by hand.
    void forge_descriptor(std::uint16_t at, std::uint64_t addr, std::uint32_t len, std::uint16_t flags,
                          std::uint16_t next) {
        ring.descriptors()[at] = {addr, len, SplitDesc::pack(flags, next)};
    }
    void forge_avail(std::uint16_t head) {
        const std::uint16_t index = ring.avail()[SplitRing::kIndex].value();
        ring.avail_entries()[index & (ring.size() - 1)] = head;
        ring.avail()[SplitRing::kIndex] = static_cast<std::uint16_t>(index + 1);
    }
};

class PackedPair : public BasicRingPair<PackedParts> {
public:
    using BasicRingPair::BasicRingPair;

    // Playing the device by hand: a used descriptor where the next one belongs. `place` goes on by `descriptors`.
    void forge_used(std::uint32_t id, std::uint32_t len, std::uint16_t descriptors,
                    std::uint16_t flags = packed::kWrite) {
        const bool wrap = (used_place & packed::kWrap) != 0;
        const std::uint16_t both = wrap ? packed::kBoth : std::uint16_t{0};
        ring.descriptors()[used_place & ~packed::kWrap].word =
            PackedDesc::pack(len, id, static_cast<std::uint16_t>(flags | both));
        used_place = after(used_place, descriptors);
    }
    // Playing the driver by hand: the next available descriptor.
    void forge_avail(std::uint64_t addr, std::uint32_t len, std::uint32_t id, std::uint16_t flags) {
        const bool wrap = (avail_place & packed::kWrap) != 0;
        const std::uint16_t mark = wrap ? packed::kAvail : packed::kUsed;
        ring.descriptors()[avail_place & ~packed::kWrap] = {
            addr, PackedDesc::pack(len, id, static_cast<std::uint16_t>(flags | mark))};
        avail_place = after(avail_place, 1);
    }
    [[nodiscard]] std::uint16_t after(std::uint16_t place, std::uint16_t descriptors) const {
        const unsigned offset = (place & 0x7fffu) + descriptors;
        const unsigned wrap = place & packed::kWrap;
        return static_cast<std::uint16_t>(offset < ring.size() ? offset | wrap
                                                               : (offset - ring.size()) | (wrap ^ packed::kWrap));
    }

    std::uint16_t used_place = packed::kStart;
    std::uint16_t avail_place = packed::kStart;
};

} // namespace vfsproto::test
