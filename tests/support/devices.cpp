// SPDX-License-Identifier: BSD-2-Clause
#include "support/devices.hpp"

namespace vfsproto::serving {
template class ServedBy<backends::Memfs, backends::Memfs*>;
template class ServedBy<backends::Passthrough, backends::Passthrough*>;
} // namespace vfsproto::serving
namespace vfsproto::backends::loopback {
template class BadlyServedBy<Memfs, Memfs*>;
template class BadlyServedBy<Passthrough, Passthrough*>;
} // namespace vfsproto::backends::loopback
