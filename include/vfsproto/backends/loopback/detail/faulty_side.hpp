// SPDX-License-Identifier: BSD-2-Clause
// The device side of one queue with faults between the ring and its lane.
#pragma once

#include "vfsproto/backends/loopback/detail/faulty_queue.hpp"
#include "vfsproto/serving/device_side.hpp"

namespace vfsproto::backends::loopback {

// A ring that can publish its last completion once more.
class RepeatingRing : public serving::DeviceSideRing {
public:
    using DeviceSideRing::DeviceSideRing;

    // Starts the ring as DeviceSideRing::start() does.
    [[nodiscard]] Errc start(const serving::RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept {
        place_ = place;
        features_ = features;
        memory_ = &memory;
        return DeviceSideRing::start(place, features, memory);
    }

    // False while chains are out, and of a packed ring: what is written there to a descriptor that nobody waits for is not read.
    // The ring goes on behind the entry that was repeated.
    [[nodiscard]] bool repeat_last() noexcept {
        if (memory_ == nullptr || features_.has(Feature::ring_packed) || outstanding() != 0) return false;
        const auto ring = SplitRing::of(place_.descriptors, place_.driver, place_.device, place_.size);
        if (!ring) return false;
        const std::uint16_t used = load_relaxed(ring->used()[SplitRing::kIndex]);
        const SplitUsed& last = ring->used_entries()[static_cast<std::uint16_t>(used - 1) % place_.size];
        SplitUsed& next = ring->used_entries()[used % place_.size];
        store_relaxed(next.id, load_relaxed(last.id));
        store_relaxed(next.len, load_relaxed(last.len));
        store_release(ring->used()[SplitRing::kIndex], static_cast<std::uint16_t>(used + 1));
        place_.start = positions();
        return DeviceSideRing::start(place_, features_, *memory_) == Errc::ok;
    }

private:
    serving::RingPlace place_{};
    FeatureSet features_{};
    const RegionTable* memory_ = nullptr; // nullptr: it was never started
};

static_assert(RepeatingQueue<RepeatingRing>);

// The queue a lane is given: a ring with faults in front of it.
class UnsoundQueue {
public:
    using Queue = FaultyQueue<RepeatingRing>;
    UnsoundQueue(std::uint16_t size, FaultPlan plan) : ring_(size), faulty_(ring_, std::move(plan), size) {}
    [[nodiscard]] RepeatingRing& ring() noexcept { return ring_; }
    [[nodiscard]] const RepeatingRing& ring() const noexcept { return ring_; }
    [[nodiscard]] Queue& queue() noexcept { return faulty_; }
    void release_held() noexcept { faulty_.release_held(); }
    void forget() noexcept { faulty_.forget(); }

private:
    RepeatingRing ring_;
    Queue faulty_;
};

template <server::FileSystem Fs, class Holder> class BadlyServedBy final : public serving::ServedBy<Fs, Holder> {
public:
    BadlyServedBy(Holder fs, FaultPlan plan) : serving::ServedBy<Fs, Holder>(std::move(fs)), plan_(std::move(plan)) {}

    std::unique_ptr<serving::DeviceSide> make_queue(server::LaneIdentity identity, std::uint16_t size) override {
        if (identity.id != static_cast<std::uint16_t>(plan_.queue)) {
            return serving::ServedBy<Fs, Holder>::make_queue(identity, size);
        }
        return std::make_unique<serving::LaneSide<Fs, UnsoundQueue>>(*this->fs_, this->session_, identity, size, plan_);
    }

private:
    FaultPlan plan_;
};

} // namespace vfsproto::backends::loopback
