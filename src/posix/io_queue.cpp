// SPDX-License-Identifier: BSD-2-Clause
// IoQueue: limits.
#include "vfsproto/posix/io_queue.hpp"

#include "vfsproto/posix/detail/abandoned_call.hpp"
#include "vfsproto/posix/detail/call_watch.hpp"

#include <utility>

namespace vfsproto::posix {

client::Operation* IoQueue::next(const CallLimits& limits) {
    if (mine_ == nullptr && in_flight() != 0 && limits.has_any()) {
        channel_.want_limits();
        CallLimits own = limits;
        own.grace = {};
        LimitedCall wait(channel_, own);
        channel_.wait_limited(
            {side_, waiter_}, wait, take_staged(), [this]() noexcept { return has_done(); },
            [this]() noexcept { take_done(); });
        if (mine_ == nullptr) return nullptr;
    }
    return next();
}

// Flushes first, as a lane does not know yet what is staged.
template <wire::Opcode Op> Errc IoQueue::give_up(QueuedTransfer<Op>& transfer, const File& file, Errc why) {
    flush();
    const client::TransferSpan& span = transfer.span_;
    const bool is_registered = span.payload == client::Payload::registered;
    const Region* const payload = is_registered ? channel_.find_registered(span.host, span.len) : nullptr;
    Held held = file.node().hold();
    held.handles.push_back(file.handle());
    return channel_.give_up(side_, transfer, payload, std::move(held), why);
}
template Errc IoQueue::give_up(QueuedRead& transfer, const File& file, Errc why);
template Errc IoQueue::give_up(QueuedWrite& transfer, const File& file, Errc why);

} // namespace vfsproto::posix
