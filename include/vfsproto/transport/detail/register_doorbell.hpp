// SPDX-License-Identifier: BSD-2-Clause
// A doorbell that is one write to a register (virtio 1.2 §4.1.5.2, §4.2.3.3).
#pragma once

#include "vfsproto/transport/registers.hpp"
#include "vfsproto/virtqueue/detail/notification.hpp"

#include <cstdint>

namespace vfsproto {

// The width of the write, and what it carries.
enum class DoorbellWrite : std::uint8_t {
    queue16,  // the queue, 16 bits (PCI)
    queue32,  // the queue, 32 bits (MMIO)
    position, // VIRTIO_F_NOTIFICATION_DATA: the queue and where the driver goes on, 32 bits
};
[[nodiscard]] constexpr std::uint32_t write_bytes(DoorbellWrite write) noexcept {
    return write == DoorbellWrite::queue16 ? 2 : 4;
}

// Stays where it is as long as rings hold the Doorbell it gave.
struct RegisterDoorbell {
    Registers* registers = nullptr;
    std::uint64_t offset = 0; // the caller has bounded it
    std::uint16_t queue = 0;  // or what the queue's configuration says in its stead
    DoorbellWrite write = DoorbellWrite::queue16;

    [[nodiscard]] Doorbell doorbell() noexcept {
        if (registers == nullptr) return {};
        switch (write) {
        case DoorbellWrite::queue16: return {&ring_queue16, this};
        case DoorbellWrite::queue32: return {&ring_queue32, this};
        case DoorbellWrite::position: return {&ring_position, this};
        }
        return {};
    }

private:
    static void ring_queue16(void* context, std::uint16_t) noexcept {
        const auto& self = *static_cast<RegisterDoorbell*>(context);
        self.registers->write16(self.offset, self.queue);
    }
    static void ring_queue32(void* context, std::uint16_t) noexcept {
        const auto& self = *static_cast<RegisterDoorbell*>(context);
        self.registers->write32(self.offset, self.queue);
    }
    static void ring_position(void* context, std::uint16_t next) noexcept {
        const auto& self = *static_cast<RegisterDoorbell*>(context);
        self.registers->write32(self.offset, notification_data(self.queue, next));
    }
};

} // namespace vfsproto
