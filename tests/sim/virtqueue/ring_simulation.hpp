// SPDX-License-Identifier: BSD-2-Clause
// A ring's driver against its device under seeded random schedules. While one side is inside a call, whole calls of the
// other side run between its accesses to shared memory. Both sides sleep only after arm() said so, and wake only when they
// were notified: a lost notification shows as sleepers with work before them. support/interleave.hpp comes first.
#pragma once

#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "support/scale.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace vfsproto::test {

struct Schedule {
    std::uint16_t size;
    EventIndex event_index;
    IndirectTables indirect;
    std::uint16_t direct_segments;
    bool is_in_order; // the device completes in order, wanted or not
    UseOrder order = UseOrder::any;
};

// The steps of the simulation of one configuration.
inline std::uint64_t simulation_steps() { return scaled({.least = 4'000, .usual = 200'000, .nightly = 10'000'000}); }
// One configuration and one VFSPROTO_SEED always give one schedule.
inline std::uint64_t simulation_seed(const Schedule& schedule) {
    std::uint64_t seed = run_seed();
    for (const std::uint64_t part :
         {std::uint64_t{schedule.size}, std::uint64_t{schedule.direct_segments}, std::uint64_t{schedule.is_in_order}}) {
        seed = seed * 1000 + part;
    }
    return seed;
}
inline std::string described(const Schedule& schedule) {
    return "size " + std::to_string(schedule.size) + ", event index " +
           std::to_string(schedule.event_index == EventIndex::on) + ", tables " +
           std::to_string(schedule.indirect == IndirectTables::accepted) + ", direct segments " +
           std::to_string(schedule.direct_segments) + ", device in order " + std::to_string(schedule.is_in_order) +
           ", IN_ORDER " + std::to_string(schedule.order == UseOrder::in_order) +
           "; again with VFSPROTO_SEED=" + std::to_string(run_seed());
}

inline constexpr std::size_t kAreaBytes = 512; // per token: the first half is readable, the second writable

template <class Pair> class Simulation {
public:
    Simulation(const Schedule& schedule, std::uint64_t seed)
        : pair({.size = schedule.size,
                .event_index = schedule.event_index,
                .max_segments = 4,
                .indirect = schedule.indirect,
                .direct_segments = schedule.direct_segments,
                .order = schedule.order}),
          schedule_(schedule),
          random_(seed),
          requests_(pair.driver.limits().max_inflight) {
        auto options = pair.driver_options();
        options.doorbell = {
            [](void* self, std::uint16_t) noexcept { static_cast<Simulation*>(self)->is_kicked_ = true; }, this};
        Pair::must(pair.driver.init(pair.ring, pair.shadow, options));
        pair.start_device();
        if constexpr (kPreparesChains) {
            prepared_ = pair.driver.reserve_prepared(static_cast<std::uint32_t>(requests_.size()));
        }
        for (std::uint16_t i = 0; i < requests_.size(); ++i) free_tokens_.push_back(i);
    }

    void run(std::uint64_t steps) {
        for (std::uint64_t i = 0; i < steps && problem.empty(); ++i) {
            if (random_.one_in(2))
                enter_driver();
            else
                enter_device();
        }
        is_draining_ = true;
        for (int i = 0; i < 100'000 && problem.empty() && pair.driver.in_flight() != 0; ++i) {
            if (random_.one_in(2))
                enter_driver();
            else
                enter_device();
        }
        if (problem.empty() && pair.driver.in_flight() != 0) problem = "stalled: a notification was lost";
        if (pair.driver.error() != Errc::ok) problem = to_string(pair.driver.error());
        if (pair.device.error() != Errc::ok) problem = to_string(pair.device.error());
        if (problem.empty()) check_nothing_leaked();
    }

    Pair pair;
    std::string problem;
    std::uint64_t completed = 0;
    std::uint64_t sleeps = 0;

private:
    static constexpr bool kPreparesChains = requires(Pair& p) { p.driver.reserve_prepared(1); };

    struct Request {
        bool is_out = false;
        std::uint32_t readable = 0;
        std::uint32_t writable = 0;
        std::uint8_t stamp = 0;
        std::uint32_t written = 0; // by the device
    };
    struct Held {
        std::vector<HostSegment> storage;
        Chain chain;
    };

    // One side runs; at its accesses, now and then, the other side takes a whole step.
    void enter_driver() {
        shared_access_hook = {[](void* self) { static_cast<Simulation*>(self)->maybe_device(); }, this};
        driver_step();
        shared_access_hook = {};
    }
    void enter_device() {
        shared_access_hook = {[](void* self) { static_cast<Simulation*>(self)->maybe_driver(); }, this};
        device_step();
        shared_access_hook = {};
    }
    void maybe_device() {
        while (random_.one_in(4)) device_step();
    }
    void maybe_driver() {
        while (random_.one_in(4)) driver_step();
    }

    void driver_step() {
        if (!problem.empty()) return;
        if (driver_sleeps_for_ != 0) {
            if (!is_interrupted_) return;
            driver_sleeps_for_ = 0;
        }
        is_interrupted_ = false;
        switch (random_.below(is_draining_ ? 5 : 9)) {
        case 0: pair.driver.kick(); break;
        case 1:
        case 2: collect(); break;
        case 3: driver_sleep(); break;
        case 4:
            if (random_.one_in(4)) pair.driver.disarm();
            break;
        default: submit();
        }
    }

    void submit() {
        if (free_tokens_.empty()) return;
        const std::size_t pick = random_.below(free_tokens_.size());
        const std::uint16_t token = free_tokens_[pick];
        Request& request = requests_[token];
        const std::uint32_t room = pair.driver.limits().max_segments;
        const bool is_prepared = kPreparesChains && room >= 3 && random_.one_in(2);
        const Errc errc = is_prepared ? submit_prepared(request, token) : submit_any(request, token, room);
        if (errc == Errc::ok) {
            free_tokens_.erase(free_tokens_.begin() + static_cast<std::ptrdiff_t>(pick));
        } else {
            problem = "submit refused within its limits";
        }
    }

    Errc submit_any(Request& request, std::uint16_t token, std::uint32_t room) {
        const std::uint32_t count = random_.between(1, room);
        const std::uint32_t readable_count = random_.below(count + 1);
        std::vector<Segment> segments;
        request = {true, 0, 0, static_cast<std::uint8_t>(random_.next()), 0};
        for (std::uint32_t i = 0; i < count; ++i) {
            const bool is_writable = i >= readable_count;
            std::uint32_t& used = is_writable ? request.writable : request.readable;
            const std::uint32_t len = random_.between(1, 60);
            const std::size_t offset = token * kAreaBytes + (is_writable ? kAreaBytes / 2 : 0) + used;
            segments.push_back(pair.segment(offset, len));
            for (std::uint32_t k = 0; k < len; ++k) {
                pair.data.host()[offset + k] = is_writable ? std::byte{0} : readable_byte(request, used + k);
            }
            used += len;
        }
        const std::span<const Segment> all(segments);
        return pair.driver.submit(all.first(readable_count), all.subspan(readable_count), Token{token});
    }

    // A chain of which only the last segment is another than in the token's last chain of this form.
    Errc submit_prepared(Request& request, std::uint16_t token) {
        request = {true, 40, 16 + random_.between(1, 120), static_cast<std::uint8_t>(random_.next()), 0};
        const std::size_t readable_at = token * kAreaBytes;
        const std::size_t writable_at = readable_at + kAreaBytes / 2;
        for (std::uint32_t k = 0; k < request.readable; ++k) {
            pair.data.host()[readable_at + k] = readable_byte(request, k);
        }
        std::memset(pair.data.host() + writable_at, 0, request.writable);
        const Segment readable[] = {pair.segment(readable_at, request.readable)};
        const Segment writable[] = {pair.segment(writable_at, 16),
                                    pair.segment(writable_at + 16, request.writable - 16)};
        if constexpr (kPreparesChains) {
            return pair.driver.template submit_prepared<2>(readable, writable, Token{token}, prepared_ + token);
        } else {
            return pair.driver.submit(readable, writable, Token{token});
        }
    }

    void collect() {
        Completion out[16];
        const std::size_t n = pair.driver.poll(std::span(out).first(random_.between(1, 16)));
        for (std::size_t i = 0; i < n; ++i) finish(out[i]);
    }

    void finish(const Completion& completion) {
        Request& request = requests_[completion.token.slot];
        if (!request.is_out) problem = "a token came back twice";
        if (completion.written > request.writable) problem = "written more than there was room";
        const bool is_exact = pair.driver.limits().written == WrittenLength::exact;
        if (completion.written < request.written) problem = "less was written than was written";
        if (is_exact && completion.written != request.written) problem = "another length was written";
        const std::byte* const reply = pair.data.host() + completion.token.slot * kAreaBytes + kAreaBytes / 2;
        for (std::uint32_t i = 0; i < request.writable; ++i) {
            const std::byte expected = i < request.written ? reply_byte(request, i) : std::byte{0};
            if (reply[i] != expected) problem = "a reply has other bytes";
        }
        request.is_out = false;
        free_tokens_.push_back(completion.token.slot);
        ++completed;
    }

    void driver_sleep() {
        const auto wanted = static_cast<std::uint16_t>(random_.between(1, 6));
        pair.driver.kick(); // who sleeps on unpublished chains sleeps well
        if (pair.driver.in_flight() == 0) return;
        if (pair.driver.arm(wanted)) return;
        driver_sleeps_for_ = wanted;
        ++sleeps;
    }

    void device_step() {
        if (!problem.empty()) return;
        if (device_sleeps_ && is_kicked_) device_sleeps_ = false;
        if (!device_sleeps_) is_kicked_ = false;
        switch (random_.below(6)) {
        case 0:
        case 1:
            if (!device_sleeps_) pop();
            break;
        case 2:
        case 3: push(); break;
        case 4:
            if (pair.device.wants_notification()) is_interrupted_ = true;
            break;
        default:
            if (device_sleeps_) break;
            if (random_.one_in(6))
                pair.device.disarm();
            else if (!pair.device.arm())
                device_sleeps_ = true;
        }
    }

    void pop() {
        Held held{std::vector<HostSegment>(8), {}};
        held.chain.storage = held.storage;
        if (!pair.device.pop(held.chain)) return;
        held_.push_back(std::move(held));
        held_.back().chain.storage = held_.back().storage;
    }

    void push() {
        if (held_.empty()) return;
        const std::size_t pick = schedule_.is_in_order ? 0 : random_.below(held_.size());
        const Chain& chain = held_[pick].chain;
        const HostSegment* any = &chain.storage[0];
        const auto token = static_cast<std::size_t>(any->data - pair.data.host()) / kAreaBytes;
        Request& request = requests_[token];
        if (!request.is_out) problem = "the device saw a chain that is not out";
        std::uint32_t at = 0;
        for (const HostSegment& segment : chain.readable()) {
            for (const std::byte byte : segment.bytes()) {
                if (byte != readable_byte(request, at++)) problem = "a request has other bytes";
            }
        }
        if (at != request.readable) problem = "a request has another length";
        const std::uint32_t written = request.written = random_.below(request.writable + 1);
        at = 0;
        for (const HostSegment& segment : chain.writable()) {
            for (std::byte& byte : segment.bytes()) {
                if (at < written) byte = reply_byte(request, at);
                ++at;
            }
        }
        if (at != request.writable) problem = "a request has another room";
        if (pair.device.push(chain, written) != Errc::ok) problem = "push refused";
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(pick));
    }

    void check_nothing_leaked() {
        if (free_tokens_.size() != requests_.size()) problem = "a token leaked";
        if (pair.device.outstanding() != 0) problem = "a chain is still out";
        const std::vector<Segment> segments(pair.driver.limits().max_segments, pair.segment(0, 1));
        for (std::size_t i = 0; i < requests_.size(); ++i) {
            if (pair.driver.submit(segments, {}, Token{}) != Errc::ok) problem = "a descriptor leaked";
        }
    }

    static std::byte readable_byte(const Request& request, std::uint32_t at) {
        return static_cast<std::byte>(request.stamp + at * 7);
    }
    static std::byte reply_byte(const Request& request, std::uint32_t at) {
        return static_cast<std::byte>((request.stamp ^ 0x5a) + at * 3 + 1);
    }

    Schedule schedule_;
    Random random_;
    std::vector<Request> requests_;
    PreparedId prepared_{}; // the first of the ids, one a token
    std::vector<std::uint16_t> free_tokens_;
    std::deque<Held> held_;
    bool is_kicked_ = false;
    bool is_interrupted_ = false;
    bool device_sleeps_ = false;
    std::uint16_t driver_sleeps_for_ = 0;
    bool is_draining_ = false;
};

} // namespace vfsproto::test
