// SPDX-License-Identifier: BSD-2-Clause
// What the rings of both kinds are told when they are set up, and what they count.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto {

// Is VIRTIO_F_INDIRECT_DESC negotiated?
enum class IndirectTables : std::uint8_t { refused, accepted };

// Is VIRTIO_F_IN_ORDER negotiated (virtio 1.2 §2.7.9, §2.8.8)? Then a device uses buffers in the order they were made
// available in, and may say so once for several of them: of the ones before the last, no length is told.
enum class UseOrder : std::uint8_t { any, in_order };

// Plain words, written by the queue's owner.
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
