// SPDX-License-Identifier: BSD-2-Clause
// The queues of one device, live: all a client needs of it beside memory, whether virtio rings lie behind them or not.
#pragma once

#include "vfsproto/transport/features.hpp"
#include "vfsproto/transport/fs_config.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <cstddef>
#include <memory>

namespace vfsproto::backends {

// A queue, and the eventfd that is signalled when an armed queue has completions; -1: it must be polled. Neither is owned.
struct SetQueue {
    QueueRef queue{};
    int wait_fd = -1;
};

// One owner at a time; every call may sleep. The queues stay where they are for the life of the set.
class QueueSet {
public:
    QueueSet() = default;
    QueueSet(const QueueSet&) = delete;
    QueueSet& operator=(const QueueSet&) = delete;
    // Stops the device, if stop() was not called.
    virtual ~QueueSet() = default;

    [[nodiscard]] virtual SetQueue hiprio() noexcept = 0;
    // Request queues: at least one; `number` is below their count.
    [[nodiscard]] virtual std::size_t request_queues() const noexcept = 0;
    [[nodiscard]] virtual SetQueue request_queue(std::size_t number) noexcept = 0;
    // The queue that takes notifications from the server; without a queue when there is none.
    [[nodiscard]] virtual SetQueue notifications() noexcept { return {}; }

    // Tag, number of request queues and size of a notification, as a virtio device states them.
    [[nodiscard]] virtual const FsConfig& config() const noexcept = 0;
    // The virtio features in use; none where there is no virtio device.
    [[nodiscard]] virtual FeatureSet features() const noexcept { return FeatureSet{}; }

    // Stops the device, once; later calls return what the first did. With ok and device_gone it touches no memory of ours any
    // more. Any other error: it may still write, and the memory must not be used for anything else.
    [[nodiscard]] virtual Errc stop() noexcept = 0;
};

// Holds the queues an attachment has of its own, or none (errc is ok all the same), or why it has none.
struct OwnQueues {
    std::unique_ptr<QueueSet> queues{};
    Errc errc = Errc::ok;
};

} // namespace vfsproto::backends
