// SPDX-License-Identifier: BSD-2-Clause
// The control plane of one virtio device, whatever its bus. Nothing here is called per request, so virtual functions are
// right. bring_up.hpp is the only legal order to call them in (virtio 1.2 §3.1.1).
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/transport/features.hpp"
#include "vfsproto/virtqueue/detail/notification.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

enum class QueueIndex : std::uint16_t {};

// The three areas of a queue (virtio 1.2 §2.6: descriptor area, driver area, device area).
struct QueueAddresses {
    std::uint16_t size{}; // entries
    Segment descriptors{};
    Segment driver{};
    Segment device{};
};

// A handle that hosted code can wait on for a queue's interrupts: an eventfd, an interrupt cookie, or nothing (-1).
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

// The features whose logic lies in the transport and in how memory is reached, not in the rings: a driver takes one of
// them only where the transport says that it can.
inline constexpr FeatureSet kTransportFeatures =
    FeatureSet::of(Feature::access_platform, Feature::order_platform, Feature::notification_data,
                   Feature::notif_config_data, Feature::ring_reset);

// The features that no driver takes here, whoever wants them: nothing serves them. A device is suspended by ending its session.
inline constexpr FeatureSet kUnservedFeatures = FeatureSet::of(Feature::suspend);

// Memory of the device's that the driver may map (virtio 1.2 §2.10).
struct SharedMemory {
    static constexpr std::uint8_t kNoBar = 0xff;

    std::uint64_t address = 0; // within that BAR; without one, physical
    std::uint64_t length = 0;  // bytes; 0: there is none of this id
    std::uint8_t bar = kNoBar;
};

// The reasons of an interrupt that all queues share. Both may be set; if neither is, it was not this device's.
struct InterruptCause {
    bool queues = false;        // used buffers, in any queue
    bool configuration = false; // the configuration space or the status changed
};

// Host-owned, one owner at a time, may sleep. Errors: transport_failed, device_gone and what each call names.
class Transport {
public:
    // Features the device offers, without any bit that is the transport's own business.
    [[nodiscard]] virtual Result<FeatureSet> device_features() noexcept = 0;
    // Tells the device which of them are taken. FEATURES_OK and its read-back are the caller's, through status.
    [[nodiscard]] virtual Errc accept_features(FeatureSet) noexcept = 0;
    // The features of kTransportFeatures that this transport can do.
    [[nodiscard]] virtual FeatureSet supported_features() const noexcept { return FeatureSet{}; }
    // The features that this transport needs. A device that does not offer them is refused.
    [[nodiscard]] virtual FeatureSet required_features() const noexcept { return FeatureSet{}; }
    // Configuration space, consistent over one generation. Errors: config_invalid beyond its end, or when it does not
    // settle.
    [[nodiscard]] virtual Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept = 0;
    [[nodiscard]] virtual Result<std::uint16_t> queue_count() noexcept = 0;
    // The most entries this queue may have. Errors: queue_absent.
    [[nodiscard]] virtual Result<std::uint16_t> max_queue_size(QueueIndex) noexcept = 0;
    // Errors: queue_absent; bad_argument (a size the device cannot have); wrong_state (enabled already).
    [[nodiscard]] virtual Errc enable_queue(QueueIndex, const QueueAddresses&) noexcept = 0;
    // Takes one queue back from a device that runs (virtio 1.2 §2.6.1): ok means that the device touches nothing of it
    // any more; what was in flight is dropped. It may be enabled again. Errors: not_negotiated (RING_RESET),
    // reset_timeout.
    [[nodiscard]] virtual Errc reset_queue(QueueIndex) noexcept { return Errc::not_negotiated; }
    [[nodiscard]] virtual Result<std::uint8_t> status() noexcept = 0;
    [[nodiscard]] virtual Errc set_status(std::uint8_t) noexcept = 0;
    // Device reset: done when it returns ok (a device that does not finish: reset_timeout).
    [[nodiscard]] virtual Errc reset() noexcept = 0;
    // Valid once the queue is enabled, until reset.
    [[nodiscard]] virtual Doorbell doorbell(QueueIndex) noexcept = 0;
    [[nodiscard]] virtual WaitHandle wait_handle(QueueIndex) noexcept = 0;
    // The shared memory region of that id (virtio-fs' DAX window is 0). Errors: config_invalid.
    [[nodiscard]] virtual Result<SharedMemory> shared_memory(std::uint8_t /*id*/) noexcept { return SharedMemory{}; }

protected:
    ~Transport() = default; // never deleted through the base: no operator delete is needed
};

// Returns a transport with no device behind it: every call that may fail answers transport_failed.
[[nodiscard]] Transport& no_transport() noexcept;

// Returns ok if the device is still there and works. To be called after a configuration interrupt. Errors: device_gone,
// needs_reset, what the transport says.
[[nodiscard]] inline Errc check_health(Transport& transport) noexcept {
    const Result<std::uint8_t> now = transport.status();
    if (!now) return now.error();
    return (*now & status::kNeedsReset) != 0 ? Errc::needs_reset : Errc::ok;
}

} // namespace vfsproto
