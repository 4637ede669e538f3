// SPDX-License-Identifier: BSD-2-Clause
// Question: how many user instructions does one request cost in a ring, by kind, part and burst size?
// Use: ring_cost RING PART REQUESTS BURST under callgrind, once with N and once with 2N requests; the difference divided
// by N is the cost of one. RING: split, packed, in-order (packed). PART: both1 and both3 (driver and device, chains of 1
// and 3 descriptors), indirect3 (both, through a table), polling1 and polling3 (both, and neither side ever sleeps), driver1 and driver3 (the device is
// a few stores; not in-order). Else both sides ask for a notification after each burst, by event index.
#include "vfsproto/virtqueue/packed_device.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/split_device.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

using namespace vfsproto;

namespace {

constexpr std::uint16_t kSize = 256;
constexpr DeviceAddr kBase{0x100000};
constexpr std::uint32_t kWritten = 16; // as a reply to a request

void must(Errc errc) {
    if (errc != Errc::ok) std::abort();
}

struct Split {
    using Ring = SplitRing;
    static constexpr UseOrder kOrder = UseOrder::any;
    static std::size_t ring_bytes() { return split_layout(kSize).total_bytes; }
    static std::size_t table_bytes() { return split_indirect_bytes(kSize, 4); }

    Ring ring;
    SplitDriver driver;
    SplitDevice device;
    std::vector<SplitShadow> shadow{split_shadow_count(kSize)};
    std::vector<SplitHead> heads{split_head_count(kSize)};

    void start(const RegionTable& memory, const Region& tables, UseOrder) {
        SplitDriverOptions options;
        options.event_index = EventIndex::on;
        options.indirect = tables;
        must(driver.init(ring, shadow, options));
        must(device.init(ring, memory, heads, {.event_index = EventIndex::on}));
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
    std::vector<PackedShadow> shadow{packed_shadow_count(kSize)};
    std::vector<PackedHead> heads{packed_head_count(kSize)};

    void start(const RegionTable& memory, const Region& tables, UseOrder order) {
        PackedDriverOptions options;
        options.event_index = EventIndex::on;
        options.order = order;
        options.indirect = tables;
        options.direct_segments = 1;
        must(driver.init(ring, shadow, options));
        must(device.init(ring, memory, heads, {.event_index = EventIndex::on, .order = order}));
    }
    // As above: turns available descriptors into used ones.
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

template <class Rings> struct Bench : Rings {
    std::vector<std::byte> memory;
    RegionTable table;
    Segment data[3];
    Completion done[64];
    HostSegment segments[8];
    std::uint64_t sum = 0;
    bool sleeps = true;

    Bench(bool indirect, UseOrder order) {
        const std::size_t tables = Rings::table_bytes();
        const std::size_t offset = Rings::ring_bytes();
        memory.resize(offset + tables + 4096 + 64);
        auto* start = memory.data();
        while (reinterpret_cast<std::uintptr_t>(start) % 64 != 0) ++start;
        const Region all(start, kBase, offset + tables + 4096);
        this->ring = *Rings::Ring::in(all, kSize);
        must(table.add(all));
        this->start(table, indirect ? all.part(offset, tables) : Region(), order);
        for (std::uint32_t i = 0; i < 3; ++i) data[i] = {kBase + offset + tables + i * 1024, 1024};
    }

    template <std::size_t Readable, std::size_t Writable> void submit(std::size_t burst) {
        const Token end{static_cast<std::uint16_t>(burst)};
        for (Token token{}; token != end; ++token.slot) {
            must(this->driver.submit({data, Readable}, {data + Readable, Writable}, token));
        }
        this->driver.kick();
    }
    void collect(std::size_t burst) {
        const std::size_t n = this->driver.poll(done);
        if (n != burst) std::abort();
        sum += done[n - 1].written;
        if (sleeps) sum += this->driver.arm(1);
    }
    // The real device side.
    void serve() {
        Chain chain{.storage = segments};
        while (this->device.pop(chain)) {
            must(this->device.push(chain, kWritten));
        }
        sum += this->device.wants_notification();
        if (sleeps) sum += this->device.arm();
    }
};

template <class Rings, std::size_t Readable, std::size_t Writable>
int run(std::string_view part, UseOrder order, std::size_t requests, std::size_t burst) {
    Bench<Rings> bench(part.substr(0, 8) == "indirect", order);
    const bool is_bare = part.substr(0, 6) == "driver";
    if (part.substr(0, 7) == "polling") {
        bench.sleeps = false;
        bench.driver.disarm();
        bench.device.disarm();
    }
    for (std::size_t i = 0; i < requests; i += burst) {
        bench.template submit<Readable, Writable>(burst);
        if (is_bare)
            bench.serve_bare(burst, Readable + Writable);
        else
            bench.serve();
        bench.collect(burst);
    }
    return std::printf("%zu requests, burst %zu, %zu doorbells (checksum %llu)\n", requests, burst,
                       bench.driver.counters().doorbells, static_cast<unsigned long long>(bench.sum)) < 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) return std::fprintf(stderr, "use: ring_cost RING PART REQUESTS BURST\n"), 2;
    const std::string_view ring = argv[1];
    const std::string_view part = argv[2];
    const std::size_t requests = std::strtoul(argv[3], nullptr, 10);
    const std::size_t burst = std::strtoul(argv[4], nullptr, 10);
    if (burst == 0 || burst > 64) return 2;
    const UseOrder order = ring == "in-order" ? UseOrder::in_order : UseOrder::any;
    if (part.back() == '3') {
        if (ring == "split") return run<Split, 1, 2>(part, order, requests, burst);
        return run<Packed, 1, 2>(part, order, requests, burst);
    }
    if (ring == "split") return run<Split, 0, 1>(part, order, requests, burst);
    return run<Packed, 0, 1>(part, order, requests, burst);
}
