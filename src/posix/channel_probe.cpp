// SPDX-License-Identifier: BSD-2-Clause
// Channel: the STATFS that tells a slow request from a silent device.
#include "vfsproto/posix/detail/channel.hpp"

#include <chrono>

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

// Answers to RETRIEVE are polled for by the detached poller, whose event nobody else may take. Nobody else polls for the probe, once
// the requests that it was sent beside are over.
void Channel::finish_own_requests() noexcept {
    const auto until = Clock::now() + options_.patience;
    for (;;) {
        std::uint32_t answers = 0;
        {
            const SharedLane::Lock lock(shared_lane_);
            const auto has_failed = [this] {
                shared_lane_.mutex().assert_held();
                return failed_ != Errc::ok || lane_.error() != Errc::ok;
            };
            answers = answers_.load(std::memory_order_relaxed);
            while (answers == 0 && probing_ && !has_failed() && lane_.drain() != 0) {}
            if (has_failed() || (answers == 0 && !probing_)) return;
            if (answers == 0 && lane_.arm_each().next == client::ArmOutcome::Next::look_again) continue;
        }
        if (answers == 0) {
            if (!wait_for_interrupt({.control = true}, until)) return;
            continue;
        }
        const auto left = until - Clock::now();
        if (left.count() <= 0) return;
        futex_wait_for(answers_, answers, left);
    }
}

} // namespace vfsproto::posix
