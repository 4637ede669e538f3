// SPDX-License-Identifier: BSD-2-Clause
// A virtio device behind memory-mapped registers, version 2 (virtio 1.2 §4.2).
#pragma once

#include "vfsproto/config.hpp"
#include "vfsproto/transport/detail/register_doorbell.hpp"
#include "vfsproto/transport/registers.hpp"
#include "vfsproto/transport/transport.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vfsproto {

inline constexpr std::uint32_t kVirtioFsDeviceId = 26; // virtio 1.2 §5.11.1

// Every number a device gives is checked, every wait and every loop ends, as in VirtioPci. Does not move: doorbells point
// into it. There is one interrupt for all: whoever is woken by it calls acknowledge_interrupt(), then looks at every queue.
class VirtioMmio final : public Transport {
public:
    // A window holds the registers and the configuration space behind them.
    static constexpr std::uint64_t kConfigOffset = 0x100;

    // `registers` starts at MagicValue. All three outlive this.
    VirtioMmio(Registers& registers, Interrupts& interrupts, Patience& patience) noexcept
        : registers_(registers), interrupts_(interrupts), patience_(patience) {}
    VirtioMmio(const VirtioMmio&) = delete;
    VirtioMmio& operator=(const VirtioMmio&) = delete;

    // The device id behind these registers, 0 for an empty slot: to be passed over in silence. Touches nothing else, so
    // that a host may ask it of every slot it has. Errors: no_version_1 (a legacy device); config_invalid (no virtio
    // registers); device_gone (nothing there).
    [[nodiscard]] Result<std::uint32_t> identify() noexcept;

    // Say what the host knows of its memory, as VirtioPci does.
    void require(FeatureSet features) noexcept { required_ = features; }
    void withhold(FeatureSet features) noexcept { withheld_ = features; }

    [[nodiscard]] Result<FeatureSet> device_features() noexcept override;
    [[nodiscard]] Errc accept_features(FeatureSet features) noexcept override;
    // All of kTransportFeatures that are not withheld, but NOTIF_CONFIG_DATA, which has no register here.
    [[nodiscard]] FeatureSet supported_features() const noexcept override;
    [[nodiscard]] FeatureSet required_features() const noexcept override { return required_; }
    [[nodiscard]] Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override;
    // The queues from the first to the one before the first that is not there; at most config::kMaxQueues.
    [[nodiscard]] Result<std::uint16_t> queue_count() noexcept override;
    // Errors: queue_absent, also for an index from config::kMaxQueues on; config_invalid.
    [[nodiscard]] Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override;
    // Errors: as Transport says; transport_failed (the queue does not come up).
    [[nodiscard]] Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override;
    [[nodiscard]] Errc reset_queue(QueueIndex index) noexcept override;
    [[nodiscard]] Result<std::uint8_t> status() noexcept override;
    [[nodiscard]] Errc set_status(std::uint8_t status) noexcept override;
    // Errors: also what identify() says. device_gone for an empty slot.
    [[nodiscard]] Errc reset() noexcept override;
    [[nodiscard]] Doorbell doorbell(QueueIndex index) noexcept override;
    [[nodiscard]] WaitHandle wait_handle(QueueIndex index) noexcept override;
    [[nodiscard]] Result<SharedMemory> shared_memory(std::uint8_t id) noexcept override;

    // Reads what the interrupt was raised for and acknowledges exactly that. Errors: device_gone.
    [[nodiscard]] Result<InterruptCause> acknowledge_interrupt() noexcept;

private:
    struct Queue {
        RegisterDoorbell bell;
        bool enabled = false;
    };

    [[nodiscard]] Queue* queue(QueueIndex index) noexcept;
    void write_address(std::uint64_t offset, DeviceAddr address) noexcept;
    [[nodiscard]] std::uint64_t read_pair(std::uint64_t offset) noexcept;
    [[nodiscard]] Errc blame(Errc otherwise) noexcept;

    Registers& registers_;
    Interrupts& interrupts_;
    Patience& patience_;
    FeatureSet required_;
    FeatureSet withheld_;
    FeatureSet accepted_;
    std::array<Queue, config::kMaxQueues> queues_{};
};

} // namespace vfsproto
