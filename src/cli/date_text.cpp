// SPDX-License-Identifier: BSD-2-Clause
#include "date_text.hpp"

#include <charconv>
#include <ctime>
#include <string>

namespace vfsproto::cli {
namespace {

constexpr std::int64_t kMostNumber =
    1'000'000'000; // years, days or seconds; sums of some thousand have room in 64 bits

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Shift {
    std::int64_t years = 0;
    std::int64_t months = 0;
    std::int64_t days = 0;
    std::int64_t seconds = 0;
};

struct Unit {
    std::string_view name;
    std::int64_t Shift::* field;
    std::int64_t factor;
};
constexpr Unit kUnits[] = {
    {"year", &Shift::years, 1},      {"month", &Shift::months, 1}, {"fortnight", &Shift::days, 14},
    {"week", &Shift::days, 7},       {"day", &Shift::days, 1},     {"hour", &Shift::seconds, 3600},
    {"minute", &Shift::seconds, 60}, {"min", &Shift::seconds, 60}, {"second", &Shift::seconds, 1},
    {"sec", &Shift::seconds, 1},
};
constexpr std::string_view kMonths[] = {"january", "february", "march",     "april",   "may",      "june",
                                        "july",    "august",   "september", "october", "november", "december"};
constexpr std::string_view kWeekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

const Unit* unit_of(std::string_view word) noexcept {
    if (word.ends_with('s')) word.remove_suffix(1);
    for (const Unit& unit : kUnits) {
        if (unit.name == word) return &unit;
    }
    return nullptr;
}

// Returns the place of a name in a list, also of one cut to three letters, with or without a point.
template <std::size_t kSize>
std::optional<int> place_of(std::string_view word, const std::string_view (&names)[kSize]) noexcept {
    constexpr std::size_t kShort = 3;
    const bool is_cut = word.size() == kShort || (word.size() == kShort + 1 && word.back() == '.');
    for (std::size_t i = 0; i < kSize; ++i) {
        const std::string_view name = is_cut ? names[i].substr(0, kShort) : names[i];
        if ((is_cut ? word.substr(0, kShort) : word) == name) return static_cast<int>(i);
    }
    return std::nullopt;
}
std::optional<int> month_of(std::string_view word) noexcept { return place_of(word == "sept" ? "sep" : word, kMonths); }
std::optional<int> weekday_of(std::string_view word) noexcept { return place_of(word, kWeekdays); }

enum class Half : std::uint8_t { none, morning, afternoon };
Half half_of(std::string_view word) noexcept {
    if (word == "am" || word == "a.m.") return Half::morning;
    return word == "pm" || word == "p.m." ? Half::afternoon : Half::none;
}

struct Number {
    std::int64_t value = 0;
    std::size_t digits = 0;
};

// Reads a text from its beginning to its end.
class Scanner {
public:
    explicit Scanner(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    void go_back(std::string_view rest) noexcept { rest_ = rest; }
    [[nodiscard]] char next() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] bool take(char wanted) noexcept {
        if (next() != wanted) return false;
        rest_.remove_prefix(1);
        return true;
    }
    char skip_blanks() noexcept {
        while (is_blank(next())) rest_.remove_prefix(1);
        return next();
    }
    // Returns nothing where no digit stands, or too many.
    [[nodiscard]] std::optional<Number> take_number() noexcept {
        Number number;
        if (!is_digit(next())) return std::nullopt;
        const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number.value);
        if (parsed.ec != std::errc() || number.value > kMostNumber) return std::nullopt;
        number.digits = static_cast<std::size_t>(parsed.ptr - rest_.data());
        rest_.remove_prefix(number.digits);
        return number;
    }
    // Takes a number of one or two digits.
    [[nodiscard]] std::optional<int> take_short_number() noexcept {
        const auto number = take_number();
        return number && number->digits <= 2 ? std::optional(static_cast<int>(number->value)) : std::nullopt;
    }
    // Takes letters, and points behind the first, as small letters.
    [[nodiscard]] std::string take_word() {
        std::string word;
        while (is_letter(next()) || (next() == '.' && !word.empty())) {
            word += static_cast<char>(next() | (next() == '.' ? 0 : 0x20));
            rest_.remove_prefix(1);
        }
        return word;
    }
    // Takes ".25" away: 250,000,000 nanoseconds. 0 where there is none, nothing where a point stands alone.
    [[nodiscard]] std::optional<std::uint32_t> take_fraction() noexcept {
        if (next() != '.' && next() != ',') return 0;
        rest_.remove_prefix(1);
        if (!is_digit(next())) return std::nullopt;
        std::uint32_t nanoseconds = 0;
        for (std::uint32_t unit = 100'000'000; is_digit(next()); unit /= 10) {
            nanoseconds += static_cast<std::uint32_t>(next() - '0') * unit;
            rest_.remove_prefix(1);
        }
        return nanoseconds;
    }

private:
    std::string_view rest_;
};

std::optional<Moment> parse_seconds(std::string_view text) {
    Moment moment;
    const bool negative = text.starts_with('-');
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), moment.seconds);
    if (parsed.ec != std::errc()) return std::nullopt;
    Scanner rest(text.substr(static_cast<std::size_t>(parsed.ptr - text.data())));
    const auto fraction = rest.take_fraction();
    if (!fraction || !rest.rest().empty()) return std::nullopt;
    moment.nanoseconds = *fraction;
    if (negative && *fraction != 0) { // the fraction leads further back
        --moment.seconds;
        moment.nanoseconds = 1'000'000'000 - *fraction;
    }
    return moment;
}

class DateReader {
public:
    explicit DateReader(std::string_view text) noexcept : text_(text) {}

    // Reads all of the text; false where an item is none, or is there twice.
    [[nodiscard]] bool read();
    // Returns nothing for a day or a time that there is not.
    [[nodiscard]] std::optional<Moment> moment(const Moment& now) const;

private:
    struct Day {
        std::optional<int> year;
        int month; // from 0
        int day;
    };
    struct Time {
        int hour;
        int minute = 0;
        int second = 0;
        std::uint32_t nanoseconds = 0;
    };
    struct Weekday {
        int number;  // from 0, which is Sunday
        int ordinal; // 0: the day itself or the next of that name
    };

    [[nodiscard]] bool read_item();
    [[nodiscard]] bool read_number();
    [[nodiscard]] bool read_word();
    [[nodiscard]] bool read_day(int year);     // "-05-31", and a time behind a T
    [[nodiscard]] bool read_day_of(int month); // "31", "31, 2024"
    [[nodiscard]] bool read_year(int month, int day);
    [[nodiscard]] bool read_time(const Number& hour); // ":04:09.25 pm"
    [[nodiscard]] bool read_offset();                 // "+02:00"
    [[nodiscard]] bool read_shift(std::int64_t count);
    [[nodiscard]] bool read_ordinal(int ordinal);
    [[nodiscard]] bool add_shift(std::string_view unit, std::int64_t count);
    [[nodiscard]] bool shift_days(int count); // which no "ago" turns
    [[nodiscard]] bool set_bare(const Number& number);
    [[nodiscard]] bool set_day(const Day& day);
    [[nodiscard]] bool set_time(Time time, Half half);
    [[nodiscard]] bool set_zone(int seconds);
    [[nodiscard]] bool set_weekday(int number, int ordinal);
    [[nodiscard]] bool move(std::tm& parts) const;

    Scanner text_;
    std::optional<Day> day_;
    std::optional<Time> time_;
    std::optional<int> zone_; // seconds east of UTC
    std::optional<Weekday> weekday_;
    Shift shift_;
    bool has_shift_ = false;
};

bool DateReader::read() {
    if (text_.skip_blanks() == '\0') return false;
    while (!text_.rest().empty()) {
        if (!read_item()) return false;
        text_.skip_blanks();
    }
    return true;
}

bool DateReader::read_item() {
    const char first = text_.next();
    if (is_digit(first)) return read_number();
    if (is_letter(first)) return read_word();
    if (!text_.take('+') && !text_.take('-')) return false;
    text_.skip_blanks();
    const auto count = text_.take_number();
    return count && read_shift(first == '-' ? -count->value : count->value);
}

bool DateReader::read_number() {
    const auto number = text_.take_number();
    if (!number) return false;
    constexpr std::size_t kYearDigits = 4; // a year of two digits is not one of antiquity
    if (text_.next() == '-') return number->digits == kYearDigits && read_day(static_cast<int>(number->value));
    if (text_.next() == ':') return read_time(*number);
    const std::string_view behind = text_.rest();
    text_.skip_blanks();
    const std::string word = text_.take_word();
    if (const Half half = half_of(word); half != Half::none) {
        return number->digits <= 2 && set_time({static_cast<int>(number->value)}, half);
    }
    if (const auto month = month_of(word)) {
        return number->digits <= 2 && read_year(*month, static_cast<int>(number->value));
    }
    if (unit_of(word) != nullptr) return add_shift(word, number->value);
    text_.go_back(behind);
    return set_bare(*number);
}

bool DateReader::read_word() {
    const std::string word = text_.take_word();
    if (word == "now" || word == "today") return shift_days(0);
    if (word == "yesterday") return shift_days(-1);
    if (word == "tomorrow") return shift_days(1);
    if (word == "last") return read_ordinal(-1);
    if (word == "this") return read_ordinal(0);
    if (word == "next") return read_ordinal(1);
    if (word == "z" || word == "utc" || word == "gmt") return set_zone(0);
    if (const auto month = month_of(word)) return read_day_of(*month);
    if (const auto number = weekday_of(word)) return set_weekday(*number, 0);
    return add_shift(word, 1);
}

bool DateReader::read_day(int year) {
    if (!text_.take('-')) return false;
    const auto month = text_.take_short_number();
    if (!month || !text_.take('-')) return false;
    const auto day = text_.take_short_number();
    if (!day || !set_day({year, *month - 1, *day})) return false;
    if (!text_.take('T') && !text_.take('t')) return true;
    const auto hour = text_.take_number();
    return hour && text_.next() == ':' && read_time(*hour);
}

bool DateReader::read_day_of(int month) {
    text_.skip_blanks();
    const auto day = text_.take_short_number();
    // A number that follows without a comma may as well be a time.
    if (!day || text_.next() == ':' || text_.next() == '-') return false;
    return text_.take(',') ? read_year(month, *day) && day_->year : set_day({std::nullopt, month, *day});
}

bool DateReader::read_year(int month, int day) {
    std::optional<int> year;
    if (is_digit(text_.skip_blanks())) {
        const auto number = text_.take_number();
        if (!number || number->digits != 4) return false;
        year = static_cast<int>(number->value);
    }
    return set_day({year, month, day});
}

bool DateReader::read_time(const Number& hour) {
    if (hour.digits > 2 || !text_.take(':')) return false;
    const auto minute = text_.take_short_number();
    if (!minute) return false;
    Time time{static_cast<int>(hour.value), *minute};
    if (text_.take(':')) {
        const auto second = text_.take_short_number();
        const auto fraction = text_.take_fraction();
        if (!second || !fraction) return false;
        time.second = *second;
        time.nanoseconds = *fraction;
    }
    const std::string_view behind = text_.rest();
    const char next = text_.skip_blanks();
    const Half half = half_of(text_.take_word());
    if (half == Half::none) text_.go_back(behind);
    if (!set_time(time, half)) return false;
    return half != Half::none || (next != '+' && next != '-') || read_offset();
}

bool DateReader::read_offset() {
    const char sign = text_.skip_blanks();
    if (!text_.take('+') && !text_.take('-')) return false;
    text_.skip_blanks();
    const auto number = text_.take_number();
    if (!number || number->digits > 4) return false;
    auto hours = static_cast<int>(number->value);
    int minutes = 0;
    if (text_.take(':')) {
        const auto behind = text_.take_short_number();
        if (!behind) return false;
        minutes = *behind;
    } else if (number->digits > 2) {
        minutes = hours % 100;
        hours /= 100;
    }
    const int seconds = hours * 3600 + minutes * 60;
    constexpr int kMostSeconds = 24 * 3600;
    if (minutes > 59 || seconds > kMostSeconds) return false;
    return set_zone(sign == '-' ? -seconds : seconds);
}

bool DateReader::read_shift(std::int64_t count) {
    text_.skip_blanks();
    return add_shift(text_.take_word(), count);
}

bool DateReader::read_ordinal(int ordinal) {
    text_.skip_blanks();
    const std::string word = text_.take_word();
    if (const auto number = weekday_of(word)) return set_weekday(*number, ordinal);
    return add_shift(word, ordinal);
}

bool DateReader::add_shift(std::string_view name, std::int64_t count) {
    const Unit* const unit = unit_of(name);
    if (unit == nullptr) return false;
    const std::string_view behind = text_.rest();
    text_.skip_blanks();
    const bool is_ago = text_.take_word() == "ago";
    if (!is_ago) text_.go_back(behind);
    shift_.*(unit->field) += (is_ago ? -count : count) * unit->factor;
    has_shift_ = true;
    return true;
}

bool DateReader::shift_days(int count) {
    shift_.days += count;
    has_shift_ = true;
    return true;
}

// Takes a number that nothing follows which would tell what it counts.
bool DateReader::set_bare(const Number& number) {
    const auto value = static_cast<int>(number.value);
    if (number.digits == 8) return set_day({value / 10000, value / 100 % 100 - 1, value % 100});
    if (number.digits != 4 || !day_ || day_->year || has_shift_) return false;
    day_->year = value; // "May 31 17:04:09 UTC 2024"
    return true;
}

bool DateReader::set_day(const Day& day) {
    if (day_) return false;
    day_ = day;
    return true;
}

bool DateReader::set_time(Time time, Half half) {
    const bool is_half = half != Half::none;
    if (time_ || time.minute > 59 || time.second > 59 || time.hour > (is_half ? 12 : 23)) return false;
    if (is_half && time.hour == 0) return false;
    if (is_half) time.hour = time.hour % 12 + (half == Half::afternoon ? 12 : 0);
    time_ = time;
    return true;
}

bool DateReader::set_zone(int seconds) {
    if (zone_) return false;
    zone_ = seconds;
    return true;
}

bool DateReader::set_weekday(int number, int ordinal) {
    if (weekday_) return false;
    weekday_ = {number, ordinal};
    static_cast<void>(text_.take(','));
    return true;
}

// Moves a day that there is to the weekday that was named, and by the shifts. False where that is out of reach.
bool DateReader::move(std::tm& parts) const {
    std::int64_t days = shift_.days;
    if (weekday_ && !day_) {
        std::tm same = parts;
        static_cast<void>(::timegm(&same)); // tells the weekday
        const int week =
            weekday_->ordinal > 0 && same.tm_wday != weekday_->number ? weekday_->ordinal - 1 : weekday_->ordinal;
        days += (weekday_->number - same.tm_wday + 7) % 7 + 7 * week;
    }
    for (const std::int64_t count : {shift_.years, shift_.months, days}) {
        if (count > kMostNumber || count < -kMostNumber) return false;
    }
    parts.tm_year += static_cast<int>(shift_.years);
    parts.tm_mon += static_cast<int>(shift_.months);
    parts.tm_mday += static_cast<int>(days);
    return true;
}

std::optional<Moment> DateReader::moment(const Moment& now) const {
    const std::time_t start = now.seconds;
    std::tm parts{};
    if (::localtime_r(&start, &parts) == nullptr) return std::nullopt;
    Time time{0};
    if (time_) {
        time = *time_;
    } else if (has_shift_ && !day_ && !weekday_) {
        time = {parts.tm_hour, parts.tm_min, parts.tm_sec, now.nanoseconds};
    }
    // Two hours have one name when summer ends: the one of `now` is kept.
    if (day_ || time_ || weekday_) parts.tm_isdst = -1;
    parts.tm_hour = time.hour;
    parts.tm_min = time.minute;
    parts.tm_sec = time.second;
    if (day_) {
        constexpr int kFirstYear = 1900;
        if (day_->year) parts.tm_year = *day_->year - kFirstYear;
        parts.tm_mon = day_->month;
        parts.tm_mday = day_->day;
    }
    const bool is_there = zone_ ? utc_seconds(parts).has_value() : local_seconds(parts).has_value();
    if (!is_there || !move(parts)) return std::nullopt;
    parts.tm_wday = -1; // stays where the time is out of reach
    const std::time_t seconds = zone_ ? ::timegm(&parts) - *zone_ : std::mktime(&parts);
    if (parts.tm_wday == -1) return std::nullopt;
    return Moment{seconds + shift_.seconds, time.nanoseconds};
}

} // namespace

std::optional<Moment> parse_date(std::string_view text, const Moment& now) {
    if (text.starts_with('@')) return parse_seconds(text.substr(1));
    DateReader reader(text);
    return reader.read() ? reader.moment(now) : std::nullopt;
}

} // namespace vfsproto::cli
