// SPDX-License-Identifier: BSD-2-Clause
// The body of SharedLane::run_plain(): the fast path of a READ from the call to the doorbell, inlined into its caller.
#pragma once

#include "vfsproto/fuse/client/lane_body.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"

namespace vfsproto::posix {

template <wire::Opcode Op>
inline bool SharedLane::run_plain(const client::PlainTransfer& wanted, PlainRun& run) noexcept {
    run.lane_ = this;
    run.on_done = [](client::PlainAnswer& done) noexcept {
        auto& ended = static_cast<PlainRun&>(done);
        ended.lane_->satisfy(ended.waiter_);
    };
    mutex_.lock();
    Lane& lane = *lane_;
    if (!lane.start_plain_here<Op>(wanted, run)) [[unlikely]] {
        mutex_.unlock();
        return false;
    }
    lane.kick();
    wait_and_unlock(run.waiter_);
    return true;
}

} // namespace vfsproto::posix
