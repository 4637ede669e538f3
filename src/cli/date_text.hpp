// SPDX-License-Identifier: BSD-2-Clause
// Dates as people write them for date(1).
#pragma once

#include "moment.hpp"

#include <optional>
#include <string_view>

namespace vfsproto::cli {

// Reads a date of date(1), of those forms that mean one thing only. They are "@1717167849.25", or any of these in any order, each
// but shifts once:
//   a date:    2024-05-31, 20240531, 31 May 2024, May 31, May 31, 2024
//   a time:    17:04, 17:04:09.25, 5pm, 5:04 pm
//   a zone:    Z, UTC, GMT, and behind a time +0200, +02:00
//   a weekday: friday (today or the next), last fri, next friday; it means nothing beside a date
//   shifts:    now, today, yesterday, tomorrow, 2 days ago, -3 hours, next month, last year; "ago" turns the one before it alone
// Takes from `now` the parts that the text does not say; a time that it does not say is 0:00, unless there are shifts alone. Without
// a zone all is local time. Returns nothing when `text` is none of these, or a day or a time that there is not.
[[nodiscard]] std::optional<Moment> parse_date(std::string_view text, const Moment& now);

} // namespace vfsproto::cli
