// SPDX-License-Identifier: BSD-2-Clause
// The names of abi/ that FUSE messages use, under the name of this room.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::wire {

using abi::Errno;
using abi::errno_name;
using abi::errno_text;
using abi::has_name;
using abi::kMaxErrno;

namespace linux_abi = abi;

} // namespace vfsproto::wire
