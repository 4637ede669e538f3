// SPDX-License-Identifier: BSD-2-Clause
// The device side of one queue, as a ring of the kind that was negotiated. Nothing above knows which it is.
#pragma once

#include "vfsproto/transport/features.hpp"
#include "vfsproto/virtqueue/packed_device.hpp"
#include "vfsproto/virtqueue/split_device.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace vfsproto::serving {

// Says where the device side goes on in a ring: the two halves of a vhost-user ring base (SET_VRING_BASE).
struct RingPositions {
    // The next chain to serve. Split: a free-running index. Packed: an offset, and the wrap counter in the top bit.
    std::uint16_t next_avail{};
    // The next used descriptor of a packed ring, with its wrap counter. A split ring has its used index in the ring.
    std::uint16_t next_used{};
};

// A ring as a driver has laid it out, and where serving begins.
struct RingPlace {
    std::uint16_t size{}; // entries
    Region descriptors{};
    Region driver{};
    Region device{};
    std::optional<RingPositions> start{}; // none: the ring is fresh
};

// Serves a ring of either kind. A model of DeviceQueue. One owner at a time.
class DeviceSideRing {
public:
    // `size`: the most entries the ring will have.
    explicit DeviceSideRing(std::uint16_t size)
        : split_heads_(split_device_state_count(size)), packed_heads_(packed_device_state_count(size)) {}
    DeviceSideRing(const DeviceSideRing&) = delete;
    DeviceSideRing& operator=(const DeviceSideRing&) = delete;

    // Starts to serve the ring. Errors: what Ring::of() and Device::init() say; bad_argument for a start outside a packed
    // ring.
    [[nodiscard]] Errc start(const RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept {
        is_packed_ = features.has(Feature::ring_packed);
        if (is_packed_) {
            const auto ring = PackedRing::of(place.descriptors, place.driver, place.device, place.size);
            if (!ring) return ring.error();
            auto options = common<PackedDeviceOptions>(features);
            if (place.start) {
                options.start_avail = place.start->next_avail;
                options.start_used = place.start->next_used;
            }
            return packed_.init(*ring, memory, packed_heads_, options);
        }
        const auto ring = SplitRing::of(place.descriptors, place.driver, place.device, place.size);
        if (!ring) return ring.error();
        auto options = common<SplitDeviceOptions>(features);
        if (place.start) options.start_index = place.start->next_avail;
        return split_.init(*ring, memory, split_heads_, options);
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
    // Returns the number of chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept {
        return is_packed_ ? packed_.outstanding() : split_.outstanding();
    }
    // Returns where another device side can go on (GET_VRING_BASE). Complete once outstanding() is 0: a chain that is out
    // is not served again.
    [[nodiscard]] RingPositions positions() const noexcept {
        if (is_packed_) return {packed_.next_avail(), packed_.next_used()};
        return {split_.next_avail(), 0};
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
