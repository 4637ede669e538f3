// SPDX-License-Identifier: BSD-2-Clause
// Channel: the STATFS that tells a slow request from a silent device.
#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

// Returns what the silence watch compares. A server may rightly take minutes for an FSYNC or a lock: it is asked for a STATFS
// beside them, and owes that answer.
std::optional<std::uint64_t> Channel::progress() {
    std::uint64_t finished = 0;
    {
        const SharedLane::Lock lock(shared_lane_);
        if (lane_.in_flight() == 0) return std::nullopt;
        finished = lane_.finished();
        if (probing_ || failed_ != Errc::ok || lane_.awaits_prompt_reply()) return finished;
        probing_ = true;
    }
    probe_.user = this;
    probe_.on_finish = [](client::Operation& probe) noexcept {
        auto& channel = *static_cast<Channel*>(probe.user);
        channel.shared_lane_.mutex().assert_held();
        channel.probing_ = false;
    };
    const SharedLane::Lock lock(shared_lane_);
    shared_lane_.start_locked(probe_, own_caller(), wire::kRootNodeId);
    shared_lane_.publish();
    return finished;
}

// Polls for the probe and for answers to RETRIEVE: nobody else may once the requests they were sent beside are over.
void Channel::finish_own_requests() noexcept {
    const auto until = Clock::now() + options_.patience;
    for (;;) {
        {
            const SharedLane::Lock lock(shared_lane_);
            const auto waits = [this] {
                shared_lane_.mutex().assert_held();
                return probing_ || answers_ != 0;
            };
            while (waits() && failed_ == Errc::ok && lane_.drain() != 0) {}
            if (!waits() || failed_ != Errc::ok || lane_.error() != Errc::ok) return;
            if (lane_.arm_each().next == client::ArmOutcome::Next::look_again) continue;
        }
        if (!wait_for_interrupt({.control = true}, until)) return;
    }
}

} // namespace vfsproto::posix
