// SPDX-License-Identifier: BSD-2-Clause
// Channel: the STATFS that tells a slow request from a silent device.
#include "vfsproto/posix/detail/channel.hpp"

#include <chrono>
#include <thread>

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
        bool is_polled_for = false;
        {
            const SharedLane::Lock lock(shared_lane_);
            if (failed_ != Errc::ok || lane_.error() != Errc::ok) return;
            is_polled_for = answers_ != 0;
            while (!is_polled_for && probing_ && failed_ == Errc::ok && lane_.drain() != 0) {}
            if ((!is_polled_for && !probing_) || failed_ != Errc::ok || lane_.error() != Errc::ok) return;
            if (!is_polled_for && lane_.arm_each().next == client::ArmOutcome::Next::look_again) continue;
        }
        if (is_polled_for) {
            if (Clock::now() >= until) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        } else if (!wait_for_interrupt({.control = true}, until)) {
            return;
        }
    }
}

} // namespace vfsproto::posix
