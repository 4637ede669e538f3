// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/features.hpp"

namespace vfsproto {
namespace {

struct Name {
    std::uint8_t bit;
    const char* name;
};

// virtio 1.2 §6 "Reserved Feature Bits", without their VIRTIO_F_ and VIRTIO_RING_F_; bits 24 and 27 are of the legacy
// interface, 26 and 30 of vhost-user.
constexpr Name kNames[] = {
    {0, "FS_NOTIFICATION"},
    {24, "NOTIFY_ON_EMPTY"},
    {26, "VHOST_LOG_ALL"},
    {27, "ANY_LAYOUT"},
    {28, "INDIRECT_DESC"},
    {29, "EVENT_IDX"},
    {30, "VHOST_PROTOCOL_FEATURES"},
    {32, "VERSION_1"},
    {33, "ACCESS_PLATFORM"},
    {34, "RING_PACKED"},
    {35, "IN_ORDER"},
    {36, "ORDER_PLATFORM"},
    {37, "SR_IOV"},
    {38, "NOTIFICATION_DATA"},
    {39, "NOTIF_CONFIG_DATA"},
    {40, "RING_RESET"},
    {41, "ADMIN_VQ"},
    {43, "SUSPEND"},
};

} // namespace

const char* feature_name(unsigned bit) noexcept {
    for (const Name& row : kNames) {
        if (row.bit == bit) return row.name;
    }
    return nullptr;
}

} // namespace vfsproto
