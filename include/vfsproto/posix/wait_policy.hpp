// SPDX-License-Identifier: BSD-2-Clause
// Spin, yield or sleep? Which is fastest depends on where the server runs: on another core spinning wins by far, on the
// same core it only keeps the server from running, and giving it the CPU without asking for an interrupt saves both sides
// a system call. Nobody tells us, so it is measured: a short trial of the other ways now and then, judged by completions
// per time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto::posix {

enum class Waiting : std::uint8_t {
    adaptive,
    poll,  // spin until something comes
    event, // sleep at once
};

// Result of one spin or yield. crowded: another process kept the CPU for more than kCrowded.
enum class Spun : std::uint8_t { not_in_vain, in_vain, crowded };

// Owned by the poller. The clock is the caller's, in nanoseconds, and asked for when a decision is due.
class WaitPolicy {
public:
    explicit WaitPolicy(Waiting waiting = Waiting::adaptive) noexcept
        : waiting_(waiting), way_(waiting == Waiting::poll ? Way::spin : Way::sleep) {}

    [[nodiscard]] Waiting waiting() const noexcept { return waiting_; }
    // Returns how long the next wait may poll before it sleeps, in nanoseconds; 0 = sleep at once, ~0 = for ever.
    [[nodiscard]] std::uint64_t spin_limit() const noexcept {
        if (waiting_ == Waiting::poll) return ~std::uint64_t{0};
        return way_ == Way::sleep ? 0 : kSpinLimit;
    }
    // Between two looks, does it let others have the CPU?
    [[nodiscard]] bool yields() const noexcept { return way_ == Way::yield; }
    // A wait ended with so many completions. `now` is called when a decision is due.
    template <class Clock> void waited(std::uint32_t completions, Spun spun, Clock&& now) noexcept {
        if (waiting_ != Waiting::adaptive) return;
        completions_ += completions;
        vain_in_a_row_ = spun == Spun::in_vain ? vain_in_a_row_ + 1 : 0;
        ++waits_;
        if (spun == Spun::crowded && yields()) return leave_crowd(now());
        // Spinning that fails is over soon: each failure has cost a whole spin limit.
        const bool is_vain = vain_in_a_row_ >= (is_trial_ ? kVainInTrial : kVainInARow);
        if (!is_vain && (waits_ < waits_due_ || is_too_short())) return;
        decide(now());
    }

    static constexpr std::uint64_t kSpinLimit = 100'000; // ns
    static constexpr std::uint64_t kCrowded = 400'000;   // ns: a wait that yields, at least

private:
    static constexpr std::uint32_t kTrialWaits = 32;
    // A wait that spins with many requests in flight ends with few of them. So a trial takes more waits then, to see
    // them all go round often.
    static constexpr std::uint32_t kTrialCompletions = 512;
    static constexpr std::uint32_t kLongestTrial = 128; // waits
    static constexpr std::uint32_t kVainInTrial = 2;    // waits in a row
    static constexpr std::uint32_t kVainInARow = 8;
    static constexpr std::uint32_t kFirstPeriod = 512; // waits between trials, doubling while nothing changes
    static constexpr std::uint32_t kLongestPeriod = 1u << 15;
    static constexpr std::uint32_t kMostTrialsLeftOut = 64;

    enum class Way : std::uint8_t { sleep, spin, yield };
    static constexpr std::size_t kWays = 3;

    void decide(std::uint64_t now) noexcept;
    // Stops yielding. A thread that yields among other processes is served last, and does not see it in the short time
    // of a trial.
    void leave_crowd(std::uint64_t now) noexcept;
    void begin_trial() noexcept;
    void try_next(std::uint64_t now) noexcept;
    void settle(std::uint64_t now) noexcept;
    void enter(Way way, std::uint32_t waits, std::uint64_t now) noexcept;
    [[nodiscard]] Way best() const noexcept;
    [[nodiscard]] std::uint64_t cost_of(Way way) const noexcept { return costs_[static_cast<std::size_t>(way)]; }
    [[nodiscard]] bool is_too_short() const noexcept {
        return is_trial_ && completions_ < kTrialCompletions && waits_ < kLongestTrial;
    }
    // Nanoseconds a completion; a window without any counts as endless.
    [[nodiscard]] std::uint64_t cost(std::uint64_t now) const noexcept {
        return completions_ == 0 ? ~std::uint64_t{0} : (now - since_) / completions_;
    }

    Waiting waiting_;
    Way way_;
    bool is_trial_ = false;
    Way settled_ = Way::sleep;        // what the trial began with
    bool is_tried_[kWays]{};          // by this trial, or left out
    std::uint32_t left_out_ = 0;      // trials yet to come without yielding
    std::uint32_t next_left_out_ = 1; // how many it will be next time
    std::uint32_t waits_ = 0;
    std::uint32_t waits_due_ = kTrialWaits;
    std::uint32_t completions_ = 0;
    std::uint32_t vain_in_a_row_ = 0;
    std::uint32_t period_ = kFirstPeriod;
    std::uint64_t since_ = 0;
    std::uint64_t costs_[kWays]{}; // of each way in the last trial
};

} // namespace vfsproto::posix
