// SPDX-License-Identifier: BSD-2-Clause
// A split ring with both of its sides on the same memory, and raw access to that memory for tests that play one side by
// hand. The rings' own region and the data region lie at unrelated device addresses.
#pragma once

#include "vfsproto/virtqueue/split_device.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

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
    std::uint16_t start_index = 0;     // of the device
    Ordering ordering = Ordering::smp;
};

class RingPair {
public:
    static constexpr DeviceAddr kRingAddr{0x10000};
    static constexpr DeviceAddr kDataAddr{0x7000'0000'0000};
    static constexpr std::size_t kDataBytes = std::size_t{1} << 20;

    explicit RingPair(const RingPairOptions& chosen)
        : options(chosen),
          memory_(layout_bytes(chosen)),
          data_pages_(kDataBytes),
          data(data_pages_.at(kDataAddr)),
          ring(*SplitRing::in(memory_.at(kRingAddr), chosen.size)),
          shadow(chosen.size),
          heads(chosen.size) {
        must(table.add(memory_.at(kRingAddr)));
        must(table.add(data));
        must(driver.init(ring, shadow, driver_options()));
        start_device(options.start_index);
    }
    RingPair(const RingPair&) = delete;
    RingPair& operator=(const RingPair&) = delete;

    void start_device(std::uint16_t start_index) {
        must(device.init(ring, table, heads,
                         {.event_index = options.event_index,
                          .indirect = options.indirect,
                          .ordering = options.ordering,
                          .start_index = start_index}));
    }

    [[nodiscard]] SplitDriverOptions driver_options() {
        SplitDriverOptions result;
        result.event_index = options.event_index;
        result.ordering = options.ordering;
        result.max_segments = options.max_segments;
        result.direct_segments = options.direct_segments;
        if (options.indirect == IndirectTables::accepted) result.indirect = tables();
        result.doorbell = {[](void* self) noexcept { ++static_cast<RingPair*>(self)->doorbells; }, this};
        return result;
    }
    [[nodiscard]] Region ring_memory() const {
        return memory_.at(kRingAddr).part(0, split_layout(options.size).total_bytes);
    }
    [[nodiscard]] Region tables() const {
        return memory_.at(kRingAddr).part(split_layout(options.size).total_bytes,
                                          split_indirect_bytes(options.size, options.max_segments));
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
    [[nodiscard]] std::uint64_t data_addr(std::size_t offset = 0) const { return to_number(data.device()) + offset; }

    static void must(Errc errc) {
        if (errc != Errc::ok) std::abort();
    }

    const RingPairOptions options;

private:
    static std::size_t layout_bytes(const RingPairOptions& options) {
        return split_layout(options.size).total_bytes + split_indirect_bytes(options.size, options.max_segments);
    }
    Pages memory_;
    Pages data_pages_;

public:
    const Region data;
    const SplitRing ring;
    RegionTable table;
    std::vector<SplitShadow> shadow;
    std::vector<SplitHead> heads;
    SplitDriver driver;
    SplitDevice device;
    HostSegment storage[64];
    Chain chain{.storage = storage};
    Completion done[64];
    int doorbells = 0;
};

} // namespace vfsproto::test
