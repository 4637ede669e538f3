// SPDX-License-Identifier: BSD-2-Clause
// Everything a host of its own needs for the client's side: rings of either kind, a transport, the connection and its operations.
// Freestanding.
#pragma once

// IWYU pragma: begin_exports
#include "vfsproto/fuse/client/connection.hpp"
#include "vfsproto/fuse/client/dax_window.hpp"
#include "vfsproto/fuse/client/id_map.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/late_reply.hpp"
#include "vfsproto/fuse/client/node_table.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/mappings.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/fuse/client/repeat.hpp"
#include "vfsproto/fuse/client/undo_grants.hpp"
#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/virtio_mmio.hpp"
#include "vfsproto/transport/virtio_pci.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"
// IWYU pragma: end_exports
