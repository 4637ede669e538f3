// SPDX-License-Identifier: BSD-2-Clause
// The time in a trace. One clock that never steps gives both latencies and the wall clock, so that they agree.
#pragma once

#include <chrono>
#include <string>

namespace vfsproto::cli {

class TraceClock {
public:
    using Moment = std::chrono::nanoseconds; // since the trace began

    explicit TraceClock(std::chrono::system_clock::time_point begin = std::chrono::system_clock::now()) noexcept
        : wall_begin_(begin) {}

    [[nodiscard]] Moment now() const noexcept { return std::chrono::steady_clock::now() - begin_; }
    // Returns the wall clock, UTC: "2026-11-29T14:23:08.123456789Z".
    [[nodiscard]] std::string wall(Moment moment) const;

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::chrono::system_clock::time_point wall_begin_;
};

} // namespace vfsproto::cli
