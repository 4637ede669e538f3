// SPDX-License-Identifier: BSD-2-Clause
// A date in words is the moment that date(1) prints for it.
#include "../../../src/cli/date_text.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

using namespace vfsproto::cli;

namespace {

// Sets the zone of this process while it lives.
class Zone {
public:
    explicit Zone(const char* name) {
        const char* const before = std::getenv("TZ");
        had_one_ = before != nullptr;
        if (had_one_) before_ = before;
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    ~Zone() {
        if (had_one_) {
            ::setenv("TZ", before_.c_str(), 1);
        } else {
            ::unsetenv("TZ");
        }
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

private:
    bool had_one_ = false;
    std::string before_;
};

constexpr Moment kNow{1796060286, 500'000'000}; // Monday, 2026-11-30 17:38:06.5 in UTC

// Returns the moment as text; "none" where there is none.
std::string shown(std::string_view date) {
    const auto moment = parse_date(date, kNow);
    if (!moment) return "none";
    const std::time_t seconds = moment->seconds;
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    return text + (moment->nanoseconds == 0 ? "" : "." + std::to_string(moment->nanoseconds));
}

} // namespace

TEST_CASE("dates, times and zones are read in any order, each once", "[cli]") {
    const Zone utc("UTC0");
    const std::vector<std::pair<std::string, std::string>> dates = {
        {"2024-05-31", "2024-05-31 00:00:00"},
        {"2024-5-1", "2024-05-01 00:00:00"},
        {" 2024-05-31\t17:04 ", "2024-05-31 17:04:00"},
        {"2024-05-31T17:04:09,25", "2024-05-31 17:04:09.250000000"},
        {"2024-05-31t17:04z", "2024-05-31 17:04:00"},
        {"2024-05-31 17:04 +2", "2024-05-31 15:04:00"},
        {"2024-05-31 17:04 +130", "2024-05-31 15:34:00"},
        {"2024-05-31 17:04-05:30", "2024-05-31 22:34:00"},
        {"20240531", "2024-05-31 00:00:00"},
        {"31 may 2024 5pm", "2024-05-31 17:00:00"},
        {"May 31, 2024", "2024-05-31 00:00:00"},
        {"May 31", "2026-05-31 00:00:00"},
        {"10:00 sept 1", "2026-09-01 10:00:00"},
        {"Fri May 31 17:04:09 UTC 2024", "2024-05-31 17:04:09"},
        {"mon, 2024-05-31", "2024-05-31 00:00:00"},
        {"12am", "2026-11-30 00:00:00"},
        {"12 p.m.", "2026-11-30 12:00:00"},
        {"17:04", "2026-11-30 17:04:00"},
        {"utc", "2026-11-30 00:00:00"},
        {"1969-12-31 23:59:59", "1969-12-31 23:59:59"},
    };
    for (const auto& [date, moment] : dates) {
        INFO(date);
        CHECK(shown(date) == moment);
    }
}

TEST_CASE("shifts keep the time of day, unless a day or a time is named", "[cli]") {
    const Zone utc("UTC0");
    const std::vector<std::pair<std::string, std::string>> dates = {
        {"now", "2026-11-30 17:38:06.500000000"},
        {"Today", "2026-11-30 17:38:06.500000000"},
        {"yesterday", "2026-11-29 17:38:06.500000000"},
        {"tomorrow UTC", "2026-12-01 17:38:06.500000000"},
        {"2 days ago", "2026-11-28 17:38:06.500000000"},
        {"-1 day", "2026-11-29 17:38:06.500000000"},
        {"- 1 day", "2026-11-29 17:38:06.500000000"},
        {"week", "2026-12-07 17:38:06.500000000"},
        {"mins ago", "2026-11-30 17:37:06.500000000"},
        {"1 year 2 days ago", "2027-11-28 17:38:06.500000000"},
        {"yesterday yesterday", "2026-11-28 17:38:06.500000000"},
        {"2 weeks ago 17:04", "2026-11-16 17:04:00"},
        {"next day 10:00", "2026-12-01 10:00:00"},
        {"1 fortnight ago", "2026-11-16 17:38:06.500000000"},
        {"90 seconds ago", "2026-11-30 17:36:36.500000000"},
        {"now 2024-05-31", "2024-05-31 00:00:00"},
        {"2024-05-31 20 hours", "2024-05-31 20:00:00"},
        {"2024-05-31 next month", "2024-07-01 00:00:00"},
        {"2024-05-31 17:04 +2 hours", "2024-05-31 16:04:00"}, // a zone, and an hour
        {"this week", "2026-11-30 17:38:06.500000000"},
    };
    for (const auto& [date, moment] : dates) {
        INFO(date);
        CHECK(shown(date) == moment);
    }
}

TEST_CASE("a weekday is today or the next of that name, or the one before it", "[cli]") {
    const Zone utc("UTC0");
    CHECK(shown("monday") == "2026-11-30 00:00:00");
    CHECK(shown("tues") == "none"); // not cut to three letters
    CHECK(shown("Tue.") == "2026-12-01 00:00:00");
    CHECK(shown("sunday 10:00") == "2026-12-06 10:00:00");
    CHECK(shown("last friday") == "2026-11-27 00:00:00");
    CHECK(shown("last monday") == "2026-11-23 00:00:00");
    CHECK(shown("next monday") == "2026-12-07 00:00:00");
    CHECK(shown("next tuesday") == "2026-12-01 00:00:00");
}

TEST_CASE("what is no date, or could mean several, is none", "[cli]") {
    const Zone utc("UTC0");
    for (const char* const date : {"",
                                   " ",
                                   "soon",
                                   "2024-05-31 +0200",
                                   "2024-05-31,17:04",
                                   "2024-05-31 1704",
                                   "24-05-31",
                                   "2024-13-01",
                                   "2024-02-30",
                                   "31 feb 2024",
                                   "2024-05-31 24:00",
                                   "17:60",
                                   "17:04:60",
                                   "17:04:09.",
                                   "13pm",
                                   "0am",
                                   "17:04 +2500",
                                   "17:04 -2401",
                                   "17:04 +02:",
                                   "may",
                                   "may 31,",
                                   "10 may 17:00 2020",
                                   "2024-05-31 2024-05-31",
                                   "17:04 17:04",
                                   "utc utc",
                                   "monday monday",
                                   "ago",
                                   "2 ago",
                                   "1 day ago ago",
                                   "yesterday ago",
                                   "2 moons",
                                   "+ days",
                                   "1000000001 days",
                                   "999999999 days 999999999 days",
                                   "999999999999999999999 seconds",
                                   "2024-05-31T",
                                   "last",
                                   "5/31/2024",
                                   "@",
                                   "@1.",
                                   "@1x"}) {
        INFO(date);
        CHECK(shown(date) == "none");
    }
    CHECK(parse_date("@-1.25", kNow) == Moment{-2, 750'000'000});
}

TEST_CASE("a time that clocks leave out is none, and shifts by days keep the hour", "[cli]") {
    const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(shown("2024-03-31 02:30") == "none");
    CHECK(shown("2024-03-31 02:30 +0100") == "2024-03-31 03:30:00");
    CHECK(shown("2024-03-30 12:00 1 day") == "2024-03-31 12:00:00");
    CHECK(shown("2024-03-30 12:00 24 hours") == "2024-03-31 13:00:00");
    CHECK(shown("2024-05-31 17:04 UTC") == "2024-05-31 19:04:00");
}
