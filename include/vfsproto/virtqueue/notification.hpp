// SPDX-License-Identifier: BSD-2-Clause
// When one side of a ring has to notify the other (virtio 1.2 §2.7.7, §2.7.10), and how a driver does it.
#pragma once

#include <cstdint>

namespace vfsproto {

// Is VIRTIO_F_EVENT_IDX negotiated (virtio 1.2 §2.7.7.1)?
enum class EventIndex : std::uint8_t { off, on };

// Did the step of a free-running index from `old_index` to `new_index` pass the one the other side asked to hear of?
// `event` is hit when the entry with that very index was written. All three wrap at 2^16 (virtio 1.2 §2.7.10).
[[nodiscard]] constexpr bool need_event(std::uint16_t event, std::uint16_t new_index,
                                        std::uint16_t old_index) noexcept {
    return static_cast<std::uint16_t>(new_index - event - 1) < static_cast<std::uint16_t>(new_index - old_index);
}

// What a doorbell is told with VIRTIO_F_NOTIFICATION_DATA (virtio 1.2 §2.9): the queue, or what its configuration gives in
// its stead (VIRTIO_F_NOTIF_CONFIG_DATA), and where the driver goes on: a packed ring's next_position(), a split ring's
// available index.
[[nodiscard]] constexpr std::uint32_t notification_data(std::uint16_t queue, std::uint16_t next) noexcept {
    return queue | std::uint32_t{next} << 16;
}

// Rings a queue's doorbell. A value: copied into the ring's driver side, called from kick(), in the owner's context.
// `next` is where the driver goes on, for a transport with VIRTIO_F_NOTIFICATION_DATA.
struct Doorbell {
    void (*ring)(void* context, std::uint16_t next) noexcept = nullptr;
    void* context = nullptr;
};

} // namespace vfsproto
