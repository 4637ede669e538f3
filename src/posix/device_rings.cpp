// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/device_rings.hpp"

namespace vfsproto::posix {

namespace {

// Direct chains a ring should hold at least; a smaller one gets more in flight through indirect tables.
constexpr std::uint16_t kEnoughDirectChains = 32;

} // namespace

Outcome<std::unique_ptr<DeviceRings>> DeviceRings::bring_up(backends::Attachment& attachment,
                                                            const RingOptions& options) {
    std::unique_ptr<DeviceRings> rings(new DeviceRings(attachment));
    if (const Errc errc = rings->start(options); errc != Errc::ok) return errc;
    return rings;
}

DeviceRings::~DeviceRings() {
    // A device that will not stop may still write: then its memory is left to the attachment.
    const Errc stopped = stop();
    if (stopped != Errc::ok && stopped != Errc::device_gone) return;
    for (Queue& queue : queues_) {
        if (queue.memory.size() != 0) attachment_.release(queue.memory);
        if (queue.indirect.size() != 0) attachment_.release(queue.indirect);
    }
}

Errc DeviceRings::start(const RingOptions& options) {
    FeatureSet wanted = FeatureSet::of(Feature::version_1, Feature::event_idx);
    if (options.indirect != UseIndirect::never) wanted.add(Feature::indirect_desc);
    wanted = FeatureSet(wanted.bits() & ~options.withheld.bits());
    if (const auto features = bring_up_.negotiate(wanted); !features) return features.error();
    const auto config = read_fs_config(attachment_.transport(), bring_up_.features());
    if (!config) return config.error();
    config_ = *config;
    if (const Errc errc = set_up(queues_[0], kHiprioQueue, options); errc != Errc::ok) return errc;
    const QueueIndex request = request_queue_index(bring_up_.features(), 0);
    if (const Errc errc = set_up(queues_[1], request, options); errc != Errc::ok) return errc;
    return bring_up_.go_live();
}

Errc DeviceRings::set_up(Queue& queue, QueueIndex index, const RingOptions& options) {
    Transport& transport = attachment_.transport();
    const auto offered = transport.max_queue_size(index);
    if (!offered) return offered.error();
    std::uint16_t most = *offered;
    if (options.queue_size != 0 && options.queue_size < most) most = options.queue_size;
    const std::uint16_t size = split_size_within(most);
    if (size < 2) return Errc::queue_absent;

    const auto memory = attachment_.allocate(split_layout(size).total_bytes);
    if (!memory) return memory.error();
    queue.memory = *memory;
    const auto ring = SplitRing::in(queue.memory, size);
    if (!ring) return ring.error();
    SplitDriverOptions driver;
    driver.event_index = bring_up_.features().has(Feature::event_idx) ? EventIndex::on : EventIndex::off;
    driver.max_segments = options.max_segments;
    if (bring_up_.features().has(Feature::indirect_desc)) {
        const auto indirect = attachment_.allocate(split_indirect_bytes(size, options.max_segments));
        if (!indirect) return indirect.error();
        queue.indirect = *indirect;
        driver.indirect = queue.indirect;
        const bool direct_fits = size / options.max_segments >= kEnoughDirectChains;
        driver.direct_segments =
            options.indirect == UseIndirect::automatic && direct_fits ? options.max_segments : std::uint16_t{1};
    }
    queue.shadow.resize(split_shadow_count(size));
    if (const Errc errc = queue.driver.init(*ring, queue.shadow, driver); errc != Errc::ok) return errc;
    const QueueAddresses addresses{size, ring->descriptor_area(), ring->driver_area(), ring->device_area()};
    if (const Errc errc = bring_up_.enable_queue(index, addresses); errc != Errc::ok) return errc;
    queue.driver.set_doorbell(transport.doorbell(index));
    queue.wait_fd = transport.wait_handle(index).fd;
    return Errc::ok;
}

} // namespace vfsproto::posix
