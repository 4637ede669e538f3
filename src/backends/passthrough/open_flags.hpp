// SPDX-License-Identifier: BSD-2-Clause
// Linux' open flags of the wire as the host's own.
#pragma once

#include "vfsproto/fuse/wire/linux_abi.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

struct OpenFlags {
    int host = 0;
    bool writes = false; // opens for writing, or truncates
};

// Access mode, O_APPEND, O_TRUNC, O_SYNC and O_DSYNC. The rest is dropped: what makes files (CREATE has its own way),
// O_NONBLOCK and O_NOATIME, and O_DIRECT, whose alignment rules the client's buffers need not keep.
[[nodiscard]] inline OpenFlags open_flags_of(wire::u32 flags) noexcept {
    namespace abi = wire::linux_abi;
    static_assert(abi::kOWronly == O_WRONLY && abi::kORdwr == O_RDWR && abi::kOAccmode == O_ACCMODE);
    OpenFlags out;
    out.host = static_cast<int>(flags & abi::kOAccmode) | O_CLOEXEC;
    if ((flags & abi::kOAppend) != 0) out.host |= O_APPEND;
    if ((flags & abi::kOTrunc) != 0) out.host |= O_TRUNC;
    if ((flags & abi::kOSync) == abi::kOSync) {
        out.host |= O_SYNC;
    } else if ((flags & abi::kODsync) != 0) {
        out.host |= O_DSYNC;
    }
    out.writes = (flags & abi::kOAccmode) != abi::kORdonly || (flags & abi::kOTrunc) != 0;
    return out;
}

} // namespace vfsproto::backends
