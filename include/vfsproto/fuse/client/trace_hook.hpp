// SPDX-License-Identifier: BSD-2-Clause
// A host watches requests go by through this hook. The core reads no clock: time is the watcher's.
#pragma once

namespace vfsproto::client {

struct TraceEvent; // trace_event.hpp

// Called by the lane's owner; must not call back into the lane. `finished` comes once for each `started`, and twice for a
// request that was abandoned (TraceEnd). A request that was never submitted is not told.
struct TraceHook {
    void (*started)(void* context, const TraceEvent&) noexcept = nullptr;
    void (*finished)(void* context, const TraceEvent&) noexcept = nullptr;
    void* context = nullptr;
};

} // namespace vfsproto::client
