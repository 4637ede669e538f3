// SPDX-License-Identifier: BSD-2-Clause
// Shows a trace hook what the session sends by itself: INIT, FORGET, INTERRUPT and DESTROY, which pass through no lane.
#pragma once

#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/client/session.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"

#include <cstddef>

namespace vfsproto::client {

// Called under the lock of the lanes, as the hook expects. The events are of lane 0. Which request an event is of comes from
// memory of this side alone; what the device can write to is shown, and decides nothing.
class SessionTrace {
public:
    void set_hook(const TraceHook& hook) noexcept { hook_ = hook; }
    // Says how exact the lengths of completed() are. Where they are upper bounds the header of an answer counts, as for the session.
    void set_lengths(WrittenLength lengths) noexcept { lengths_ = lengths; }

    // `memory` is the session's: both parts of the message lie in it.
    void submitted(const SessionRequest& request, const Region& memory) noexcept;
    // `verdict` is what the session makes of the answer; the error of an INTERRUPT is taken from the answer itself.
    void completed(wire::QueueKind queue, Token token, std::uint32_t written, const Verdict& verdict) noexcept;
    // Every message that is out ends with `why`: the device is gone.
    void lost(Errc why) noexcept;

private:
    struct Open {
        const wire::OpInfo* op = nullptr; // nullptr: nothing is out
        std::uint64_t unique = 0;
        std::uint64_t nodeid = 0;
        const std::byte* answer = nullptr; // where it will lie
        std::uint32_t answer_room = 0;     // bytes; 0: none is owed
    };
    static constexpr std::size_t kOpen = 1 + Session::kHiprioSlots;

    [[nodiscard]] static std::size_t index_of(wire::QueueKind queue, Token token) noexcept {
        return queue == wire::QueueKind::request ? 0 : std::size_t{1} + token.slot;
    }
    [[nodiscard]] TraceEvent event_of(std::size_t index) const noexcept;

    TraceHook hook_{};
    WrittenLength lengths_ = WrittenLength::exact;
    Open open_[kOpen]{};
};

} // namespace vfsproto::client
