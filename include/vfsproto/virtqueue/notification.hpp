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

// Rings a queue's doorbell. A value: copied into the ring's driver side, called from kick(), in the owner's context.
struct Doorbell {
    void (*ring)(void* context) noexcept = nullptr;
    void* context = nullptr;
};

} // namespace vfsproto
