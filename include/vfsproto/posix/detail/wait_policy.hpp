// SPDX-License-Identifier: BSD-2-Clause
// Chooses how a thread waits for completions: it spins, yields the CPU between two looks, or sleeps until an interrupt.
// Which is fastest depends on where the server runs. On another core spinning wins by far. On the same core spinning only
// keeps the server from running, and yielding saves both sides the system calls of an interrupt. Nobody tells us where it
// runs, so it is measured: from time to time a trial tries each way for a short while and compares time per completion.
//
//                       after `period` waits, or 8 in vain in a row, or crowded while yielding
//   SETTLED on a way ──────────────────────────────────────────────────────────────────────► TRIAL of a way
//        ▲                                                                                    │    │    ▲
//        └──────────────── each way was tried: settle on the best ────────────────────────────┘    └────┘ the next way
//
// A trial of a way takes 32 to 128 waits, or ends after 2 in vain in a row. The period is 512 waits, and doubles up to
// 32,768 each time a trial ends with the way of before. When yielding was crowded (another process held the CPU), it is
// left out of the next 1, 2, 4 … 64 trials: a trial is too short to notice that who yields among others is served last.
#pragma once

#include "vfsproto/posix/mount_options.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::posix {

// Result of one spin or yield. in_vain: nothing came within kSpinLimit. crowded: another process kept the CPU for more
// than kCrowded.
enum class Spun : std::uint8_t { not_in_vain, in_vain, crowded };

// Owned by the poller, called with the lane's lock held. The clock is the caller's, in nanoseconds.
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
    // True if the wait lets others have the CPU between two looks.
    [[nodiscard]] bool yields() const noexcept { return way_ == Way::yield; }
    // Takes the end of a wait: how many completions it brought, and how spinning went. Calls `now` only when a decision is
    // due.
    template <class Clock> void waited(std::uint32_t completions, Spun spun, Clock&& now) noexcept {
        if (waiting_ != Waiting::adaptive) return;
        completions_ += completions;
        vain_in_a_row_ = spun == Spun::in_vain ? vain_in_a_row_ + 1 : 0;
        ++waits_;
        if (spun == Spun::crowded && yields()) return leave_crowd(now());
        // A spin in vain has cost a whole kSpinLimit: few of them end the way.
        const bool is_vain = vain_in_a_row_ >= (is_trial_ ? kVainInTrial : kVainInARow);
        if (!is_vain && (waits_ < waits_due_ || is_too_short())) return;
        decide(now());
    }

    static constexpr std::uint64_t kSpinLimit = 100'000; // ns of one wait
    static constexpr std::uint64_t kCrowded = 400'000;   // ns of one wait that yields

private:
    static constexpr std::uint32_t kTrialWaits = 32; // waits, at least, in the trial of one way
    // A wait that spins with many requests in flight ends with few completions. A trial takes more waits then, until it
    // saw this many completions or took kLongestTrial waits.
    static constexpr std::uint32_t kTrialCompletions = 512;
    static constexpr std::uint32_t kLongestTrial = 128;       // waits
    static constexpr std::uint32_t kVainInTrial = 2;          // waits in vain in a row that end the trial of a way
    static constexpr std::uint32_t kVainInARow = 8;           // waits in vain in a row that begin a trial
    static constexpr std::uint32_t kFirstPeriod = 512;        // waits between trials; doubles while nothing changes
    static constexpr std::uint32_t kLongestPeriod = 1u << 15; // waits
    static constexpr std::uint32_t kMostTrialsLeftOut = 64;   // trials in a row

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
    // Returns nanoseconds per completion since the way was entered; the largest number if there was none.
    [[nodiscard]] std::uint64_t cost(std::uint64_t now) const noexcept {
        return completions_ == 0 ? ~std::uint64_t{0} : (now - since_) / completions_;
    }

    Waiting waiting_;
    Way way_;
    bool is_trial_ = false;
    Way settled_ = Way::sleep;              // the way before this trial
    bool is_tried_[kWays]{};                // in this trial, or left out of it
    std::uint32_t left_out_ = 0;            // trials yet to come without yielding
    std::uint32_t next_left_out_ = 1;       // trials left out when it is crowded again
    std::uint32_t waits_ = 0;               // since the way was entered
    std::uint32_t waits_due_ = kTrialWaits; // waits until a decision
    std::uint32_t completions_ = 0;         // since the way was entered
    std::uint32_t vain_in_a_row_ = 0;       // waits
    std::uint32_t period_ = kFirstPeriod;   // waits between trials
    std::uint64_t since_ = 0;               // when the way was entered, ns
    std::uint64_t costs_[kWays]{};          // ns per completion of each way in the last trial
};

} // namespace vfsproto::posix
