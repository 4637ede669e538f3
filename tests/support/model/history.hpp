// SPDX-License-Identifier: BSD-2-Clause
// A History knows what something was at which time, and which answers about it are right of a mount that keeps answers.
#pragma once

#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

namespace model {

using Time = std::int64_t; // nanoseconds of any clock

// The time in which a question was asked and answered.
struct Asked {
    Time from = 0;
    Time until = 0;
};

enum class By : std::uint8_t { mount, host };

// The values of one thing. Changes come one after the other; questions are asked meanwhile. Any thread.
class History {
public:
    explicit History(std::uint64_t first = 0) { changes_.push_back({first, kEver, kEver, By::host}); }

    // A change to this value is asked for, and is done. In between nobody knows if it has been made.
    void begin(std::uint64_t value, By by, Time now) {
        const std::lock_guard lock(mutex_);
        changes_.push_back({value, now, kNever, by});
    }
    void end(Time now) {
        const std::lock_guard lock(mutex_);
        changes_.back().end = now;
    }
    // It was refused instead.
    void undo() {
        const std::lock_guard lock(mutex_);
        changes_.pop_back();
    }
    // Returns the value that the last change made. No change is under way.
    [[nodiscard]] std::uint64_t now() const {
        const std::lock_guard lock(mutex_);
        return changes_.back().value;
    }

    // True if a mount may give this answer that keeps answers for `age`: it was right at some time since then. No answer is older
    // than the last change by the mount itself that was done before the question.
    [[nodiscard]] bool may_be(std::uint64_t value, const Asked& asked, Time age) const {
        const std::lock_guard lock(mutex_);
        Time gone = kNever; // when the next value was there for sure
        for (auto at = changes_.rbegin(); at != changes_.rend() && gone >= asked.from - age; ++at) {
            if (at->value == value && at->begin <= asked.until) return true;
            if (at->by == By::mount && at->end < asked.from) return false;
            gone = at->end;
        }
        return false;
    }

private:
    static constexpr Time kEver = std::numeric_limits<Time>::min();
    static constexpr Time kNever = std::numeric_limits<Time>::max();
    struct Change {
        std::uint64_t value;
        Time begin;
        Time end;
        By by;
    };

    mutable std::mutex mutex_;
    std::vector<Change> changes_;
};

} // namespace model
