// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "call_runner.hpp"

namespace vfsproto::kernel_mount {

// Waits for a lock, at the server or, where that cannot wait, by asking it from time to time, and answers the kernel. Ends early when
// the request is interrupted.
void wait_for_lock(MountShared& shared, const wire::InHeader& header, const wire::LkIn& wanted);

} // namespace vfsproto::kernel_mount
