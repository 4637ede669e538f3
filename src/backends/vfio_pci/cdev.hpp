// SPDX-License-Identifier: BSD-2-Clause
// VFIO's newer interface: a character device for each function, and address spaces of IOMMUFD. Linux 6.6.
#pragma once

#include "dma_space.hpp"

#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

namespace vfsproto::backends::vfio_pci {

// Takes the device into an address space of its own. Errors: not_negotiated when the kernel has no such interface (then
// the older one is to be tried); transport_failed, with what to do about it.
[[nodiscard]] Attached attach_by_node(Calls& calls, const PciDevice& device);

} // namespace vfsproto::backends::vfio_pci
