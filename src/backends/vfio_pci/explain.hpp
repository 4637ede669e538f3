// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

namespace vfsproto::backends::vfio_pci {

// "cannot do it: permission denied (are you root?)". `error` is a negated errno.
[[nodiscard]] std::string explain(const std::string& what, int error);

} // namespace vfsproto::backends::vfio_pci
