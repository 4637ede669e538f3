// SPDX-License-Identifier: BSD-2-Clause
// Question: how long does a buffer take through a ring, and how many doorbells and interrupts?
// Use: ring_time RING PLACEMENT BURST SECONDS; prints one JSON object. RING: split, split-in-order, packed,
// packed-in-order, each also as NAME-table (the driver's side through the C table); bare (an array of words that says
// whose each of its places is: what a ring costs at least). PLACEMENT:
//   one-thread      a burst is submitted, served, collected; nobody sleeps
//   same-core       two threads on one CPU, which sleep when there is nothing to do; with event index
//   two-cores       two threads, which poll
//   two-cores-sleep two threads, which sleep
//   pop-4, pop-indirect-4, push   of the device side alone: pop and walk of chains of four descriptors, 32 at a time, and
//                   giving them back
//   fuse-one-thread null FUSE requests between a client lane and a server lane, BURST of them under way
//   fuse            the same on two cores
//   line            a cache line between two cores, there and back; RING means nothing
// In the placements of two threads up to 256 buffers are under way; BURST are submitted with one kick, and at most as many
// completed with one publication. Times are medians, of windows of a millisecond each: what else runs on the machine
// takes CPUs away for longer than that. Exit code 77: there are not two CPUs.
#include "ring_parts.hpp"
#include "two_threads.hpp"

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/posix/detail/any_ring.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::bench;

namespace {

struct Case {
    std::string placement;
    std::size_t burst = 1;
    double seconds = 0.2;
};

// Seconds per buffer, window by window.
class Windows {
public:
    explicit Windows(double start) : begin_(start) {}
    void look(double at, std::uint64_t finished) {
        if (at - begin_ < 1e-3) return;
        each_.push_back((at - begin_) / static_cast<double>(finished - finished_));
        begin_ = at;
        finished_ = finished;
    }
    [[nodiscard]] double median_ns() {
        if (each_.empty()) std::abort(); // too short a run
        const auto middle = each_.begin() + static_cast<std::ptrdiff_t>(each_.size() / 2);
        std::nth_element(each_.begin(), middle, each_.end());
        return *middle * 1e9;
    }

private:
    double begin_;
    std::uint64_t finished_ = 0;
    std::vector<double> each_;
};

struct Figures {
    double ns = 0;
    double kicks = 0;
    double interrupts = 0;
};

// The baseline is a ring with the least to it: a place belongs to the device while its word is not 0.
struct Bare {
    Le64 words[kSize];
    Le64 addresses[kSize];

    struct Driver {
        Bare* bare;
        std::size_t submitted = 0;
        std::size_t completed = 0;
        Token tokens[kSize] = {};

        [[nodiscard]] QueueLimits limits() const noexcept { return {kSize, 1, WrittenLength::exact}; }
        [[nodiscard]] Errc submit(std::span<const Segment>, std::span<const Segment> writable, Token token) noexcept {
            const std::size_t at = submitted % kSize;
            if (submitted - completed == kSize) return Errc::queue_full;
            store_relaxed(bare->addresses[at], to_number(writable[0].addr));
            tokens[at] = token;
            store_release(bare->words[at], writable[0].len);
            ++submitted;
            return Errc::ok;
        }
        void kick() noexcept {}
        [[nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
            std::size_t done = 0;
            while (done < out.size() && completed != submitted && load_acquire(bare->words[completed % kSize]) == 0) {
                out[done++] = {tokens[completed++ % kSize], kWritten};
            }
            return done;
        }
        [[nodiscard]] bool arm(std::uint16_t) noexcept { return true; }
        void disarm() noexcept {}
        [[nodiscard]] Errc error() const noexcept { return Errc::ok; }
        [[nodiscard]] std::size_t evacuate(std::span<Completion>) noexcept { return 0; }
        [[nodiscard]] RingDriverCounters counters() const noexcept { return {}; }
        void set_doorbell(Doorbell) noexcept {}
    };
    struct Device {
        Bare* bare;
        std::size_t popped = 0;

        [[nodiscard]] bool pop(Chain& chain) noexcept {
            const std::uint64_t word = load_acquire(bare->words[popped % kSize]);
            if (word == 0) return false;
            chain.storage[0] = {nullptr, static_cast<std::uint32_t>(word)};
            chain.head = static_cast<std::uint16_t>(popped++ % kSize);
            return true;
        }
        [[nodiscard]] Errc push(const Chain& chain, std::uint32_t) noexcept {
            store_release(bare->words[chain.head], 0);
            return Errc::ok;
        }
        [[nodiscard]] bool wants_notification() noexcept { return false; }
        [[nodiscard]] bool arm() noexcept { return true; }
        void disarm() noexcept {}
    };
    Driver driver{this};
    Device device{this};
    Region data{nullptr, kBase, 4096};
};

Segment buffer_of(const Region& data) { return {data.device(), 1024}; }

template <class Driver> void submit(Driver& driver, Segment buffer, std::size_t burst) {
    for (std::uint16_t i = 0; i < burst; ++i) must(driver.submit({}, {&buffer, 1}, Token{i}));
    driver.kick();
}

// Serves up to `most` chains. Returns how many.
template <class Device> std::size_t serve(Device& device, Chain& chain, std::size_t most) {
    std::size_t done = 0;
    while (done < most && device.pop(chain)) {
        must(device.push(chain, kWritten));
        ++done;
    }
    return done;
}

template <class Driver, class Device>
Figures on_one_thread(Driver& driver, Device& device, Segment buffer, const Case& wanted) {
    Completion done[kSize];
    HostSegment storage[4];
    Chain chain{.storage = storage};
    std::uint64_t count = 0;
    const double start = now();
    double end = start;
    Windows windows(start);
    do {
        for (int i = 0; i < 64; ++i) {
            submit(driver, buffer, wanted.burst);
            if (serve(device, chain, wanted.burst) != wanted.burst) std::abort();
            static_cast<void>(device.wants_notification());
            if (driver.poll(done) != wanted.burst) std::abort();
        }
        count += 64 * wanted.burst;
        end = now();
        windows.look(end, count);
    } while (end - start < wanted.seconds);
    return {windows.median_ns(), 0, 0};
}

enum class Idle { polls, sleeps };

template <class Driver, class Device>
Figures on_two_threads(Driver& driver, Device& device, Segment buffer, const Case& wanted, Idle idle) {
    Event kick;
    Event call;
    std::atomic<bool> is_done{false};
    std::uint64_t interrupts = 0;
    HostSegment storage[4];
    Chain chain{.storage = storage};
    const auto doorbell = [](void* event, std::uint16_t) noexcept { static_cast<Event*>(event)->signal(); };
    driver.set_doorbell({doorbell, &kick});
    if (idle == Idle::polls) {
        driver.disarm();
        device.disarm();
    }
    std::thread server = run_on(wanted.placement == "same-core" ? 0 : 1, [&] {
        while (!is_done.load(std::memory_order_relaxed)) {
            if (serve(device, chain, wanted.burst) != 0) {
                if (device.wants_notification()) ++interrupts, call.signal();
            } else if (idle == Idle::polls) {
                cpu_relax();
            } else if (!device.arm() && !is_done) {
                kick.wait();
            }
        }
    });
    Completion done[kSize];
    std::uint64_t submitted = 0;
    std::uint64_t finished = 0;
    std::uint64_t look = 0;
    const double start = now();
    Windows windows(start);
    for (bool is_over = false; !is_over || finished != submitted;) {
        while (!is_over && submitted - finished + wanted.burst <= kSize) {
            submit(driver, buffer, wanted.burst);
            submitted += wanted.burst;
        }
        const std::size_t n = driver.poll(done);
        finished += n;
        if (finished >= look) {
            const double at = now();
            windows.look(at, finished);
            is_over = at - start >= wanted.seconds;
            look = finished + kSize;
        }
        if (n != 0) continue;
        if (idle == Idle::polls) {
            cpu_relax();
        } else if (!driver.arm(static_cast<std::uint16_t>(wanted.burst)) && finished != submitted) {
            call.wait();
        }
    }
    is_done = true;
    kick.signal();
    server.join();
    const std::uint64_t kicks = driver.counters().doorbells;
    const auto count = static_cast<double>(finished);
    return {windows.median_ns(), static_cast<double>(kicks) / count, static_cast<double>(interrupts) / count};
}

// 32 chains of four descriptors, as a FUSE READ has them with its arguments apart.
template <class Rings> Figures device_alone(Rings& rings, const Case& wanted) {
    constexpr std::size_t kChains = 32;
    const Segment readable[] = {{rings.data.device(), 40}, {rings.data.device() + 64, 40}};
    const Segment writable[] = {{rings.data.device() + 128, 16}, {rings.data.device() + 4096, 4096}};
    HostSegment storage[kChains][4];
    Chain chains[kChains];
    for (std::size_t i = 0; i < kChains; ++i) chains[i].storage = storage[i];
    Completion done[kChains];
    std::uint64_t rounds = 0;
    std::uint64_t bytes = 0;
    std::vector<double> spent;
    const double start = now();
    const double clock = cost_of_clock();
    do {
        for (std::uint16_t i = 0; i < kChains; ++i) must(rings.driver.submit(readable, writable, Token{i}));
        rings.driver.kick();
        const double before = now();
        for (Chain& chain : chains) {
            if (!rings.device.pop(chain)) std::abort();
            bytes += total_length(chain.readable()) + total_length(chain.writable());
        }
        const double between = now();
        for (const Chain& chain : chains) must(rings.device.push(chain, kWritten));
        rings.device.publish();
        const double after = now();
        spent.push_back((wanted.placement == "push" ? after - between : between - before) - clock);
        ++rounds;
        if (rings.driver.poll(done) != kChains) std::abort();
    } while (now() - start < wanted.seconds);
    if (bytes != rounds * kChains * 4192) std::abort();
    const auto middle = spent.begin() + static_cast<std::ptrdiff_t>(spent.size() / 2);
    std::nth_element(spent.begin(), middle, spent.end());
    return {*middle / kChains * 1e9, 0, 0};
}

struct NoFiles {
    [[nodiscard]] server::ServerOptions options() const noexcept { return {}; }
    void on_init(const server::ServerSession&) noexcept {}
    void on_destroy() noexcept {}
};
constexpr wire::OpInfo kNullOp{.opcode = wire::Opcode{4095}, .name = "NULL", .form = wire::Form::fixed};

struct NullRequests {
    posix::Lane* lane;
    std::uint64_t finished = 0;
    bool is_over = false;
};
void on_null_done(client::Request& request) noexcept {
    auto& all = *static_cast<NullRequests*>(request.owner);
    if (request.errc != Errc::ok || request.error != abi::Errno::enosys) std::abort();
    ++all.finished;
    if (!all.is_over) all.lane->enqueue(request);
}

// The device's side of them.
template <class Device> class NullServer {
public:
    explicit NullServer(Device& device) : device_(device), lane_(device, files_, session_, {segments_, scratch_}, {}) {}
    // Returns whether there was something to do.
    bool serve(std::size_t most) {
        const bool has_served = lane_.serve(most) != 0;
        static_cast<void>(device_.wants_notification());
        return has_served;
    }

private:
    Device& device_;
    NoFiles files_;
    server::ServerSession session_;
    server::RequestScratch scratch_;
    HostSegment segments_[8];
    server::ServerLane<Device, NoFiles> lane_;
};

// `turn` is what this thread does between kicking and looking for answers.
template <class Rings, class Turn> Figures drive_null_requests(Rings& rings, const Case& wanted, Turn&& turn) {
    constexpr std::uint32_t kBounce = 8192;
    if (rings.data.size() < posix::Lane::memory_bytes(wanted.burst, kBounce)) std::abort();
    std::vector<posix::Lane::Entry> entries(wanted.burst);
    posix::Lane lane;
    client::LaneOptions options;
    options.bounce = kBounce;
    options.lengths = WrittenLength::upper_bound;
    must(lane.init(posix::AnyRing(rings.driver), entries, rings.data, options));
    NullRequests all{&lane};
    std::vector<client::Request> requests(wanted.burst);
    for (client::Request& request : requests) {
        request.op = &kNullOp;
        request.nodeid = 1;
        request.owner = &all;
        request.on_done = on_null_done;
        lane.enqueue(request);
    }
    const double start = now();
    Windows windows(start);
    std::uint64_t look = 0;
    while (!lane.idle()) {
        lane.kick();
        turn();
        if (lane.drain() == 0) cpu_relax();
        if (all.finished < look) continue;
        const double at = now();
        windows.look(at, all.finished);
        all.is_over = at - start >= wanted.seconds;
        look = all.finished + 256;
    }
    return {windows.median_ns(), 0, 0};
}

template <class Rings> Figures null_requests(Rings& rings, const Case& wanted) {
    rings.driver.disarm();
    rings.device.disarm();
    if (wanted.placement == "fuse-one-thread") {
        NullServer server(rings.device);
        return drive_null_requests(rings, wanted, [&] { server.serve(wanted.burst); });
    }
    std::atomic<bool> is_done{false};
    std::thread server_thread = run_on(1, [&] {
        NullServer server(rings.device);
        while (!is_done.load(std::memory_order_relaxed)) {
            if (!server.serve(wanted.burst)) cpu_relax();
        }
    });
    const Figures figures = drive_null_requests(rings, wanted, [] {});
    is_done = true;
    server_thread.join();
    return figures;
}

template <class Driver, class Device>
Figures exchange(Driver& driver, Device& device, const Region& data, const Case& wanted) {
    const Segment buffer = buffer_of(data);
    if (wanted.placement == "one-thread") return on_one_thread(driver, device, buffer, wanted);
    if (wanted.placement == "two-cores") return on_two_threads(driver, device, buffer, wanted, Idle::polls);
    return on_two_threads(driver, device, buffer, wanted, Idle::sleeps);
}

template <class Rings> Figures measure(UseOrder order, bool by_table, const Case& wanted) {
    const bool is_fuse = wanted.placement.substr(0, 4) == "fuse";
    const bool is_device = wanted.placement.substr(0, 3) == "pop" || wanted.placement == "push";
    const bool is_indirect = wanted.placement == "pop-indirect-4";
    OwnRings<Rings> rings(is_indirect, order, static_cast<std::uint16_t>(is_device || is_fuse ? 4 : 1));
    if (is_fuse) return null_requests(rings, wanted);
    if (is_device) return device_alone(rings, wanted);
    if (!by_table) return exchange(rings.driver, rings.device, rings.data, wanted);
    // Calls that only our own driver has are made before the driver is hidden behind the table.
    struct ByTable : QueueRef {
        decltype(rings.driver)& driver;
        explicit ByTable(decltype(rings.driver)& of) : QueueRef(make_queue_ref(of)), driver(of) {}
        void set_doorbell(Doorbell doorbell) noexcept { driver.set_doorbell(doorbell); }
        void disarm() noexcept { driver.disarm(); }
        [[nodiscard]] RingDriverCounters counters() const noexcept { return driver.counters(); }
    } table(rings.driver);
    return exchange(table, rings.device, rings.data, wanted);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) return std::fprintf(stderr, "use: ring_time RING PLACEMENT BURST SECONDS\n"), 2;
    std::string ring = argv[1];
    const Case wanted{argv[2], std::strtoul(argv[3], nullptr, 10), std::strtod(argv[4], nullptr)};
    if (wanted.burst == 0 || wanted.burst > 32) return 2;
    const bool needs_two =
        wanted.placement.substr(0, 9) == "two-cores" || wanted.placement == "fuse" || wanted.placement == "line";
    if (needs_two && !has_two_cpus()) return 77;
    pin(0);
    Figures result;
    if (wanted.placement == "line") {
        result.ns = cache_line_round_trip(wanted.seconds);
    } else if (ring == "bare") {
        const auto bare = std::make_unique<Bare>();
        result = exchange(bare->driver, bare->device, bare->data, wanted);
    } else {
        const bool by_table = ring.size() > 6 && ring.substr(ring.size() - 6) == "-table";
        if (by_table) ring.resize(ring.size() - 6);
        const UseOrder order = ring.find("-in-order") != std::string::npos ? UseOrder::in_order : UseOrder::any;
        result = ring.substr(0, 5) == "split" ? measure<Split>(order, by_table, wanted)
                                              : measure<Packed>(order, by_table, wanted);
    }
    std::printf("{\"ns_per_buffer\": %.2f, \"kicks_per_buffer\": %.4f, \"interrupts_per_buffer\": %.4f}\n", result.ns,
                result.kicks, result.interrupts);
}
