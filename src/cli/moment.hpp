// SPDX-License-Identifier: BSD-2-Clause
// A point in time, and the stamps of touch(1).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

namespace vfsproto::cli {

struct Moment {
    std::int64_t seconds = 0; // since 1970
    std::uint32_t nanoseconds = 0;
    friend bool operator==(const Moment&, const Moment&) = default;
};

// Returns the time of this host.
[[nodiscard]] Moment current_moment() noexcept;
// Return seconds since 1970, of a time in the zone of this host, and of one in UTC; nothing for a day that there is not, as a 31st
// of April, or a time that clocks leave out when summer begins. Whether it is summer time is read from tm_isdst.
[[nodiscard]] std::optional<std::int64_t> local_seconds(const std::tm& parts);
[[nodiscard]] std::optional<std::int64_t> utc_seconds(const std::tm& parts);
// Reads "[[CC]YY]MMDDhhmm[.ss]", local time, as "touch -t" takes it. Returns nothing when `text` is no such time.
[[nodiscard]] std::optional<Moment> parse_stamp(const std::string& text);

} // namespace vfsproto::cli
