// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/wait_policy.hpp"

#include <initializer_list>

namespace vfsproto::posix {

namespace {

// True if `cost` is less than the other by more than 1/`part` of it.
bool is_clearly_less(std::uint64_t cost, std::uint64_t other, std::uint64_t part) noexcept {
    return cost < other - other / part;
}

} // namespace

void WaitPolicy::enter(Way way, std::uint32_t waits, std::uint64_t now) noexcept {
    way_ = way;
    waits_ = completions_ = vain_in_a_row_ = 0;
    waits_due_ = waits;
    since_ = now;
}

// Decides in turns: settled, a trial of the way in use, trials of the other ways, settled with the best one.
void WaitPolicy::decide(std::uint64_t now) noexcept {
    if (!is_trial_) {
        if (way_ == Way::yield) next_left_out_ = 1; // for a whole period it was not crowded
        begin_trial();
        return enter(way_, kTrialWaits, now);
    }
    costs_[static_cast<std::size_t>(way_)] = cost(now);
    is_tried_[static_cast<std::size_t>(way_)] = true;
    try_next(now);
}

void WaitPolicy::leave_crowd(std::uint64_t now) noexcept {
    left_out_ = next_left_out_;
    if (next_left_out_ < kMostTrialsLeftOut) next_left_out_ *= 2;
    if (!is_trial_) begin_trial();
    is_tried_[static_cast<std::size_t>(Way::yield)] = true;
    try_next(now);
}

void WaitPolicy::begin_trial() noexcept {
    is_trial_ = true;
    settled_ = way_;
    for (std::size_t i = 0; i < kWays; ++i) {
        costs_[i] = ~std::uint64_t{0};
        is_tried_[i] = false;
    }
    if (left_out_ == 0) return;
    --left_out_;
    is_tried_[static_cast<std::size_t>(Way::yield)] = true;
}

void WaitPolicy::try_next(std::uint64_t now) noexcept {
    for (const Way way : {Way::sleep, Way::spin, Way::yield}) {
        if (!is_tried_[static_cast<std::size_t>(way)]) return enter(way, kTrialWaits, now);
    }
    settle(now);
}

void WaitPolicy::settle(std::uint64_t now) noexcept {
    is_trial_ = false;
    const Way way = best();
    if (way != settled_) {
        period_ = kFirstPeriod;
    } else if (period_ < kLongestPeriod) {
        period_ *= 2;
    }
    enter(way, period_, now);
}

// Another way must win clearly, or they would change places at every trial; and yielding over spinning, which leaves the
// kernel alone.
WaitPolicy::Way WaitPolicy::best() const noexcept {
    const Way busy = is_clearly_less(cost_of(Way::yield), cost_of(Way::spin), 16) ? Way::yield : Way::spin;
    if (settled_ == Way::sleep) return is_clearly_less(cost_of(busy), cost_of(Way::sleep), 32) ? busy : Way::sleep;
    return is_clearly_less(cost_of(Way::sleep), cost_of(busy), 32) ? Way::sleep : busy;
}

} // namespace vfsproto::posix
