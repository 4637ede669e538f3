// SPDX-License-Identifier: BSD-2-Clause
#include "explain.hpp"

#include <cerrno>
#include <system_error>

namespace vfsproto::backends::vfio_pci {

std::string explain(const std::string& what, int error) {
    const std::string text = what + ": " + std::generic_category().message(-error);
    return error == -EACCES || error == -EPERM ? text + " (it takes root, or the right to the device node)" : text;
}

} // namespace vfsproto::backends::vfio_pci
