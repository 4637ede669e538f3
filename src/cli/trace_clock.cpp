// SPDX-License-Identifier: BSD-2-Clause
#include "trace_clock.hpp"

#include <fmt/format.h>

#include <ctime>

namespace vfsproto::cli {

std::string TraceClock::wall(Moment moment) const {
    constexpr std::int64_t kSecond = 1'000'000'000; // ns
    const std::int64_t time =
        std::chrono::duration_cast<std::chrono::nanoseconds>(wall_begin_.time_since_epoch() + moment).count();
    const std::time_t seconds = time / kSecond;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time % kSecond);
}

} // namespace vfsproto::cli
