// SPDX-License-Identifier: BSD-2-Clause
// VFIO's older interface: groups that are put into a container.
#pragma once

#include "dma_space.hpp"

#include "vfsproto/backends/vfio_pci/pci_devices.hpp"

namespace vfsproto::backends::vfio_pci {

// Takes the device's group, into a container with an IOMMU of type 1, or (Guard::none) without any. Errors:
// transport_failed, with what to do about it.
[[nodiscard]] Attached attach_by_group(Calls& calls, const PciDevice& device, Guard guard);

} // namespace vfsproto::backends::vfio_pci
