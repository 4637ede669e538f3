// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::posix {

// Counts of one request queue. Descriptors and doorbells stay 0 where the device is no virtio device.
struct QueueStats {
    std::uint64_t requests = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t doorbells = 0;
    std::uint64_t sleeps = 0;     // waits for an interrupt
    std::uint64_t interrupts = 0; // sleeps that an interrupt ended

    // Returns what was counted since `before`.
    [[nodiscard]] QueueStats since(const QueueStats& before) const noexcept;
};

// Counts since the start, of all request queues together.
struct ChannelStats {
    std::uint64_t requests = 0;
    std::uint64_t descriptors = 0; // on the request queues, as their doorbells
    std::uint64_t doorbells = 0;
    std::uint64_t sleeps = 0;     // waits for an interrupt
    std::uint64_t interrupts = 0; // sleeps that an interrupt ended
    std::uint64_t copies = 0;     // payloads that were not registered memory
    std::uint64_t syscalls = 0;   // doorbells, sleeps, yields, futexes
    std::uint64_t waited_for_slot = 0;
    std::uint64_t violations = 0;    // malformed replies and notifications
    std::uint64_t notifications = 0; // taken, those of unknown codes left out

    // Returns what was counted since `before`.
    [[nodiscard]] ChannelStats since(const ChannelStats& before) const noexcept;
};

} // namespace vfsproto::posix
