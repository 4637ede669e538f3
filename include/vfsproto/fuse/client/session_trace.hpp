// SPDX-License-Identifier: BSD-2-Clause
// Shows a trace hook what the session sends by itself: INIT, FORGET, INTERRUPT and DESTROY, which pass through no lane.
#pragma once

#include "vfsproto/fuse/client/session.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"
#include "vfsproto/fuse/client/verdict.hpp"

#include <cstddef>

namespace vfsproto::client {

// Called under the lock of the lanes, as the hook expects. The events are of lane 0.
class SessionTrace {
public:
    SessionTrace() noexcept = default;
    explicit SessionTrace(const TraceHook& hook) noexcept : hook_(hook) {}

    // `memory` is the session's: both parts of the message lie in it.
    void submitted(const SessionRequest& request, const Region& memory) noexcept;
    // `verdict` is what the session makes of the answer; the error of an INTERRUPT is taken from the answer itself.
    void completed(wire::QueueKind queue, Token token, std::uint32_t written, const Verdict& verdict) noexcept;

private:
    static constexpr std::size_t kEvents = 1 + Session::kHiprioSlots;

    [[nodiscard]] static std::size_t index_of(wire::QueueKind queue, Token token) noexcept {
        return queue == wire::QueueKind::request ? 0 : std::size_t{1} + token.slot;
    }

    TraceHook hook_{};
    TraceEvent events_[kEvents]{};
    const std::byte* answers_[kEvents]{}; // where each one's answer will lie; nullptr: none is owed
};

} // namespace vfsproto::client
