// SPDX-License-Identifier: BSD-2-Clause
// Channel: the STATFS that tells a slow request from a silent device.
#include "vfsproto/posix/detail/channel.hpp"

#include <chrono>
#include <system_error>
#include <utility>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

// Gathers what the silence watch sees of the lanes.
struct Channel::LanesLook {
    bool is_owed = false;      // an answer on any of them
    bool is_owed_soon = false; // one that the server has no reason to hold
    std::optional<std::uint64_t>
        is_silent{}; // a number of the lane that is silent longest, which changes with its next answer

    // `number` tells the lane from others.
    void add(std::size_t number, const Lane& lane, bool awaits_prompt, SeenLane& seen) noexcept {
        const std::uintptr_t before = std::exchange(seen.finished, lane.finished());
        seen.silent = awaits_prompt && seen.finished == before ? seen.silent + 1 : 0;
        is_owed = is_owed || lane.in_flight() != 0;
        is_owed_soon = is_owed_soon || awaits_prompt;
        if (seen.silent <= longest_) return;
        longest_ = seen.silent;
        is_silent = (std::uint64_t{number} << 56) | (seen.finished & kCount);
    }

private:
    static constexpr std::uint64_t kCount = (std::uint64_t{1} << 56) - 1;

    std::size_t longest_ = 0; // looks
};

Channel::LanesLook Channel::look_at_side_lanes() noexcept {
    LanesLook look;
    for (const auto& side : side_lanes_.all()) {
        const SharedLane::Lock lock(side->shared);
        look.add(side->queue, side->lane, side->lane.awaits_prompt_reply(), side->seen);
    }
    return look;
}

// Returns what the silence watch compares. A server may rightly take minutes for an FSYNC or a lock: it is asked for a STATFS
// beside them, and owes that answer. With several lanes each has to move for itself: a number that stays the same is returned as
// long as the one that is silent longest does not, and another one each time as long as all do. A slow lane beside a silent one
// would hide that, if its own number were returned now and then.
std::optional<std::uint64_t> Channel::progress() {
    LanesLook look = look_at_side_lanes();
    std::uint64_t answer = 0;
    {
        const SharedLane::Lock lock(shared_lane_);
        const bool is_prompt = lane_.awaits_prompt_reply();
        look.add(side_lanes_.size() + 1, lane_, is_prompt, seen_);
        if (!look.is_owed) return std::nullopt;
        answer = lane_.finished();
        if (has_side_lanes()) answer = look.is_silent ? *look.is_silent : ++looks_;
        if (probing_ || failed_ != Errc::ok || look.is_owed_soon) return answer;
        probing_ = true;
        if (has_side_lanes()) ++answers_;
    }
    probe_.user = this;
    probe_.on_finish = [](client::Operation& probe) noexcept {
        auto& channel = *static_cast<Channel*>(probe.user);
        channel.shared_lane_.mutex().assert_held();
        channel.probing_ = false;
        if (channel.has_side_lanes()) channel.end_answer();
    };
    send_probe();
    return answer;
}

// A thread that waits for a request beside the probe polls the lane of that request. With several lanes it may be another one than
// the probe's, which the detached poller has to look after then.
void Channel::send_probe() {
    if (!has_side_lanes()) {
        const SharedLane::Lock lock(shared_lane_);
        shared_lane_.start_locked(probe_, own_caller(), wire::kRootNodeId);
        return shared_lane_.publish();
    }
    try {
        detached_.start(probe_, own_caller(), wire::kRootNodeId);
    } catch (const std::system_error&) { // no thread that would wait for it
        const SharedLane::Lock lock(shared_lane_);
        probing_ = false;
        --answers_;
    }
}

// Answers to RETRIEVE, and the probe where there are several lanes, are polled for by the detached poller, whose event nobody else may
// take. With one lane nobody else polls for the probe, once the requests that it was sent beside are over.
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
