// SPDX-License-Identifier: BSD-2-Clause
// Decides when one side of a ring has to notify the other (virtio 1.2 §2.7.7, §2.7.10), and carries a driver's doorbell.
#pragma once

#include <cstdint>

namespace vfsproto {

// Tells whether VIRTIO_F_EVENT_IDX is negotiated (virtio 1.2 §2.7.7.1).
enum class EventIndex : std::uint8_t { off, on };

// True if the step of a free-running index from `old_index` to `new_index` passed the index that the other side asked for.
// `event` is hit when the entry with that very index was written. All three wrap at 2^16 (virtio 1.2 §2.7.10).
[[nodiscard]] constexpr bool need_event(std::uint16_t event, std::uint16_t new_index,
                                        std::uint16_t old_index) noexcept {
    return static_cast<std::uint16_t>(new_index - event - 1) < static_cast<std::uint16_t>(new_index - old_index);
}

// Returns the number that a doorbell carries with VIRTIO_F_NOTIFICATION_DATA (virtio 1.2 §2.9). `queue`: its index, or the
// number that its configuration gives instead (VIRTIO_F_NOTIF_CONFIG_DATA). `next`: where the driver goes on, which is a
// packed ring's next_position() or a split ring's available index.
[[nodiscard]] constexpr std::uint32_t notification_data(std::uint16_t queue, std::uint16_t next) noexcept {
    return queue | std::uint32_t{next} << 16;
}

// Rings a queue's doorbell. It is copied into the driver side and called from kick(), in the owner's context.
// `next` is where the driver goes on, for a transport with VIRTIO_F_NOTIFICATION_DATA.
struct Doorbell {
    void (*ring)(void* context, std::uint16_t next) noexcept = nullptr;
    void* context = nullptr;
};

} // namespace vfsproto
