// SPDX-License-Identifier: BSD-2-Clause
// Question: how many user instructions does one request cost in the split ring, by part and burst size?
// Use: ring_cost CASE REQUESTS BURST under callgrind, once with N and once with 2N requests; the difference divided by N
// is the cost of one. Cases: both1 and both3 (driver and device, chains of 1 and 3 descriptors), driver1 and driver3 (the
// device is three stores), indirect3 (as driver3, through an indirect table).
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

struct Bench {
    std::vector<std::byte> memory;
    std::vector<SplitShadow> shadow{kSize};
    std::vector<SplitHead> heads{kSize};
    RegionTable table;
    SplitRing ring;
    SplitDriver driver;
    SplitDevice device;
    Segment data[3];
    Completion done[64];
    std::uint64_t sum = 0;

    explicit Bench(bool indirect) {
        const std::size_t tables = split_indirect_bytes(kSize, 4);
        const std::size_t offset = split_layout(kSize).total_bytes;
        memory.resize(offset + tables + 4096 + 64);
        auto* start = memory.data();
        while (reinterpret_cast<std::uintptr_t>(start) % 64 != 0) ++start;
        const Region all(start, kBase, offset + tables + 4096);
        ring = *SplitRing::in(all, kSize);
        SplitDriverOptions options;
        options.event_index = EventIndex::on;
        if (indirect) options.indirect = all.part(offset, tables);
        if (table.add(all) != Errc::ok || driver.init(ring, shadow, options) != Errc::ok) std::abort();
        if (device.init(ring, table, heads, {.event_index = EventIndex::on}) != Errc::ok) std::abort();
        for (std::uint32_t i = 0; i < 3; ++i) data[i] = {kBase + offset + tables + i * 1024, 1024};
    }

    void submit(std::size_t burst, std::size_t readable, std::size_t writable) {
        for (std::size_t i = 0; i < burst; ++i) {
            const Token token{static_cast<std::uint16_t>(i)};
            if (driver.submit({data, readable}, {data + readable, writable}, token) != Errc::ok) std::abort();
        }
        driver.kick();
    }
    void collect(std::size_t burst) {
        const std::size_t n = driver.poll(done);
        if (n != burst) std::abort();
        sum += done[n - 1].written + driver.arm(1);
    }
    // The real device side.
    void serve() {
        HostSegment segments[8];
        Chain chain{.storage = segments};
        while (device.pop(chain)) {
            if (device.push(chain, 0) != Errc::ok) std::abort();
        }
        sum += device.wants_notification() + device.arm();
    }
    // The cheapest device there can be: copies heads to used ids.
    std::uint16_t served = 0;
    void serve_bare(std::size_t burst) {
        for (std::size_t i = 0; i < burst; ++i, ++served) {
            const std::uint16_t head = load_relaxed(ring.avail_entries()[served % kSize]);
            store_relaxed(ring.used_entries()[served % kSize].id, head);
        }
        store_release(ring.used()[SplitRing::kIndex], served);
    }
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) return std::fprintf(stderr, "use: ring_cost CASE REQUESTS BURST\n"), 2;
    const std::string_view name = argv[1];
    const std::size_t requests = std::strtoul(argv[2], nullptr, 10);
    const std::size_t burst = std::strtoul(argv[3], nullptr, 10);
    const bool is_three = name.back() == '3';
    const bool is_bare = name.substr(0, 4) != "both";
    if (burst == 0 || burst > 64) return 2;
    Bench bench(name.substr(0, 8) == "indirect");
    for (std::size_t i = 0; i < requests; i += burst) {
        bench.submit(burst, is_three ? 1 : 0, is_three ? 2 : 1);
        if (is_bare)
            bench.serve_bare(burst);
        else
            bench.serve();
        bench.collect(burst);
    }
    std::printf("%s: %zu requests, burst %zu, %zu doorbells (checksum %llu)\n", argv[1], requests, burst,
                bench.driver.counters().doorbells, static_cast<unsigned long long>(bench.sum));
}
