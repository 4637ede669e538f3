// SPDX-License-Identifier: BSD-2-Clause
// The device side of one queue, as a ring of the kind that was negotiated. Nothing above knows which it is.
#pragma once

#include "vfsproto/transport/features.hpp"
#include "vfsproto/virtqueue/packed_device.hpp"
#include "vfsproto/virtqueue/split_device.hpp"

#include <cstdint>
#include <vector>

namespace vfsproto::serving {

// Where a driver has laid out a ring.
struct RingPlace {
    std::uint16_t size{}; // entries
    Region descriptors{};
    Region driver{};
    Region device{};
};

// A model of DeviceQueue. One owner at a time.
class DeviceSideRing {
public:
    // `size`: the most entries the ring will have.
    explicit DeviceSideRing(std::uint16_t size)
        : split_heads_(split_device_state_count(size)), packed_heads_(packed_device_state_count(size)) {}
    DeviceSideRing(const DeviceSideRing&) = delete;
    DeviceSideRing& operator=(const DeviceSideRing&) = delete;

    // A fresh ring. Errors: what Ring::of() and Device::init() say.
    [[nodiscard]] Errc start(const RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept {
        is_packed_ = features.has(Feature::ring_packed);
        if (is_packed_) {
            const auto ring = PackedRing::of(place.descriptors, place.driver, place.device, place.size);
            if (!ring) return ring.error();
            return packed_.init(*ring, memory, packed_heads_, common<PackedDeviceOptions>(features));
        }
        const auto ring = SplitRing::of(place.descriptors, place.driver, place.device, place.size);
        if (!ring) return ring.error();
        return split_.init(*ring, memory, split_heads_, common<SplitDeviceOptions>(features));
    }

    [[nodiscard]] bool pop(Chain& chain) noexcept { return is_packed_ ? packed_.pop(chain) : split_.pop(chain); }
    [[nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept {
        return is_packed_ ? packed_.push(done, written) : split_.push(done, written);
    }
    void publish() noexcept { is_packed_ ? packed_.publish() : split_.publish(); }
    [[nodiscard]] bool wants_notification() noexcept {
        return is_packed_ ? packed_.wants_notification() : split_.wants_notification();
    }
    [[nodiscard]] bool arm() noexcept { return is_packed_ ? packed_.arm() : split_.arm(); }
    void disarm() noexcept { is_packed_ ? packed_.disarm() : split_.disarm(); }
    [[nodiscard]] Errc error() const noexcept { return is_packed_ ? packed_.error() : split_.error(); }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept {
        return is_packed_ ? packed_.outstanding() : split_.outstanding();
    }

private:
    template <class Options> static Options common(FeatureSet features) noexcept {
        Options options;
        options.order = features.has(Feature::in_order) ? UseOrder::in_order : UseOrder::any;
        options.event_index = features.has(Feature::event_idx) ? EventIndex::on : EventIndex::off;
        options.indirect = features.has(Feature::indirect_desc) ? IndirectTables::accepted : IndirectTables::refused;
        return options;
    }

    bool is_packed_ = false;
    SplitDevice split_;
    PackedDevice packed_;
    std::vector<SplitDeviceState> split_heads_;
    std::vector<PackedDeviceState> packed_heads_;
};

static_assert(DeviceQueue<DeviceSideRing>);

} // namespace vfsproto::serving
