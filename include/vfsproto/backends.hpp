// SPDX-License-Identifier: BSD-2-Clause
// Everything that posix::Mount::open() can be given: a device in this process with a file system of ours or of your own, a
// virtiofsd behind a socket, any FUSE server behind another, a PCI device.
#pragma once

// IWYU pragma: begin_exports
#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/backends/logging.hpp"
#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vhost_user.hpp"
// IWYU pragma: end_exports
