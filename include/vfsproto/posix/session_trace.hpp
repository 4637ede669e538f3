// SPDX-License-Identifier: BSD-2-Clause
// Shows a trace hook what the session sends by itself: INIT, FORGET and DESTROY, which pass through no lane.
#pragma once

#include "vfsproto/fuse/client/session.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"

#include <cstddef>

namespace vfsproto::posix {

// Under the lock of the lane, as the hook expects. The events are of lane 0.
class SessionTrace {
public:
    explicit SessionTrace(const client::TraceHook& hook) noexcept : hook_(hook) {}

    // `bytes`: the readable part.
    void submitted(const client::SessionRequest& request, const std::byte* bytes) noexcept;
    // `answered`: what the session makes of the answer.
    void completed(wire::QueueKind queue, Token token, std::uint32_t written, wire::Errno answered) noexcept;

private:
    [[nodiscard]] static std::size_t place(wire::QueueKind queue, Token token) noexcept {
        return queue == wire::QueueKind::request ? 0 : std::size_t{1} + token.slot;
    }

    client::TraceHook hook_;
    client::TraceEvent events_[1 + client::Session::kForgetBlocks]{};
};

} // namespace vfsproto::posix
