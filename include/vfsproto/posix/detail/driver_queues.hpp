// SPDX-License-Identifier: BSD-2-Clause
// The queues of an attached virtio device, as rings: brought up in order and torn down again.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/posix/detail/driver_queue.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

namespace vfsproto::posix {

// One owner at a time; every call may sleep.
class DriverQueues final : public backends::QueueSet {
public:
    // Brings up the hiprio queue, the notification queue if `notifications` are to be taken and the device has a sound one, and the
    // request queues. The attachment outlives them. Errors: bad_argument (max_segments is 0); what the transport and the rings
    // say.
    [[nodiscard]] static Expected<std::unique_ptr<DriverQueues>>
    bring_up(backends::Attachment& attachment, const RingOptions& options,
             Notifications notifications = Notifications::ignored);
    ~DriverQueues() override;

    [[nodiscard]] backends::SetQueue hiprio() noexcept override { return set_queue(queues_.front()); }
    [[nodiscard]] std::size_t request_queues() const noexcept override { return queues_.size() - 1; }
    [[nodiscard]] backends::SetQueue request_queue(std::size_t number) noexcept override {
        return set_queue(queues_[1 + number]);
    }
    [[nodiscard]] backends::SetQueue notifications() noexcept override {
        return notifications_ ? set_queue(*notifications_) : backends::SetQueue{};
    }
    [[nodiscard]] const FsConfig& config() const noexcept override { return config_; }
    [[nodiscard]] FeatureSet features() const noexcept override { return bring_up_.features(); }
    [[nodiscard]] Errc stop() noexcept override {
        if (!stopped_) stopped_ = bring_up_.tear_down();
        return *stopped_;
    }

    // Returns a request queue as a ring, for a lane that is compiled in one piece with it.
    [[nodiscard]] AnyRing request_lane_queue(std::size_t number) noexcept { return queues_[1 + number].ring.queue(); }
    [[nodiscard]] const DriverQueue& hiprio_ring() const noexcept { return queues_.front().ring; }
    [[nodiscard]] const DriverQueue& request_ring(std::size_t number = 0) const noexcept {
        return queues_[1 + number].ring;
    }
    [[nodiscard]] FeatureSet offered() const noexcept { return bring_up_.offered(); }

private:
    struct Queue {
        DriverQueue ring;
        Region memory{};
        Region indirect{};
        int wait_fd = -1;
    };

    explicit DriverQueues(backends::Attachment& attachment)
        : attachment_(attachment), bring_up_(attachment.transport()) {}
    [[nodiscard]] Errc start(const RingOptions& options, Notifications notifications);
    [[nodiscard]] Errc set_up(Queue& queue, QueueIndex index, const RingOptions& options);
    [[nodiscard]] FeatureSet wanted_features(const RingOptions& options, Notifications notifications) const noexcept;
    [[nodiscard]] Errc negotiate(FeatureSet wanted);
    [[nodiscard]] Errc start_with(FeatureSet wanted, const RingOptions& options);
    void release_all() noexcept;
    void release(const Queue& queue) noexcept;
    [[nodiscard]] Errc set_up_request_queues(const RingOptions& options);
    [[nodiscard]] std::size_t wanted_request_queues(const RingOptions& options) const noexcept;
    [[nodiscard]] static backends::SetQueue set_queue(Queue& queue) noexcept {
        return {make_queue_ref(queue.ring.queue()), queue.wait_fd};
    }

    backends::Attachment& attachment_;
    BringUp bring_up_;
    FsConfig config_{};
    std::optional<Errc> stopped_;
    std::deque<Queue> queues_;             // never moved: hiprio, then the request queues
    std::unique_ptr<Queue> notifications_; // with VIRTIO_FS_F_NOTIFICATION
};

} // namespace vfsproto::posix
