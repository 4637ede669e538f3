// SPDX-License-Identifier: BSD-2-Clause
// The driver side of one queue, as a ring of the kind that was negotiated. Nothing above knows which it is.
#pragma once

#include "vfsproto/posix/detail/any_ring.hpp"
#include "vfsproto/transport/features.hpp"
#include "vfsproto/transport/transport.hpp"

#include <cstdint>
#include <vector>

namespace vfsproto::posix {

enum class RingKind : std::uint8_t { split, packed };

[[nodiscard]] constexpr RingKind ring_kind(FeatureSet features) noexcept {
    return features.has(Feature::ring_packed) ? RingKind::packed : RingKind::split;
}
// The largest legal size that is not above an offer; 0 for an offer of 0.
[[nodiscard]] constexpr std::uint16_t ring_size_within(RingKind kind, std::uint16_t offered) noexcept {
    return kind == RingKind::packed ? packed_size_within(offered) : split_size_within(offered);
}
[[nodiscard]] constexpr std::size_t ring_bytes(RingKind kind, std::uint16_t size) noexcept {
    return kind == RingKind::packed ? packed_layout(size).total_bytes : split_layout(size).total_bytes;
}
[[nodiscard]] constexpr std::size_t table_bytes(RingKind kind, std::uint16_t size,
                                                std::uint16_t max_segments) noexcept {
    return kind == RingKind::packed ? packed_indirect_bytes(size, max_segments)
                                    : split_indirect_bytes(size, max_segments);
}

// One owner at a time.
class DriverQueue {
public:
    struct Options {
        std::uint16_t size = 0; // legal for the kind
        std::uint16_t max_segments = 4;
        std::uint16_t direct_segments = 1;
    };

    DriverQueue() = default;
    DriverQueue(const DriverQueue&) = delete;
    DriverQueue& operator=(const DriverQueue&) = delete;

    // `memory` has room for ring_bytes(); `tables` for table_bytes(), or none without INDIRECT_DESC. Errors: what the
    // ring's own init() says.
    [[nodiscard]] Errc set_up(FeatureSet features, const Region& memory, const Region& tables, const Options& options) {
        kind_ = ring_kind(features);
        return kind_ == RingKind::packed ? set_up_packed(features, memory, tables, options)
                                         : set_up_split(features, memory, tables, options);
    }

    [[nodiscard]] RingKind kind() const noexcept { return kind_; }
    [[nodiscard]] std::uint16_t size() const noexcept { return queue_.size(); }
    [[nodiscard]] QueueLimits limits() const noexcept { return queue_.limits(); }
    [[nodiscard]] RingDriverCounters counters() const noexcept { return queue_.counters(); }
    [[nodiscard]] AnyRing& queue() noexcept { return queue_; }
    // Returns what the device must be told: where the areas are.
    [[nodiscard]] const QueueAddresses& addresses() const noexcept { return addresses_; }
    void set_doorbell(Doorbell doorbell) noexcept {
        packed_.set_doorbell(doorbell);
        split_.set_doorbell(doorbell);
    }

private:
    template <class Ring> void remember_addresses(const Ring& ring) noexcept {
        addresses_ = {ring.size(), ring.descriptor_area(), ring.driver_area(), ring.device_area()};
    }
    template <class Driver> static Driver common(FeatureSet features, const Region& tables, const Options& options) {
        Driver driver;
        driver.event_index = features.has(Feature::event_idx) ? EventIndex::on : EventIndex::off;
        driver.ordering = features.has(Feature::order_platform) ? Ordering::platform : Ordering::smp;
        driver.order = features.has(Feature::in_order) ? UseOrder::in_order : UseOrder::any;
        driver.max_segments = options.max_segments;
        driver.direct_segments = options.direct_segments;
        if (features.has(Feature::indirect_desc)) driver.indirect = tables;
        return driver;
    }
    [[nodiscard]] Errc set_up_split(FeatureSet features, const Region& memory, const Region& tables,
                                    const Options& options) {
        const auto ring = SplitRing::in(memory, options.size);
        if (!ring) return ring.error();
        remember_addresses(*ring);
        split_states_.resize(split_driver_state_count(options.size));
        queue_ = AnyRing(split_);
        return split_.init(*ring, split_states_, common<SplitDriverOptions>(features, tables, options));
    }
    [[nodiscard]] Errc set_up_packed(FeatureSet features, const Region& memory, const Region& tables,
                                     const Options& options) {
        const auto ring = PackedRing::in(memory, options.size);
        if (!ring) return ring.error();
        remember_addresses(*ring);
        packed_states_.resize(packed_driver_state_count(options.size));
        queue_ = AnyRing(packed_);
        return packed_.init(*ring, packed_states_, common<PackedDriverOptions>(features, tables, options));
    }

    RingKind kind_ = RingKind::split;
    SplitDriver split_;
    PackedDriver packed_;
    std::vector<SplitDriverState> split_states_;
    std::vector<PackedDriverState> packed_states_;
    AnyRing queue_; // to one of them
    QueueAddresses addresses_{};
};

} // namespace vfsproto::posix
