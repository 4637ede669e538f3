// SPDX-License-Identifier: BSD-2-Clause
// The body of SharedLane::run() for a READ or a WRITE: straight code from the call to the doorbell, inlined into its caller.
#pragma once

#include "vfsproto/fuse/client/lane_body.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"

namespace vfsproto::posix {

template <wire::Opcode Op> inline void SharedLane::run(RunningTransfer& transfer, const client::TransferSpan& span,
                                                       const client::Caller& caller) noexcept {
    transfer.lane_ = this;
    transfer.on_done = [](client::Transfer& done) noexcept {
        auto& ended = static_cast<RunningTransfer&>(done);
        ended.lane_->satisfy(ended.waiter_);
    };
    mutex_.lock();
    lane_->start_inline<Op>(transfer, span, caller);
    lane_->kick();
    if (transfer.waiter_.satisfied_) [[unlikely]]
        return mutex_.unlock(); // it never came to a request
    wait_and_unlock(transfer.waiter_);
}

} // namespace vfsproto::posix
