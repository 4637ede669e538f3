// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/driver_queues.hpp"

#include "vfsproto/config.hpp"

#include <algorithm>

namespace vfsproto::posix {

namespace {

// Direct chains a ring should hold at least; a smaller one gets more in flight through indirect tables.
constexpr std::uint16_t kEnoughDirectChains = 32;

} // namespace

Expected<std::unique_ptr<DriverQueues>> DriverQueues::bring_up(backends::Attachment& attachment,
                                                               const RingOptions& options) {
    std::unique_ptr<DriverQueues> rings(new DriverQueues(attachment));
    if (const Errc errc = rings->start(options); errc != Errc::ok) return errc;
    return rings;
}

DriverQueues::~DriverQueues() {
    // A device that will not stop may still write: then its memory is left to the attachment.
    const Errc stopped = stop();
    if (stopped != Errc::ok && stopped != Errc::device_gone) return;
    for (Queue& queue : queues_) {
        if (queue.memory.size() != 0) attachment_.release(queue.memory);
        if (queue.indirect.size() != 0) attachment_.release(queue.indirect);
    }
}

Errc DriverQueues::start(const RingOptions& options) {
    if (options.max_segments == 0) return Errc::bad_argument;
    FeatureSet wanted = FeatureSet::of(Feature::version_1, Feature::event_idx, Feature::ring_packed);
    wanted = wanted | attachment_.transport().supported_features();
    if (options.indirect != UseIndirect::never) wanted.add(Feature::indirect_desc);
    if (options.order == UseOrder::in_order) wanted.add(Feature::in_order);
    wanted = FeatureSet(wanted.bits() & ~options.withheld.bits());
    if (const auto features = bring_up_.negotiate(wanted); !features) return features.error();
    const auto config = read_fs_config(attachment_.transport(), bring_up_.features());
    if (!config) return config.error();
    config_ = *config;
    if (const Errc errc = set_up(queues_.emplace_back(), kHiprioQueue, options); errc != Errc::ok) return errc;
    const std::size_t count = usable_request_queues(options);
    for (std::size_t i = 0; i < count; ++i) {
        const QueueIndex index = request_queue_index(bring_up_.features(), static_cast<std::uint16_t>(i));
        if (const Errc errc = set_up(queues_.emplace_back(), index, options); errc != Errc::ok) return errc;
    }
    return bring_up_.go_live();
}

std::size_t DriverQueues::usable_request_queues(const RingOptions& options) const noexcept {
    std::size_t count = std::min<std::size_t>(options.request_queues, config_.num_request_queues);
    const std::uint16_t bearable = attachment_.quirks().max_request_queues; // 0: any number
    if (bearable != 0) count = std::min<std::size_t>(count, bearable);
    const auto first = static_cast<std::size_t>(request_queue_index(bring_up_.features(), 0));
    count = std::min(count, config::kMaxQueues - first);
    return std::max<std::size_t>(count, 1);
}

Errc DriverQueues::set_up(Queue& queue, QueueIndex index, const RingOptions& options) {
    Transport& transport = attachment_.transport();
    const auto offered = transport.max_queue_size(index);
    if (!offered) return offered.error();
    std::uint16_t most = *offered;
    if (options.queue_size != 0 && options.queue_size < most) most = options.queue_size;
    const FeatureSet features = bring_up_.features();
    const RingKind kind = ring_kind(features);
    DriverQueue::Options ring{.size = ring_size_within(kind, most), .max_segments = options.max_segments};
    if (ring.size < 2) return Errc::queue_absent;

    const auto memory = attachment_.allocate(ring_bytes(kind, ring.size));
    if (!memory) return memory.error();
    queue.memory = *memory;
    if (features.has(Feature::indirect_desc)) {
        const auto indirect = attachment_.allocate(table_bytes(kind, ring.size, options.max_segments));
        if (!indirect) return indirect.error();
        queue.indirect = *indirect;
        const bool direct_fits = ring.size / options.max_segments >= kEnoughDirectChains;
        if (options.indirect == UseIndirect::automatic && direct_fits) ring.direct_segments = options.max_segments;
    }
    if (const Errc errc = queue.ring.set_up(features, queue.memory, queue.indirect, ring); errc != Errc::ok) {
        return errc;
    }
    if (const Errc errc = bring_up_.enable_queue(index, queue.ring.addresses()); errc != Errc::ok) return errc;
    queue.ring.set_doorbell(transport.doorbell(index));
    queue.wait_fd = transport.wait_handle(index).fd;
    return Errc::ok;
}

} // namespace vfsproto::posix
