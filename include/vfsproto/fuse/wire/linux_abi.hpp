// SPDX-License-Identifier: BSD-2-Clause
// What FUSE messages take from abi/, under the names of this room.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::wire {

using abi::Errno;
using abi::errno_name;
using abi::errno_text;
using abi::kMaxErrno;

namespace linux_abi = abi;

} // namespace vfsproto::wire
