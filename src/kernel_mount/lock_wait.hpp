// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "call_runner.hpp"

namespace vfsproto::kernel_mount {

// Waits for a lock, at the server or, where that cannot wait, by asking it from time to time, and answers the kernel. Ends early when
// the request is interrupted.
void wait_for_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted);
// Takes a lock that is free, or says that it is not, and answers the kernel.
void try_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted);
// These are told before an owner gives up locks, as one does whenever it closes the file.
void note_unlock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& unlock);
void note_flush(MountShared& shared, const wire::InHeader& header, std::uint64_t lock_owner);
// Gives up the record locks that owners still have through a handle which is about to be closed.
void unlock_handle(MountShared& shared, const wire::InHeader& header, std::uint64_t fh);

} // namespace vfsproto::kernel_mount
