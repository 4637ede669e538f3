// SPDX-License-Identifier: BSD-2-Clause
// The rings of one attached device, brought up in order and torn down again.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/posix/driver_queue.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace vfsproto::posix {

enum class UseIndirect : std::uint8_t {
    never,
    automatic, // only on rings too small to hold enough direct chains
    always,
};

struct RingOptions {
    std::uint16_t queue_size = 0; // at most; 0 = what the device offers. On a split ring rounded down to a power of two
    std::uint16_t max_segments = 4; // of one request
    UseIndirect indirect = UseIndirect::automatic;
    FeatureSet withheld{}; // features not to be taken although both sides have them
    // In order: IN_ORDER is taken where it is offered; replies are then believed as to their length.
    UseOrder order = UseOrder::any;
};

// One owner at a time; every call may sleep.
class DriverQueues {
public:
    // hiprio and one request queue (every known server has just one). The attachment outlives the rings.
    // Errors: bad_argument (max_segments is 0); what the transport and the rings say.
    [[nodiscard]] static Expected<std::unique_ptr<DriverQueues>> bring_up(backends::Attachment& attachment,
                                                                          const RingOptions& options);
    ~DriverQueues();
    DriverQueues(const DriverQueues&) = delete;
    DriverQueues& operator=(const DriverQueues&) = delete;

    [[nodiscard]] QueueRef hiprio() noexcept { return make_queue_ref(queues_[0].ring.queue()); }
    [[nodiscard]] QueueRef request_queue() noexcept { return make_queue_ref(queues_[1].ring.queue()); }
    [[nodiscard]] AnyRing request_lane_queue() noexcept { return queues_[1].ring.queue(); }
    [[nodiscard]] int hiprio_fd() const noexcept { return queues_[0].wait_fd; }
    [[nodiscard]] int request_fd() const noexcept { return queues_[1].wait_fd; }
    [[nodiscard]] const DriverQueue& hiprio_ring() const noexcept { return queues_[0].ring; }
    [[nodiscard]] const DriverQueue& request_ring() const noexcept { return queues_[1].ring; }

    [[nodiscard]] const FsConfig& config() const noexcept { return config_; }
    [[nodiscard]] FeatureSet features() const noexcept { return bring_up_.features(); }
    [[nodiscard]] FeatureSet offered() const noexcept { return bring_up_.offered(); }

    // Stops the device, once; later calls return what the first did. With ok and device_gone it touches no memory of ours any
    // more. Any other error: it may still write, and the memory must not be used for anything else.
    [[nodiscard]] Errc stop() noexcept {
        if (!stopped_) stopped_ = bring_up_.tear_down();
        return *stopped_;
    }

private:
    struct Queue {
        DriverQueue ring;
        Region memory{};
        Region indirect{};
        int wait_fd = -1;
    };

    explicit DriverQueues(backends::Attachment& attachment)
        : attachment_(attachment), bring_up_(attachment.transport()) {}
    [[nodiscard]] Errc start(const RingOptions& options);
    [[nodiscard]] Errc set_up(Queue& queue, QueueIndex index, const RingOptions& options);

    backends::Attachment& attachment_;
    BringUp bring_up_;
    FsConfig config_{};
    std::optional<Errc> stopped_;
    Queue queues_[2];
};

} // namespace vfsproto::posix
