// SPDX-License-Identifier: BSD-2-Clause
// Finds the structures of a virtio PCI device in its BARs (virtio 1.2 §4.1.4).
#pragma once

#include "vfsproto/base/result.hpp"
#include "vfsproto/transport/registers.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

inline constexpr std::uint16_t kVirtioPciVendor = 0x1af4;
inline constexpr std::uint16_t kVirtioFsPciDevice = 0x105a; // 0x1040 and virtio's device id, 26: there is no other

struct BarWindow {
    std::uint8_t bar = 0; // 0 to 5
    std::uint64_t offset = 0;
    std::uint64_t length = 0; // bytes; 0: the device has no such structure
};

struct SharedMemoryWindow {
    std::uint8_t id = 0; // virtio 1.2 §2.10; virtio-fs' DAX window is 0
    BarWindow where;
};

struct VirtioPciLayout {
    static constexpr std::size_t kMaxSharedMemory = 4;

    BarWindow common;
    BarWindow notify;
    BarWindow isr;
    BarWindow device;
    std::uint32_t notify_multiplier = 0; // bytes between the doorbells of two notify offsets; 0: all share one
    std::array<SharedMemoryWindow, kMaxSharedMemory> shared{};
    std::size_t shared_count = 0;
};

// Walks the capability list of a modern virtio function. Takes the first usable structure of each type: one that lies in a
// BAR of the device, whole. `bar_sizes`: bytes of BAR 0 to 5, 0 for one that is not there or is I/O space the host cannot
// reach. Bounded whatever the device says. Errors: config_invalid (no list, a loop, a structure that must be there is
// not: common, notify, ISR), device_gone (reads all ones).
[[nodiscard]] Result<VirtioPciLayout> find_virtio_structures(Registers& config,
                                                             std::span<const std::uint64_t, 6> bar_sizes) noexcept;

} // namespace vfsproto
