// SPDX-License-Identifier: BSD-2-Clause
// The configuration space of a virtio file system device (virtio 1.2 §5.11.4), and which queue is which (§5.11.2).
#pragma once

#include "vfsproto/base/endian.hpp"
#include "vfsproto/transport/transport.hpp"

#include <cstddef>

namespace vfsproto {

// The configuration space as a device shows it. It may be longer than this; nobody requires an exact size.
struct FsConfigLayout {
    std::byte tag[36]; // UTF-8, padded with NUL, without one when all 36 bytes are used
    Le32 num_request_queues;
    Le32 notify_buf_size; // there only with Feature::fs_notification
};
static_assert(sizeof(FsConfigLayout) == 44 && offsetof(FsConfigLayout, num_request_queues) == 36);

struct FsConfig {
    static constexpr std::size_t kTagSize = sizeof(FsConfigLayout::tag);
    // Queue indices are 16 bits wide and up to two queues come before the request queues.
    static constexpr std::uint32_t kMaxRequestQueues = 0xffff - 2;

    char tag[kTagSize + 1]{};           // always NUL terminated here
    std::uint8_t tag_length{};          // 1 to 36; 0 where there is no virtio device
    std::uint16_t num_request_queues{}; // at least 1
    std::uint32_t notify_buf_size{};    // bytes; 0 without Feature::fs_notification
};

// Reads and checks it. `negotiated` is what BringUp::negotiate() returned, so this belongs after it. May sleep.
// Errors: config_invalid (empty tag, no request queue, more of them than a queue index can name, a notification buffer
// that cannot hold a header); what the transport says.
[[nodiscard]] Result<FsConfig> read_fs_config(Transport& transport, FeatureSet negotiated) noexcept;

// The reverse, for device sides; writes at most out.size() bytes from `offset` on and says how many.
[[nodiscard]] std::size_t write_fs_config(const FsConfig& config, std::uint32_t offset,
                                          std::span<std::byte> out) noexcept;

// The notification queue exists only when its feature was negotiated, and then shifts every request queue by one.
inline constexpr QueueIndex kHiprioQueue{0};
inline constexpr QueueIndex kNotificationQueue{1};
[[nodiscard]] constexpr QueueIndex request_queue_index(FeatureSet negotiated, std::uint16_t n) noexcept {
    const unsigned first = negotiated.has(Feature::fs_notification) ? 2 : 1;
    return QueueIndex{static_cast<std::uint16_t>(first + n)};
}

} // namespace vfsproto
