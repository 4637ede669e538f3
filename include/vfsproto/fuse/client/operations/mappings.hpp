// SPDX-License-Identifier: BSD-2-Clause
// Mappings of the device's shared memory window, which a DaxWindow hands out. A server without them answers ENOSYS once and is
// not asked again (EOPNOTSUPP to the caller).
#pragma once

#include "vfsproto/fuse/client/dax_window.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

// Sent to the node of the range, with DaxWindow::setup_args().
using SetupMapping = Single<wire::Opcode::setupmapping>;
// Sent to the node of the removal.
using RemoveMapping = Single<wire::Opcode::removemapping>;

// Fills in the entries that DaxWindow::take_removal() gave. They stay in place until the operation ends.
void prepare_removal(RemoveMapping& operation, const DaxRemoval& removal,
                     std::span<const wire::RemovemappingOne> entries) noexcept;

} // namespace vfsproto::client
