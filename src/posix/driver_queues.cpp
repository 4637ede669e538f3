// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/driver_queues.hpp"

#include "vfsproto/config.hpp"
#include "vfsproto/fuse/client/notification_lane.hpp"

#include <algorithm>

namespace vfsproto::posix {

namespace {

// Direct chains a ring should hold at least; a smaller one gets more in flight through indirect tables.
constexpr std::uint16_t kEnoughDirectChains = 32;

// Returns the options of the notification queue: a notification is one buffer, and its lane posts at most kMaxBuffers
// of them.
RingOptions for_notifications(RingOptions options) noexcept {
    constexpr std::uint16_t kMost = client::NotificationLane::kMaxBuffers;
    options.max_segments = 1;
    if (options.queue_size == 0 || options.queue_size > kMost) options.queue_size = kMost;
    return options;
}

} // namespace

Expected<std::unique_ptr<DriverQueues>>
DriverQueues::bring_up(backends::Attachment& attachment, const RingOptions& options, Notifications notifications) {
    std::unique_ptr<DriverQueues> rings(new DriverQueues(attachment));
    if (const Errc errc = rings->start(options, notifications); errc != Errc::ok) return errc;
    return rings;
}

DriverQueues::~DriverQueues() {
    // A device that will not stop may still write: then its memory is left to the attachment.
    const Errc stopped = stop();
    if (stopped != Errc::ok && stopped != Errc::device_gone) return;
    release_all();
}

void DriverQueues::release_all() noexcept {
    for (const Queue& queue : queues_) release(queue);
    if (notifications_) release(*notifications_);
    queues_.clear();
    notifications_.reset();
}

void DriverQueues::release(const Queue& queue) noexcept {
    if (queue.memory.size() != 0) attachment_.release(queue.memory);
    if (queue.indirect.size() != 0) attachment_.release(queue.indirect);
}

FeatureSet DriverQueues::wanted_features(const RingOptions& options, Notifications notifications) const noexcept {
    FeatureSet wanted = FeatureSet::of(Feature::version_1, Feature::event_idx, Feature::ring_packed);
    wanted = wanted | attachment_.transport().supported_features();
    if (options.indirect != UseIndirect::never) wanted.add(Feature::indirect_desc);
    if (options.order == UseOrder::in_order) wanted.add(Feature::in_order);
    constexpr bool kHasRoom = config::kMaxQueues > 2; // for a request queue behind it
    if (kHasRoom && notifications == Notifications::taken) wanted.add(Feature::fs_notification);
    return FeatureSet(wanted.bits() & ~options.withheld.bits());
}

Errc DriverQueues::negotiate(FeatureSet wanted) {
    if (const auto features = bring_up_.negotiate(wanted); !features) return features.error();
    const auto config = read_fs_config(attachment_.transport(), bring_up_.features());
    if (!config) return config.error();
    config_ = *config;
    return Errc::ok;
}

// A configuration that is not this device's own, but a front end's, may not say how long notifications are; or the queues are not
// as many as the feature makes them. Such a device is used without notifications.
Errc DriverQueues::start(const RingOptions& options, Notifications notifications) {
    if (options.max_segments == 0) return Errc::bad_argument;
    FeatureSet wanted = wanted_features(options, notifications);
    const Errc errc = start_with(wanted, options);
    const bool is_unfit = errc == Errc::config_invalid || errc == Errc::queue_absent;
    if (!is_unfit || !bring_up_.features().has(Feature::fs_notification)) return errc;
    if (const Errc down = bring_up_.tear_down(); down != Errc::ok) return down;
    release_all();
    wanted.remove(Feature::fs_notification);
    return start_with(wanted, options);
}

Errc DriverQueues::start_with(FeatureSet wanted, const RingOptions& options) {
    if (const Errc errc = negotiate(wanted); errc != Errc::ok) return errc;
    if (const Errc errc = set_up(queues_.emplace_back(), kHiprioQueue, options); errc != Errc::ok) return errc;
    if (bring_up_.features().has(Feature::fs_notification)) {
        notifications_ = std::make_unique<Queue>();
        const Errc errc = set_up(*notifications_, kNotificationQueue, for_notifications(options));
        if (errc != Errc::ok) return errc;
    }
    if (const Errc errc = set_up_request_queues(options); errc != Errc::ok) return errc;
    return bring_up_.go_live();
}

// The configuration may say more than there are: it can be a front end's, while the queues are a back end's; and a transport may
// know fewer than its device has (config::kMaxQueues). One queue has to be there, the others are used as far as they are.
Errc DriverQueues::set_up_request_queues(const RingOptions& options) {
    const std::size_t count = wanted_request_queues(options);
    for (std::size_t i = 0; i < count; ++i) {
        const QueueIndex index = request_queue_index(bring_up_.features(), static_cast<std::uint16_t>(i));
        const Errc errc = set_up(queues_.emplace_back(), index, options);
        if (errc == Errc::queue_absent && i != 0) {
            queues_.pop_back();
            return Errc::ok;
        }
        if (errc != Errc::ok) return errc;
    }
    return Errc::ok;
}

std::size_t DriverQueues::wanted_request_queues(const RingOptions& options) const noexcept {
    std::size_t count = std::min<std::size_t>(options.request_queues, config_.num_request_queues);
    const std::uint16_t bearable = attachment_.quirks().max_request_queues; // 0: any number
    if (bearable != 0) count = std::min<std::size_t>(count, bearable);
    return std::clamp<std::size_t>(count, 1, kMostRequestQueues);
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
