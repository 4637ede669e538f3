// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/wait_policy.hpp"

namespace vfsproto::posix {

void WaitPolicy::enter(Phase phase, Way way, std::uint32_t waits, std::uint64_t now) noexcept {
    phase_ = phase;
    way_ = way;
    waits_ = completions_ = vain_in_a_row_ = 0;
    waits_due_ = waits;
    since_ = now;
}

// settled -> measure what we do -> measure the other -> settled with the better one.
void WaitPolicy::decide(std::uint64_t now) noexcept {
    switch (phase_) {
    case Phase::settled: return enter(Phase::measure_current, way_, kTrialWaits, now);
    case Phase::measure_current:
        current_cost_ = cost(now);
        return enter(Phase::measure_other, other(way_), kTrialWaits, now);
    case Phase::measure_other: break;
    }
    const std::uint64_t other_cost = cost(now);
    // The other way must win clearly, or the two would change places at every trial.
    const bool change = other_cost < current_cost_ - current_cost_ / 16;
    if (change) {
        period_ = kFirstPeriod;
    } else if (period_ < kLongestPeriod) {
        period_ *= 2;
    }
    enter(Phase::settled, change ? way_ : other(way_), period_, now);
}

} // namespace vfsproto::posix
