// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "calls.hpp"

namespace vfsproto::backends::vfio_pci {

// The kernel this process runs on.
[[nodiscard]] Calls& the_system() noexcept;

} // namespace vfsproto::backends::vfio_pci
