// SPDX-License-Identifier: BSD-2-Clause
// Question: how many user instructions does one request cost in a ring, by kind, part and burst size?
// Use: ring_cost RING PART REQUESTS BURST under callgrind, once with N and once with 2N requests; the difference divided
// by N is the cost of one. RING: split, packed, split-in-order, packed-in-order. PART: both1 and both3 (driver and device,
// chains of 1 and 3 descriptors), indirect3 (both, through a table), polling1 and polling3 (both, and neither side ever
// sleeps), driver1 and driver3 (the device is a few stores; not in order), table1 and polling-table1 (both, the driver's
// through the C table). Else both sides ask for a notification after each burst, by event index.
#include "ring_parts.hpp"

#include <cstdio>
#include <string_view>

using namespace vfsproto;
using namespace vfsproto::bench;

namespace {

template <class Rings> struct Bench : OwnRings<Rings> {
    Segment data[3];
    Completion done[64];
    HostSegment segments[8];
    std::uint64_t sum = 0;
    bool sleeps = true;

    Bench(bool indirect, UseOrder order) : OwnRings<Rings>(indirect, order) {
        for (std::uint32_t i = 0; i < 3; ++i) data[i] = {OwnRings<Rings>::data.device() + i * 1024, 1024};
    }

    template <std::size_t Readable, std::size_t Writable, class Driver> void submit(Driver& driver, std::size_t burst) {
        const Token end{static_cast<std::uint16_t>(burst)};
        for (Token token{}; token != end; ++token.slot) {
            must(driver.submit({data, Readable}, {data + Readable, Writable}, token));
        }
        driver.kick();
    }
    template <class Driver> void collect(Driver& driver, std::size_t burst) {
        const std::size_t n = driver.poll(done);
        if (n != burst) std::abort();
        sum += done[n - 1].written;
        if (sleeps) sum += driver.arm(1);
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
    const auto loop = [&](auto& driver) {
        for (std::size_t i = 0; i < requests; i += burst) {
            bench.template submit<Readable, Writable>(driver, burst);
            if (is_bare)
                bench.serve_bare(burst, Readable + Writable);
            else
                bench.serve();
            bench.collect(driver, burst);
        }
    };
    if (part.find("table") != part.npos) {
        QueueRef driver = make_queue_ref(bench.driver);
        loop(driver);
    } else {
        loop(bench.driver);
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
    const UseOrder order = ring == "split-in-order" || ring == "packed-in-order" ? UseOrder::in_order : UseOrder::any;
    const bool is_split = ring == "split" || ring == "split-in-order";
    if (part.back() == '3') {
        if (is_split) return run<Split, 1, 2>(part, order, requests, burst);
        return run<Packed, 1, 2>(part, order, requests, burst);
    }
    if (is_split) return run<Split, 0, 1>(part, order, requests, burst);
    return run<Packed, 0, 1>(part, order, requests, burst);
}
