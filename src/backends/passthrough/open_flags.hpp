// SPDX-License-Identifier: BSD-2-Clause
// Linux' open flags of the wire as the host's own.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

struct OpenFlags {
    int host = 0;
    bool writes = false; // opens for writing, or truncates
};

// Keeps the access mode, O_TRUNC, O_SYNC and O_DSYNC, and drops the rest:
// - the flags that make files, because CREATE has calls of its own;
// - O_NONBLOCK and O_NOATIME;
// - O_DIRECT, because the client's buffers need not be aligned;
// - O_APPEND, because pwrite(2) of such a descriptor ignores the offset. A client writes pages of its cache, which have
//   their place, through any handle of the file. A WRITE that appends says so itself (appends()).
[[nodiscard]] inline OpenFlags open_flags_of(wire::u32 flags) noexcept {
    static_assert(abi::kOWronly == O_WRONLY && abi::kORdwr == O_RDWR && abi::kOAccmode == O_ACCMODE);
    OpenFlags out;
    out.host = static_cast<int>(flags & abi::kOAccmode) | O_CLOEXEC;
    if ((flags & abi::kOTrunc) != 0) out.host |= O_TRUNC;
    if ((flags & abi::kOSync) == abi::kOSync) {
        out.host |= O_SYNC;
    } else if ((flags & abi::kODsync) != 0) {
        out.host |= O_DSYNC;
    }
    out.writes = (flags & abi::kOAccmode) != abi::kORdonly || (flags & abi::kOTrunc) != 0;
    return out;
}

// True if the WRITE goes to the end of the file. A page of the client's cache (WRITE_CACHE) never does.
[[nodiscard]] inline bool appends(const wire::WriteIn& in) noexcept {
    return (in.flags & abi::kOAppend) != 0 && (in.write_flags & wire::kWriteCache) == 0;
}

} // namespace vfsproto::backends
