// SPDX-License-Identifier: BSD-2-Clause
// Feature bits (virtio 1.2 §6) and the set they come in.
#pragma once

#include "vfsproto/base/flag_set.hpp"

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

using FeatureSet = FlagSet<Feature>;

// "EVENT_IDX" and so on, nullptr for a bit without a name. Static storage.
[[nodiscard]] const char* feature_name(unsigned bit) noexcept;

} // namespace vfsproto
