// SPDX-License-Identifier: BSD-2-Clause
#include "stat_format.hpp"

#include "mode.hpp"
#include "owner.hpp"
#include "readable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vfsproto::cli {

using namespace abi;

namespace {

struct Directive {
    bool left = false;      // -
    bool zeros = false;     // 0
    bool alternate = false; // #
    std::size_t width = 0;
    std::optional<std::size_t> precision; // 9 for a point alone
    char letter = '\0';
};

constexpr std::size_t kMostColumns = 4096; // of a field, so that no format takes all memory

std::size_t take_number(std::string_view& text) {
    std::size_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return parsed.ec == std::errc::result_out_of_range ? kMostColumns : std::min(number, kMostColumns);
}

// Takes what stands behind a percent sign.
Directive take_directive(std::string_view& text) {
    constexpr std::size_t kAllDigits = 9;
    Directive directive;
    for (; !text.empty() && std::string_view("-0#+' ").find(text[0]) != std::string_view::npos; text.remove_prefix(1)) {
        directive.left = directive.left || text[0] == '-';
        directive.zeros = directive.zeros || text[0] == '0';
        directive.alternate = directive.alternate || text[0] == '#';
    }
    directive.width = take_number(text);
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        const bool has_digits = !text.empty() && text[0] >= '0' && text[0] <= '9';
        directive.precision = has_digits ? take_number(text) : kAllDigits;
    }
    if (text.empty()) return directive;
    directive.letter = text[0];
    text.remove_prefix(1);
    return directive;
}

// Returns the kind of a file in the words of stat(1).
std::string_view kind_of(const posix::Attributes& attributes) {
    switch (file_type(attributes.mode)) {
    case kSIfreg: return attributes.size == 0 ? "regular empty file" : "regular file";
    case kSIflnk: return "symbolic link";
    case kSIfblk: return "block special file";
    case kSIfchr: return "character special file";
    default: return type_name(attributes.mode);
    }
}

std::string quoted_name(std::string_view name) {
    std::string text = "'";
    for (const char c : name) text.append(c == '\'' ? std::string("'\\''") : std::string(1, c));
    return text + "'";
}

std::string seconds_of(const Moment& moment, const Directive& directive) {
    if (!directive.precision || *directive.precision == 0) return std::to_string(moment.seconds);
    // The fraction leads forward from the second: 250 ms after -5 is -4.75.
    const bool negative = moment.seconds < 0;
    const bool turned = negative && moment.nanoseconds != 0;
    const std::uint64_t away =
        negative ? 0 - static_cast<std::uint64_t>(moment.seconds) : static_cast<std::uint64_t>(moment.seconds);
    std::string digits = fmt::format("{:09}", turned ? 1'000'000'000 - moment.nanoseconds : moment.nanoseconds);
    digits.resize(*directive.precision, '0');
    return fmt::format("{}{}.{}", negative ? "-" : "", turned ? away - 1 : away, digits);
}

Moment moment_of(std::uint64_t seconds, std::uint32_t nanoseconds) {
    return {static_cast<std::int64_t>(seconds), nanoseconds};
}

// Returns the time that a letter names, small or large; nothing for another letter, and for a birth that is not known.
std::optional<Moment> time_of(char letter, const Status& status) {
    const posix::Attributes& a = status.attributes;
    switch (letter) {
    case 'x':
    case 'X': return moment_of(a.atime, a.atimensec);
    case 'y':
    case 'Y': return moment_of(a.mtime, a.mtimensec);
    case 'z':
    case 'Z': return moment_of(a.ctime, a.ctimensec);
    case 'w':
    case 'W': return status.born;
    default: return std::nullopt;
    }
}

std::optional<std::string> number_of(const Directive& directive, const Status& status) {
    constexpr unsigned kBlockSize = 512; // bytes of a block that %b counts
    const posix::Attributes& a = status.attributes;
    switch (directive.letter) {
    case 'a': return fmt::format("{}{:o}", directive.alternate ? "0" : "", a.mode & kSIallugo);
    case 'b': return std::to_string(a.blocks);
    case 'B': return std::to_string(kBlockSize);
    case 'f': return fmt::format("{}{:x}", directive.alternate ? "0x" : "", a.mode);
    case 'g': return std::to_string(a.gid);
    case 'h': return std::to_string(a.nlink);
    case 'i': return std::to_string(a.ino);
    case 'o': return std::to_string(a.blksize);
    case 's': return std::to_string(a.size);
    case 't': return fmt::format("{:x}", device_major(a.rdev));
    case 'T': return fmt::format("{:x}", device_minor(a.rdev));
    case 'u': return std::to_string(a.uid);
    case 'W':
    case 'X':
    case 'Y':
    case 'Z': return seconds_of(time_of(directive.letter, status).value_or(Moment{}), directive);
    default: return std::nullopt;
    }
}

std::string text_of(const Directive& directive, const std::string& path, const Status& status) {
    const posix::Attributes& a = status.attributes;
    switch (directive.letter) {
    case 'A': return mode_string(a.mode);
    case 'F': return std::string(kind_of(a));
    case 'G': return group_name(a.gid);
    case 'n': return path;
    case 'N': return quoted_name(path) + (status.target.empty() ? "" : " -> " + quoted_name(status.target));
    case 'U': return user_name(a.uid);
    case 'w':
    case 'x':
    case 'y':
    case 'z': {
        const auto time = time_of(directive.letter, status);
        return time ? full_time(time->seconds, time->nanoseconds) : "-";
    }
    default: return "?";
    }
}

std::string padded(std::string text, const Directive& directive, char filler) {
    if (text.size() >= directive.width) return text;
    const std::string padding(directive.width - text.size(), directive.left ? ' ' : filler);
    if (directive.left) return text + padding;
    const std::size_t sign = filler == '0' && text.starts_with('-') ? 1 : 0; // zeros stand behind it
    return text.insert(sign, padding);
}

} // namespace

std::string format_status(std::string_view format, const std::string& path, const Status& status) {
    std::string out;
    while (!format.empty()) {
        const std::size_t literal = std::min(format.find('%'), format.size());
        out += format.substr(0, literal);
        format.remove_prefix(literal);
        if (format.empty()) break;
        format.remove_prefix(1);
        const Directive directive = take_directive(format);
        if (directive.letter == '%' || directive.letter == '\0') {
            out += '%';
        } else if (const auto number = number_of(directive, status)) {
            out += padded(*number, directive, directive.zeros ? '0' : ' ');
        } else {
            std::string text = text_of(directive, path, status);
            if (directive.precision) text.resize(std::min(text.size(), *directive.precision));
            out += padded(std::move(text), directive, ' ');
        }
    }
    return out;
}

} // namespace vfsproto::cli
