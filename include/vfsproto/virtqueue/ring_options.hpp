// SPDX-License-Identifier: BSD-2-Clause
// Options and counters that split and packed rings share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto {

// Tells whether VIRTIO_F_INDIRECT_DESC is negotiated.
enum class IndirectTables : std::uint8_t { refused, accepted };

// Tells whether VIRTIO_F_IN_ORDER is negotiated (virtio 1.2 §2.7.9, §2.8.8). With it a device uses buffers in the order in
// which they were made available, and may say so once for several of them. Then only the last one's length is told.
enum class UseOrder : std::uint8_t { any, in_order };

// The queue's owner counts, since init().
struct RingDriverCounters {
    std::size_t completions{};
    std::size_t chains{};      // published
    std::size_t descriptors{}; // ring entries they took
    std::size_t publications{};
    std::size_t doorbells{};
    std::size_t polls{}; // that found something
    std::size_t empty_polls{};
};
struct RingDeviceCounters {
    std::size_t chains{}; // popped
    std::size_t completions{};
    std::size_t publications{};
    std::size_t notifications{}; // asked for by the driver
};

} // namespace vfsproto
