// SPDX-License-Identifier: BSD-2-Clause
// Times as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vfsproto::cli {

struct Moment {
    std::int64_t seconds = 0; // since 1970
    std::uint32_t nanoseconds = 0;
    friend bool operator==(const Moment&, const Moment&) = default;
};

// Reads a date of date(1), of a form that means one thing only: "2024-05-31", "2024-05-31 17:04", "@1717167849.25" or
// "2024-05-31T17:04:09.25 +0200", also with Z for the zone. A date without a zone is local time. Returns nothing when `text` is
// none of these.
[[nodiscard]] std::optional<Moment> parse_date(const std::string& text);
// Reads "[[CC]YY]MMDDhhmm[.ss]", local time, as "touch -t" takes it. Returns nothing when `text` is no such time.
[[nodiscard]] std::optional<Moment> parse_stamp(const std::string& text);

} // namespace vfsproto::cli
