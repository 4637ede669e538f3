// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/fs_config.hpp"

namespace vfsproto {
namespace {

// A notification message starts with a FUSE reply header (virtio 1.2 §5.11.6.3).
constexpr std::uint32_t kSmallestNotifyBuffer = 16;

std::uint8_t length_of(const std::byte (&tag)[FsConfig::kTagSize]) noexcept {
    std::uint8_t length = 0;
    while (length < FsConfig::kTagSize && tag[length] != std::byte{0}) ++length;
    return length;
}

} // namespace

Result<FsConfig> read_fs_config(Transport& transport, FeatureSet negotiated) noexcept {
    const bool with_notification = negotiated.has(Feature::fs_notification);
    // All in one read: only then is it of one generation.
    std::byte raw[sizeof(FsConfigLayout)]{};
    const std::size_t size = with_notification ? sizeof raw : offsetof(FsConfigLayout, notify_buf_size);
    if (const Errc why = transport.read_config(0, {raw, size}); why != Errc::ok) return why;
    FsConfigLayout layout{};
    __builtin_memcpy(&layout, raw, sizeof layout);

    FsConfig config;
    config.tag_length = length_of(layout.tag);
    __builtin_memcpy(config.tag, layout.tag, config.tag_length);
    const std::uint32_t queues = layout.num_request_queues.value();
    if (config.tag_length == 0 || queues == 0 || queues > FsConfig::kMaxRequestQueues) return Errc::config_invalid;
    config.num_request_queues = static_cast<std::uint16_t>(queues);
    if (with_notification) {
        config.notify_buf_size = layout.notify_buf_size.value();
        if (config.notify_buf_size < kSmallestNotifyBuffer) return Errc::config_invalid;
    }
    return config;
}

std::size_t write_fs_config(const FsConfig& config, std::uint32_t offset, std::span<std::byte> out) noexcept {
    FsConfigLayout layout{};
    __builtin_memcpy(layout.tag, config.tag, FsConfig::kTagSize);
    layout.num_request_queues = config.num_request_queues;
    layout.notify_buf_size = config.notify_buf_size;
    std::byte raw[sizeof layout];
    __builtin_memcpy(raw, &layout, sizeof layout);
    if (offset >= sizeof raw) return 0;
    const std::size_t left = sizeof raw - offset;
    const std::size_t size = left < out.size() ? left : out.size();
    __builtin_memcpy(out.data(), raw + offset, size);
    return size;
}

} // namespace vfsproto
