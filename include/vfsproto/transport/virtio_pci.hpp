// SPDX-License-Identifier: BSD-2-Clause
// A modern virtio device behind PCI registers (virtio 1.2 §4.1), whoever maps them.
#pragma once

#include "vfsproto/config.hpp"
#include "vfsproto/transport/detail/pci_capabilities.hpp"
#include "vfsproto/transport/detail/register_doorbell.hpp"
#include "vfsproto/transport/registers.hpp"
#include "vfsproto/transport/transport.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vfsproto {

// The structures pci_capabilities.hpp found, each a window that starts where the structure does. Not owned.
struct VirtioPciWindows {
    Registers* common = nullptr;
    Registers* notify = nullptr;
    Registers* isr = nullptr;
    Registers* device = nullptr; // may be nullptr
    std::uint32_t notify_multiplier = 0;
    // The windows of VirtioPciLayout, for shared_memory().
    std::array<SharedMemoryWindow, VirtioPciLayout::kMaxSharedMemory> shared{};
    std::size_t shared_count = 0;
};

// Every number a device gives is checked (docs/hardening.md), every wait and every loop ends: by the host's Patience, or
// by a constant. Does not move: doorbells point into it. After any error but those of the caller's own, reset().
//
// Interrupts: MSI-X vector 0 is for configuration changes, 1 + n for queue n while there are vectors, and while the device
// takes them; a queue left without one shares that of the first queue, or vector 0 with everything. queue_vector() says
// how it came out, and queues that share a vector have the same wait handle: the host fans it out. Without MSI-X, whoever
// is woken by the line calls acknowledge_interrupt().
class VirtioPci final : public Transport {
public:
    static constexpr std::uint16_t kNoVector = 0xffff;

    VirtioPci(const VirtioPciWindows& windows, Interrupts& interrupts, Patience& patience) noexcept
        : windows_(windows), interrupts_(interrupts), patience_(patience) {}
    VirtioPci(const VirtioPci&) = delete;
    VirtioPci& operator=(const VirtioPci&) = delete;

    // Say what the host knows of its memory, before bring-up. Negotiation fails (features_refused) if the device does not
    // offer a required bit; a withheld bit is never accepted.
    void require(FeatureSet features) noexcept { required_ = features; }
    void withhold(FeatureSet features) noexcept { withheld_ = features; }

    [[nodiscard]] Result<FeatureSet> device_features() noexcept override;
    [[nodiscard]] Errc accept_features(FeatureSet features) noexcept override;
    // All of kTransportFeatures that are not withheld; RING_RESET and NOTIF_CONFIG_DATA need a common structure long
    // enough to have their fields.
    [[nodiscard]] FeatureSet supported_features() const noexcept override;
    [[nodiscard]] FeatureSet required_features() const noexcept override { return required_; }
    [[nodiscard]] Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override;
    [[nodiscard]] Result<std::uint16_t> queue_count() noexcept override;
    // Errors: queue_absent, also for an index from config::kMaxQueues on; config_invalid.
    [[nodiscard]] Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override;
    // Errors: as Transport says; config_invalid (a doorbell outside its window); transport_failed (no vector is taken, or
    // the queue does not come up).
    [[nodiscard]] Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override;
    [[nodiscard]] Errc reset_queue(QueueIndex index) noexcept override;
    [[nodiscard]] Result<std::uint8_t> status() noexcept override;
    // Reads the status back: the write has arrived then, and a device that left is noticed.
    [[nodiscard]] Errc set_status(std::uint8_t status) noexcept override;
    [[nodiscard]] Errc reset() noexcept override;
    [[nodiscard]] Doorbell doorbell(QueueIndex index) noexcept override;
    [[nodiscard]] WaitHandle wait_handle(QueueIndex index) noexcept override;
    [[nodiscard]] Result<SharedMemory> shared_memory(std::uint8_t id) noexcept override;

    // Reads the reasons of the line interrupt, which also lowers the line (virtio 1.2 §4.1.4.5). To be called without MSI-X.
    // Errors: device_gone.
    [[nodiscard]] Result<InterruptCause> acknowledge_interrupt() noexcept;
    // The vector of an enabled queue, of configuration changes; kNoVector without MSI-X or when not enabled.
    [[nodiscard]] std::uint16_t queue_vector(QueueIndex index) const noexcept;
    [[nodiscard]] std::uint16_t config_vector() const noexcept { return config_vector_; }

private:
    struct Queue {
        RegisterDoorbell bell;
        std::uint16_t vector = kNoVector;
        bool enabled = false;
    };

    [[nodiscard]] Queue* queue(QueueIndex index) noexcept;
    // Selects a queue and returns its largest size. Errors: as max_queue_size().
    [[nodiscard]] Result<std::uint16_t> select(QueueIndex index) noexcept;
    [[nodiscard]] Errc place_doorbell(QueueIndex index, RegisterDoorbell& bell) noexcept;
    [[nodiscard]] Errc take_config_vector() noexcept;
    [[nodiscard]] Result<std::uint16_t> take_queue_vector(QueueIndex index) noexcept;
    void write_address(std::uint64_t offset, DeviceAddr address) noexcept;
    // Returns device_gone when the device is not there any more, else `otherwise`.
    [[nodiscard]] Errc blame(Errc otherwise) noexcept;

    VirtioPciWindows windows_;
    Interrupts& interrupts_;
    Patience& patience_;
    FeatureSet required_;
    FeatureSet withheld_;
    FeatureSet accepted_;
    std::uint16_t config_vector_ = kNoVector;
    std::array<Queue, config::kMaxQueues> queues_{};
};

} // namespace vfsproto
