// SPDX-License-Identifier: BSD-2-Clause
#include "moment.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string_view>

namespace vfsproto::cli {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Takes ".25" away: 250,000,000 nanoseconds. 0 where there is none, nothing where a point stands alone.
std::optional<std::uint32_t> take_fraction(std::string_view& text) {
    if (!text.starts_with('.') && !text.starts_with(',')) return 0;
    text.remove_prefix(1);
    if (text.empty() || !is_digit(text[0])) return std::nullopt;
    std::uint32_t nanoseconds = 0;
    for (std::uint32_t unit = 100'000'000; !text.empty() && is_digit(text[0]); unit /= 10) {
        nanoseconds += static_cast<std::uint32_t>(text[0] - '0') * unit;
        text.remove_prefix(1);
    }
    return nanoseconds;
}

std::optional<Moment> parse_seconds(std::string_view text) {
    Moment moment;
    const bool negative = text.starts_with('-');
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), moment.seconds);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    const auto fraction = take_fraction(text);
    if (!fraction || !text.empty()) return std::nullopt;
    moment.nanoseconds = *fraction;
    if (negative && *fraction != 0) { // the fraction leads further back
        --moment.seconds;
        moment.nanoseconds = 1'000'000'000 - *fraction;
    }
    return moment;
}

// Returns the time in the zone of this host; nothing for a date that there is not, as a 31st of April.
std::optional<std::int64_t> local_seconds(const std::tm& parts) {
    std::tm taken = parts;
    taken.tm_isdst = -1;
    const std::time_t seconds = std::mktime(&taken);
    const bool as_given = taken.tm_mday == parts.tm_mday && taken.tm_mon == parts.tm_mon;
    return as_given ? std::optional<std::int64_t>(seconds) : std::nullopt;
}

std::optional<std::int64_t> seconds_of(std::tm parts, std::string_view zone) {
    const auto local = local_seconds(parts);
    if (zone.empty() || !local) return local;
    const std::string text(zone);
    std::tm offset{};
    const char* const end = ::strptime(text.c_str(), "%z", &offset);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return ::timegm(&parts) - offset.tm_gmtoff;
}

} // namespace

std::optional<Moment> parse_date(const std::string& text) {
    if (text.starts_with('@')) return parse_seconds(std::string_view(text).substr(1));
    // A year of two digits is not one of antiquity.
    constexpr std::size_t kYearDigits = 4;
    if (text.find('-') != kYearDigits || !std::all_of(text.begin(), text.begin() + kYearDigits, is_digit)) {
        return std::nullopt;
    }
    std::tm parts{};
    const char* at = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
    if (at == nullptr) return std::nullopt;
    Moment moment;
    if (*at == 'T' || *at == 't' || (*at == ' ' && is_digit(at[1]))) {
        at = ::strptime(at + 1, "%H:%M", &parts);
        if (at == nullptr) return std::nullopt;
        if (*at == ':' && (at = ::strptime(at, ":%S", &parts)) == nullptr) return std::nullopt;
        if (parts.tm_sec > 59) return std::nullopt; // strptime() takes leap seconds
        std::string_view rest = at;
        const auto fraction = take_fraction(rest);
        if (!fraction) return std::nullopt;
        moment.nanoseconds = *fraction;
        at = rest.data();
    }
    std::string_view zone = at;
    while (zone.starts_with(' ')) zone.remove_prefix(1);
    const auto seconds = seconds_of(parts, zone);
    if (!seconds) return std::nullopt;
    moment.seconds = *seconds;
    return moment;
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
    const auto found = local_seconds(parts);
    return found ? std::optional(Moment{*found, 0}) : std::nullopt;
}

} // namespace vfsproto::cli
