// SPDX-License-Identifier: BSD-2-Clause
// What a bus offers to reach one virtio device: the control plane. Nothing here is called per request, so plain virtual
// functions are right. bring_up.hpp is the only legal order to call them in (virtio 1.2 §3.1.1).
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/transport/features.hpp"
#include "vfsproto/virtqueue/notification.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

enum class QueueIndex : std::uint16_t {};

// Where a queue's three areas lie (virtio 1.2 §2.6: descriptor area, driver area, device area).
struct QueueAddresses {
    std::uint16_t size{}; // entries
    Segment descriptors{};
    Segment driver{};
    Segment device{};
};

// What hosted code can wait on for a queue's interrupts: an eventfd, an interrupt cookie, or nothing (-1).
struct WaitHandle {
    int fd = -1;
};

// Device status bits, virtio 1.2 §2.1.
namespace status {
inline constexpr std::uint8_t kAcknowledge = 1;
inline constexpr std::uint8_t kDriver = 2;
inline constexpr std::uint8_t kDriverOk = 4;
inline constexpr std::uint8_t kFeaturesOk = 8;
inline constexpr std::uint8_t kSuspend = 16;
inline constexpr std::uint8_t kNeedsReset = 64;
inline constexpr std::uint8_t kFailed = 128;
} // namespace status

// Host-owned, one owner at a time, may sleep. Errors: transport_failed, device_gone and what each call names.
class Transport {
public:
    // Features the device offers, without any bit that is the transport's own business.
    [[nodiscard]] virtual Result<FeatureSet> device_features() noexcept = 0;
    // Tells the device which of them are taken. FEATURES_OK and its read-back are the caller's, through status.
    [[nodiscard]] virtual Errc accept_features(FeatureSet) noexcept = 0;
    // Configuration space, consistent over one generation. Errors: config_invalid beyond its end.
    [[nodiscard]] virtual Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept = 0;
    [[nodiscard]] virtual Result<std::uint16_t> queue_count() noexcept = 0;
    // The most entries this queue may have. Errors: queue_absent.
    [[nodiscard]] virtual Result<std::uint16_t> max_queue_size(QueueIndex) noexcept = 0;
    [[nodiscard]] virtual Errc enable_queue(QueueIndex, const QueueAddresses&) noexcept = 0;
    [[nodiscard]] virtual Result<std::uint8_t> status() noexcept = 0;
    [[nodiscard]] virtual Errc set_status(std::uint8_t) noexcept = 0;
    // Device reset: done when it returns ok (a device that does not finish: reset_timeout).
    [[nodiscard]] virtual Errc reset() noexcept = 0;
    // Valid once the queue is enabled, until reset.
    [[nodiscard]] virtual Doorbell doorbell(QueueIndex) noexcept = 0;
    [[nodiscard]] virtual WaitHandle wait_handle(QueueIndex) noexcept = 0;

protected:
    ~Transport() = default; // never deleted through the base: no operator delete is needed
};

// Host memory the device may reach. Separate from the transport: memory is no property of the bus.
class MemoryMapper {
public:
    // Makes [host, host + size) reachable. Errors: bad_argument, no_memory, transport_failed.
    [[nodiscard]] virtual Result<Region> map(std::span<std::byte> memory) noexcept = 0;
    virtual void unmap(const Region&) noexcept = 0;

protected:
    ~MemoryMapper() = default;
};

} // namespace vfsproto
