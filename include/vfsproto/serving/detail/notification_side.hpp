// SPDX-License-Identifier: BSD-2-Clause
// The device side of a notification queue. It takes a buffer only when there is something to tell.
#pragma once

#include "vfsproto/fuse/server/notifier.hpp"
#include "vfsproto/serving/device_side.hpp"

namespace vfsproto::serving {

class NotificationSide final : public DeviceSide {
public:
    NotificationSide(const server::ServerSession& session, std::uint16_t size)
        : ring_(size), segments_(size), notifier_(ring_, session, segments_) {}

    Errc start(const RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept override {
        return ring_.start(place, features, memory);
    }
    void stop() noexcept override { notifier_.forget(); }
    std::size_t serve(int call, std::mutex&) noexcept override { return settle(call); }
    std::size_t answer_parked(int) noexcept override { return 0; }
    std::size_t tell(const server::Change& change, int call) noexcept override {
        return notifier_.tell(change) ? notify(call) : settle(call);
    }
    void release_held() noexcept override {}
    std::uint16_t outstanding() const noexcept override { return ring_.outstanding(); }
    Errc error() noexcept override { return ring_.error(); }

private:
    [[nodiscard]] std::size_t settle(int call) noexcept;
    [[nodiscard]] std::size_t notify(int call) noexcept;

    DeviceSideRing ring_;
    std::vector<HostSegment> segments_;
    server::Notifier<DeviceSideRing> notifier_;
};

} // namespace vfsproto::serving
