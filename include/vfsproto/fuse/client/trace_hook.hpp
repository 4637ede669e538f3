// SPDX-License-Identifier: BSD-2-Clause
// A host watches requests go by through this hook. The core reads no clock: time is the watcher's.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

struct TraceEvent {
    const wire::OpInfo* op = nullptr;
    std::uint64_t unique = 0;
    std::uint64_t nodeid = 0;
    std::uint32_t sent = 0;     // bytes of the request
    std::uint32_t received = 0; // bytes of the reply (finished only)
    std::int32_t error = 0;     // Linux errno, positive (finished only)
    Errc errc = Errc::ok;       // finished only
    std::uint16_t slot = 0;
    std::uint8_t lane = 0;
};

// Called by the lane's owner; must not call back into the lane.
struct TraceHook {
    void (*started)(void* context, const TraceEvent&) noexcept = nullptr;
    void (*finished)(void* context, const TraceEvent&) noexcept = nullptr;
    void* context = nullptr;
};

} // namespace vfsproto::client
