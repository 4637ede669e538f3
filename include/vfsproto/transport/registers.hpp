// SPDX-License-Identifier: BSD-2-Clause
// A window of device registers, or a function's PCI configuration space: what a host maps, or reaches by calls of its own.
#pragma once

#include <cstdint>

namespace vfsproto {

// Accesses of natural width (virtio 1.2 §4.1.3.1, §4.2.2.2), little endian, ordered as they are made, after every earlier
// store to memory the device may read. Offsets are in bytes, a multiple of the access' width; the caller has bounded them
// by size(). A read that cannot be done gives all ones, as a bus does for a device that is not there; a write that cannot
// be done is lost. Host-owned. Any context the host's bus allows: a doorbell is a write.
class Registers {
public:
    [[nodiscard]] virtual std::uint8_t read8(std::uint64_t offset) noexcept = 0;
    [[nodiscard]] virtual std::uint16_t read16(std::uint64_t offset) noexcept = 0;
    [[nodiscard]] virtual std::uint32_t read32(std::uint64_t offset) noexcept = 0;
    virtual void write8(std::uint64_t offset, std::uint8_t value) noexcept = 0;
    virtual void write16(std::uint64_t offset, std::uint16_t value) noexcept = 0;
    virtual void write32(std::uint64_t offset, std::uint32_t value) noexcept = 0;
    // The size of the window in bytes.
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;

protected:
    ~Registers() = default; // never deleted through the base
};

// Lets a transport wait for a device between two looks at a register. The host may sleep, pause or count.
class Patience {
public:
    // Waits a moment. False when it has been long enough: the transport gives up. `looks` counts from 0 in every wait.
    [[nodiscard]] virtual bool wait(std::uint32_t looks) noexcept = 0;

protected:
    ~Patience() = default;
};

// The interrupts of one device, as its host wired them.
class Interrupts {
public:
    // Vectors that may be given to queues and to configuration changes: MSI-X vectors that are enabled in the device
    // already. 0: one line shared by all (INTx, or virtio-mmio's).
    [[nodiscard]] virtual std::uint16_t vectors() const noexcept = 0;
    // Returns what to wait on for that vector; -1 where the host polls. If vectors() is 0, vector 0 is the line.
    [[nodiscard]] virtual int wait_handle(std::uint16_t vector) const noexcept = 0;

protected:
    ~Interrupts() = default;
};

} // namespace vfsproto
