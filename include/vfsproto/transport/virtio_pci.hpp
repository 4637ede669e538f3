// SPDX-License-Identifier: BSD-2-Clause
// A modern virtio device behind PCI registers (virtio 1.2 §4.1), whoever maps them.
#pragma once

#include "vfsproto/transport/registers.hpp"
#include "vfsproto/transport/transport.hpp"

#include <cstdint>

namespace vfsproto {

// The structures pci_capabilities.hpp found, each a window that starts where the structure does. Not owned.
struct VirtioPciWindows {
    Registers* common = nullptr;
    Registers* notify = nullptr;
    Registers* isr = nullptr;
    Registers* device = nullptr; // may be nullptr
    std::uint32_t notify_multiplier = 0;
};

} // namespace vfsproto
