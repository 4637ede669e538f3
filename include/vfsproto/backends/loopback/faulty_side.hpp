// SPDX-License-Identifier: BSD-2-Clause
// The device side of one queue with faults between the ring and its lane.
#pragma once

#include "vfsproto/backends/loopback/faulty_queue.hpp"
#include "vfsproto/serving/device_side.hpp"

namespace vfsproto::backends::loopback {

// The queue a lane is given: a ring with faults in front of it.
class UnsoundQueue {
public:
    using Queue = FaultyQueue<serving::DeviceSideRing>;
    UnsoundQueue(std::uint16_t size, FaultPlan plan) : ring_(size), faulty_(ring_, std::move(plan), size) {}
    [[nodiscard]] serving::DeviceSideRing& ring() noexcept { return ring_; }
    [[nodiscard]] const serving::DeviceSideRing& ring() const noexcept { return ring_; }
    [[nodiscard]] Queue& queue() noexcept { return faulty_; }
    void release_held() noexcept { faulty_.release_held(); }
    void forget() noexcept { faulty_.forget(); }

private:
    serving::DeviceSideRing ring_;
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
