// SPDX-License-Identifier: BSD-2-Clause
#include "moment.hpp"

#include <algorithm>
#include <string>

namespace vfsproto::cli {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Returns nothing if `made` is another time than the one that was asked for. A leap second is the first of the next minute.
std::optional<std::int64_t> if_equal(std::time_t seconds, const std::tm& made, const std::tm& asked) {
    const bool is_day = made.tm_mday == asked.tm_mday && made.tm_mon == asked.tm_mon;
    const bool is_time = made.tm_hour == asked.tm_hour && made.tm_min == asked.tm_min;
    constexpr int kLeapSecond = 60;
    return is_day && (is_time || asked.tm_sec == kLeapSecond) ? std::optional<std::int64_t>(seconds) : std::nullopt;
}

} // namespace

Moment current_moment() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return {now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
}

std::optional<std::int64_t> local_seconds(const std::tm& parts) {
    std::tm made = parts;
    const std::time_t seconds = std::mktime(&made);
    return if_equal(seconds, made, parts);
}

std::optional<std::int64_t> utc_seconds(const std::tm& parts) {
    std::tm made = parts;
    const std::time_t seconds = ::timegm(&made);
    return if_equal(seconds, made, parts);
}

std::optional<Moment> parse_stamp(const std::string& text) {
    std::string digits = text;
    std::string seconds = "00";
    if (const std::size_t point = text.find('.'); point != std::string::npos) {
        seconds = text.substr(point + 1);
        digits.resize(point);
    }
    if (seconds.size() != 2 || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
    std::tm parts{};
    if (digits.size() == 8) {
        const std::time_t now = std::time(nullptr);
        std::tm today{};
        ::localtime_r(&now, &today);
        digits = std::to_string(today.tm_year + 1900) + digits;
    } else if (digits.size() == 10) {
        digits = (digits < "69" ? "20" : "19") + digits; // as POSIX divides the centuries
    }
    if (digits.size() != 12) return std::nullopt;
    // Spaces keep strptime from taking more digits for the year than four.
    const std::string spaced = digits.substr(0, 4) + ' ' + digits.substr(4) + ' ' + seconds;
    const char* const end = ::strptime(spaced.c_str(), "%Y %m%d%H%M %S", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    parts.tm_isdst = -1;
    const auto found = local_seconds(parts);
    return found ? std::optional(Moment{*found, 0}) : std::nullopt;
}

} // namespace vfsproto::cli
