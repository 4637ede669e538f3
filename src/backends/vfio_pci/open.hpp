// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "calls.hpp"

#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

namespace vfsproto::backends::vfio_pci {

// VfioPci::open() on this kernel, with these devices.
[[nodiscard]] Opened<VfioPci> open(Calls& calls, const PciDevices& devices, VfioPciOptions options);

} // namespace vfsproto::backends::vfio_pci
