// SPDX-License-Identifier: BSD-2-Clause
// A driver thread and a device thread on one ring, each blocking on an eventfd when, and only when, arm() says so. For
// ThreadSanitizer as much as for lost notifications: those would end in the time-out.
#include "support/interleave.hpp" // the same in each translation unit of this program

#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "support/scale.hpp"

#include <atomic>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

class Event {
public:
    Event() : fd_(eventfd(0, EFD_CLOEXEC)) {}
    ~Event() { close(fd_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    void signal() noexcept {
        const std::uint64_t one = 1;
        static_cast<void>(!write(fd_, &one, sizeof one));
    }
    // False: nobody signalled for far longer than anything takes.
    bool wait() noexcept {
        pollfd entry{fd_, POLLIN, 0};
        if (::poll(&entry, 1, 60'000) != 1) return false;
        std::uint64_t count = 0;
        return read(fd_, &count, sizeof count) == sizeof count;
    }

private:
    int fd_;
};

template <class Pair> struct Threads {
    Pair pair;
    const std::uint32_t requests;
    const std::uint16_t coalesce;
    Event kick;
    Event call;
    std::atomic<bool> is_done{false};
    std::atomic<bool> has_failed{false};

    const bool is_alone; // the chains' segments

    Threads(const RingPairOptions& options, std::uint32_t request_count, std::uint16_t completions)
        : pair(options), requests(request_count), coalesce(completions), is_alone(options.max_segments == 1) {
        pair.driver.set_doorbell(
            {[](void* self, std::uint16_t) noexcept { static_cast<Event*>(self)->signal(); }, &kick});
    }

    // A readable and a writable segment, or one for both ways.
    Errc submit(std::uint16_t token) {
        if (!is_alone) return pair.submit(token);
        const Segment writable[] = {pair.segment(token * 128u + 64, 64)};
        return pair.driver.submit({}, writable, Token{token});
    }

    void serve() {
        HostSegment storage[8];
        Chain chain{.storage = storage};
        while (!is_done) {
            while (pair.device.pop(chain)) {
                // The request is in the first segment, also where it is the only one.
                std::uint64_t value = 0;
                std::memcpy(&value, chain.storage[0].data, sizeof value);
                value = value * 3 + 1;
                std::memcpy(chain.writable()[0].data, &value, sizeof value);
                if (pair.device.push(chain, sizeof value) != Errc::ok) has_failed = true;
                if (pair.device.wants_notification()) call.signal();
            }
            if (pair.device.error() != Errc::ok) has_failed = true;
            if (!pair.device.arm() && !is_done && !has_failed && !kick.wait()) has_failed = true;
        }
    }

    // Returns how many replies were right.
    std::uint32_t drive() {
        const std::uint16_t depth = pair.driver.limits().max_inflight < 32 ? pair.driver.limits().max_inflight : 32;
        std::vector<std::uint16_t> free;
        for (std::uint16_t i = 0; i < depth; ++i) free.push_back(i);
        std::vector<std::uint64_t> values(depth);
        std::uint32_t submitted = 0;
        std::uint32_t finished = 0;
        std::uint32_t right = 0;
        while (finished < requests && !has_failed) {
            while (submitted < requests && !free.empty()) {
                const std::uint16_t token = free.back();
                values[token] = submitted * 0x9e3779b97f4a7c15;
                std::memcpy(pair.data.host() + token * 128u + (is_alone ? 64 : 0), &values[token], 8);
                if (submit(token) != Errc::ok) return right;
                free.pop_back();
                ++submitted;
            }
            pair.driver.kick();
            const std::size_t n = pair.poll();
            for (std::size_t i = 0; i < n; ++i) {
                const std::uint16_t token = pair.done[i].token.slot;
                std::uint64_t value = 0;
                std::memcpy(&value, pair.data.host() + token * 128u + 64, 8);
                const bool is_exact = pair.driver.limits().written == WrittenLength::exact;
                if (value == values[token] * 3 + 1 && (pair.done[i].written == 8 || !is_exact)) ++right;
                free.push_back(token);
                ++finished;
            }
            if (n != 0 || finished == requests) continue;
            if (pair.driver.error() != Errc::ok) return right;
            if (!pair.driver.arm(coalesce) && !call.wait()) return right;
        }
        return right;
    }
};

} // namespace

namespace {

template <class Pair> void exchange(const RingPairOptions& options, std::uint16_t coalesce) {
    // The number of rounds in each of eight modes.
    const std::uint64_t requests = scaled({.least = 12'500, .usual = 12'500, .nightly = 1'250'000});
    Threads<Pair> threads(options, static_cast<std::uint32_t>(requests), coalesce);
    std::thread device([&] { threads.serve(); });
    const std::uint32_t right = threads.drive();
    threads.is_done = true;
    threads.kick.signal();
    device.join();
    CHECK(right == threads.requests);
    CHECK_FALSE(threads.has_failed);
}

} // namespace

// virtio 1.2 §2.7.8.2, §2.7.13.3.1, §2.7.13.4.1, §2.8.21.1.1, §2.8.21.3.1
TEMPLATE_TEST_CASE("two threads that block on their events exchange 200,000 requests", "[virtqueue][sim]", RingPair,
                   PackedPair) {
    RingPairOptions options;
    options.event_index = GENERATE(EventIndex::off, EventIndex::on);
    options.order = GENERATE(UseOrder::any, UseOrder::in_order);
    const bool is_small = GENERATE(false, true);
    options.size = TestType::legal(is_small ? 3 : 100);
    options.indirect = is_small ? IndirectTables::accepted : IndirectTables::refused;
    exchange<TestType>(options, GENERATE(std::uint16_t{1}, std::uint16_t{16}));
}

TEMPLATE_TEST_CASE("two threads exchange requests on rings ordered for hardware, and such of one segment",
                   "[virtqueue][sim]", RingPair, PackedPair) {
    RingPairOptions options;
    options.size = 32;
    options.event_index = GENERATE(EventIndex::off, EventIndex::on);
    options.ordering = GENERATE(Ordering::smp, Ordering::platform);
    options.max_segments = GENERATE(std::uint16_t{1}, std::uint16_t{2});
    exchange<TestType>(options, 4);
}
