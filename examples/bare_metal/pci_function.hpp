// SPDX-License-Identifier: BSD-2-Clause
// A virtio function on a PCI bus that no firmware has set up.
#pragma once

#include "host.hpp"

#include "vfsproto/transport/virtio_pci.hpp"

#include <array>

namespace host {

class PciFunction {
public:
    // Looks for it on bus 0, places its BARs, lets it answer and write to memory. False: there is none.
    [[nodiscard]] bool find(std::uint16_t vendor, std::uint16_t device) noexcept;
    // Finds its structures. Errors: as find_virtio_structures().
    [[nodiscard]] vfsproto::Errc map(vfsproto::VirtioPciWindows& windows) noexcept;

private:
    void place_bars() noexcept;
    [[nodiscard]] vfsproto::Registers* window(vfsproto::MappedRegisters& registers,
                                              const vfsproto::BarWindow& where) const noexcept;

    vfsproto::MappedRegisters config_;
    std::array<std::uint64_t, 6> sizes_{};
    std::array<std::uintptr_t, 6> places_{};
    vfsproto::MappedRegisters common_, notify_, isr_, device_;
};

} // namespace host
