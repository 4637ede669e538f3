// SPDX-License-Identifier: BSD-2-Clause
// A READ or WRITE of one segment the device can reach: what nearly every request of a busy client is. It has a way of its
// own through the lane (BasicLane::start_plain), and none of the fields that other requests need.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/segment.hpp"
#include "vfsproto/fuse/client/verdict.hpp"

#include <cstdint>

namespace vfsproto::client {

using abi::Caller;

// The transfer that is wanted. Needed only while it is started.
struct PlainTransfer {
    std::uint64_t nodeid;
    std::uint64_t fh;
    std::uint64_t offset;
    DeviceAddr data;
    std::uint32_t len;                // bytes, 1 to kMaxPayload
    std::uint32_t open_flags;         // the file's O_… flags
    Caller caller{};                  // on whose behalf
    std::uint32_t transfer_flags = 0; // ReadIn::read_flags or WriteIn::write_flags
    std::uint64_t lock_owner = 0;     // counts with the LOCKOWNER flag
};

// The outcome, in storage of the caller that stays in place until on_done was called.
struct PlainAnswer : Verdict {
    void (*on_done)(PlainAnswer&) noexcept; // set by the caller; called once, by the lane's owner
    std::uint32_t bytes;                    // read, or taken as the server says: no more than was asked for
};

} // namespace vfsproto::client
