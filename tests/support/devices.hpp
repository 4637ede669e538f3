// SPDX-License-Identifier: BSD-2-Clause
// Loopback devices over the file systems of the engine, compiled once for all tests (devices.cpp): the code of a whole server
// stands in headers, and compiling it anew was half of the time that a test file took.
#pragma once

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/passthrough.hpp"

namespace vfsproto::serving {
extern template class ServedBy<backends::Memfs, backends::Memfs*>;
extern template class ServedBy<backends::Passthrough, backends::Passthrough*>;
} // namespace vfsproto::serving
namespace vfsproto::backends::loopback {
extern template class BadlyServedBy<Memfs, Memfs*>;
extern template class BadlyServedBy<Passthrough, Passthrough*>;
} // namespace vfsproto::backends::loopback
