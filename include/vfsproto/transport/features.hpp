// SPDX-License-Identifier: BSD-2-Clause
// Feature bits (virtio 1.2 §6) and the set they come in.
#pragma once

#include <cstdint>

namespace vfsproto {

enum class Feature : std::uint8_t {
    fs_notification = 0, // VIRTIO_FS_F_NOTIFICATION, virtio 1.2 §5.11.3
    vhost_log_all = 26,  // vhost-user only: never shown to a driver
    indirect_desc = 28,
    event_idx = 29,
    vhost_protocol_features = 30, // vhost-user only: never shown to a driver
    version_1 = 32,
    access_platform = 33,
    ring_packed = 34,
    in_order = 35,
    order_platform = 36,
    notification_data = 38,
    notif_config_data = 39,
    ring_reset = 40,
    suspend = 43,
};

class FeatureSet {
public:
    constexpr FeatureSet() noexcept = default;
    constexpr explicit FeatureSet(std::uint64_t bits) noexcept : bits_(bits) {}
    template <class... F> [[nodiscard]] static constexpr FeatureSet of(F... features) noexcept {
        FeatureSet set;
        (set.add(features), ...);
        return set;
    }

    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr bool has(Feature f) const noexcept { return (bits_ >> static_cast<unsigned>(f) & 1) != 0; }
    constexpr void add(Feature f) noexcept { bits_ |= std::uint64_t{1} << static_cast<unsigned>(f); }
    constexpr void remove(Feature f) noexcept { bits_ &= ~(std::uint64_t{1} << static_cast<unsigned>(f)); }
    [[nodiscard]] friend constexpr FeatureSet operator&(FeatureSet a, FeatureSet b) noexcept {
        return FeatureSet(a.bits_ & b.bits_);
    }
    [[nodiscard]] friend constexpr FeatureSet operator|(FeatureSet a, FeatureSet b) noexcept {
        return FeatureSet(a.bits_ | b.bits_);
    }
    friend constexpr bool operator==(FeatureSet, FeatureSet) noexcept = default;

private:
    std::uint64_t bits_ = 0;
};

// "EVENT_IDX" and so on, nullptr for a bit without a name. Static storage.
[[nodiscard]] const char* feature_name(unsigned bit) noexcept;

} // namespace vfsproto
