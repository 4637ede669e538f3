// SPDX-License-Identifier: BSD-2-Clause
// These differ from machine to machine. machine_NAME.cpp has the bodies, start_NAME.S the code before run().
#pragma once

#include <cstddef>
#include <cstdint>

namespace machine {

// Writes to the serial line.
void put(char c) noexcept;
// Returns the time since some moment in the past.
[[nodiscard]] std::uint64_t microseconds() noexcept;
[[noreturn]] void power_off() noexcept;

// Tells where virtio-mmio devices may be.
struct MmioSlots {
    std::uintptr_t first;
    std::size_t stride; // bytes from one to the next
    std::size_t size;   // bytes of registers
    unsigned count;
};
extern const MmioSlots kMmioSlots;

// A PCI host bridge nobody has set up yet. `ecam` 0: there is none.
struct PciBridge {
    std::uintptr_t ecam;      // configuration space of bus 0, 4 KiB a function
    std::uintptr_t memory;    // where BARs may be placed, for this processor and for the bus alike
    std::size_t memory_bytes; // below 4 GiB
};
extern const PciBridge kPciBridge;

} // namespace machine
