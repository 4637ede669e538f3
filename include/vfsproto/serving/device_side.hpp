// SPDX-License-Identifier: BSD-2-Clause
// One queue's device side behind a plain interface, so that everything else of a device is compiled once and not for every
// file system.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/serving/device_side_ring.hpp"

#include <memory>
#include <vector>

namespace vfsproto::serving {

// One owner at a time.
class DeviceSide {
public:
    virtual ~DeviceSide() = default;

    // The ring and `memory` outlive the next stop(). Errors: what DeviceSideRing::start() says.
    [[nodiscard]] virtual Errc start(const RingPlace& place, FeatureSet features,
                                     const RegionTable& memory) noexcept = 0;
    // The queue was reset: nothing of the driver's memory is touched any more.
    virtual void stop() noexcept = 0;
    // Serves until the ring is empty and armed. Interrupts, where the driver asks for one, go to the eventfd `call`.
    // Returns how many.
    virtual std::size_t serve(int call) noexcept = 0;
    // Answers what was parked and can be answered now. Returns as above.
    virtual std::size_t answer_parked(int call) noexcept = 0;
    // Gives back what a plan of faults holds back, unpublished: an answer_parked() follows.
    virtual void release_held() noexcept = 0;
    // Chains taken and not given back.
    [[nodiscard]] virtual std::uint16_t outstanding() const noexcept = 0;
    [[nodiscard]] virtual Errc error() noexcept = 0;
};

// What a file system and its session are to the device.
class Served {
public:
    virtual ~Served() = default;
    // `size`: the most entries the queue may have.
    [[nodiscard]] virtual std::unique_ptr<DeviceSide> make_queue(server::LaneIdentity identity, std::uint16_t size) = 0;
    // The device was reset. No queue runs.
    virtual void end_session() noexcept = 0;
};

// The queue a lane is given: the ring itself.
class SoundQueue {
public:
    using Queue = DeviceSideRing;
    explicit SoundQueue(std::uint16_t size) : ring_(size) {}
    [[nodiscard]] DeviceSideRing& ring() noexcept { return ring_; }
    [[nodiscard]] const DeviceSideRing& ring() const noexcept { return ring_; }
    [[nodiscard]] Queue& queue() noexcept { return ring_; }
    void release_held() noexcept {}
    void forget() noexcept {}

private:
    DeviceSideRing ring_;
};

template <server::FileSystem Fs, class Wrapped> class LaneSide final : public DeviceSide {
public:
    template <class... Plan>
    LaneSide(Fs& fs, server::ServerSession& session, server::LaneIdentity identity, std::uint16_t size, Plan&&... plan)
        : wrapped_(size, std::forward<Plan>(plan)...),
          segments_(size),
          scratch_(std::make_unique<server::RequestScratch>()),
          lane_(wrapped_.queue(), fs, session, segments_, *scratch_, identity) {}

    Errc start(const RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept override {
        return wrapped_.ring().start(place, features, memory);
    }
    void stop() noexcept override {
        lane_.abandon();
        wrapped_.forget();
    }
    std::size_t serve(int call) noexcept override {
        std::size_t interrupts = 0;
        do {
            while (lane_.serve(kBudget) != 0) interrupts += notify(call);
        } while (wrapped_.queue().arm());
        // What the queue itself let go while it was armed.
        return interrupts + notify(call);
    }
    std::size_t answer_parked(int call) noexcept override {
        lane_.answer_parked();
        return notify(call);
    }
    void release_held() noexcept override { wrapped_.release_held(); }
    std::uint16_t outstanding() const noexcept override { return wrapped_.ring().outstanding(); }
    Errc error() noexcept override { return wrapped_.queue().error(); }

private:
    static constexpr std::size_t kBudget = config::kDrainBatch; // requests between two looks at the driver's wishes

    std::size_t notify(int call) noexcept {
        if (!wrapped_.queue().wants_notification()) return 0;
        backends::signal_event(call);
        return 1;
    }

    Wrapped wrapped_;
    std::vector<HostSegment> segments_;
    std::unique_ptr<server::RequestScratch> scratch_; // too large to lie among the hot members
    server::ServerLane<typename Wrapped::Queue, Fs> lane_;
};

// Holds the session, and the file system as `Holder` does: a reference or an owning pointer.
template <server::FileSystem Fs, class Holder> class ServedBy : public Served {
public:
    explicit ServedBy(Holder fs) : fs_(std::move(fs)) {}

    std::unique_ptr<DeviceSide> make_queue(server::LaneIdentity identity, std::uint16_t size) override {
        return std::make_unique<LaneSide<Fs, SoundQueue>>(*fs_, session_, identity, size);
    }
    void end_session() noexcept override {
        if (!session_.ready()) return;
        session_.end();
        fs_->on_destroy();
    }

protected:
    Holder fs_;
    server::ServerSession session_;
};

} // namespace vfsproto::serving
