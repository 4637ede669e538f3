// SPDX-License-Identifier: BSD-2-Clause
#include "name_colors.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <iterator>

namespace vfsproto::cli {

using namespace abi;

namespace {

constexpr std::string_view kUsual =
    "rs=0:di=01;34:ln=01;36:pi=33:so=01;35:bd=01;33:cd=01;33:ex=01;32:su=37;41:sg=30;43:st=37;44:ow=34;42:tw=30;42";

// The terminals of which dircolors(1) knows that they have colors.
constexpr const char* kTerminals[] = {
    "Eterm", "ansi", "*color*", "con[0-9]*x[0-9]*", "cons25", "console", "cygwin",  "*direct*", "dtterm",
    "gnome", "hurd", "jfbterm", "konsole",          "kterm",  "linux",   "linux-c", "mlterm",   "putty",
    "rxvt*", "st",   "screen*", "terminator",       "tmux*",  "vt100",   "xterm*",
};

std::string_view variable(const char* name) noexcept {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view() : value;
}

bool is_known_terminal() {
    if (!variable("COLORTERM").empty()) return true;
    const std::string name(variable("TERM"));
    return std::any_of(std::begin(kTerminals), std::end(kTerminals),
                       [&](const char* pattern) { return ::fnmatch(pattern, name.c_str(), 0) == 0; });
}

// True for text such as "01;34". Other text could do more to a terminal than color a name.
bool is_color(std::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == ';'; });
}

// Compares as ls(1) does, without regard to small and large letters.
bool ends_with(std::string_view name, std::string_view ending) noexcept {
    if (name.size() < ending.size()) return false;
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    name.remove_prefix(name.size() - ending.size());
    return std::equal(name.begin(), name.end(), ending.begin(), [&](char a, char b) { return small(a) == small(b); });
}

} // namespace

NameColors NameColors::of_environment() {
    const std::string_view said = variable("LS_COLORS");
    if (said.empty() && !is_known_terminal()) return {};
    NameColors colors(kUsual);
    NameColors others(said);
    for (auto& [kind, color] : others.by_kind_) colors.by_kind_[kind] = std::move(color);
    colors.by_ending_ = std::move(others.by_ending_);
    return colors;
}

NameColors::NameColors(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = text.find(':');
        const std::string_view entry = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos || !is_color(entry.substr(equals + 1))) continue;
        const std::string color(entry.substr(equals + 1));
        if (entry.starts_with('*')) {
            by_ending_.emplace_back(entry.substr(1, equals - 1), color);
        } else {
            by_kind_.insert_or_assign(std::string(entry.substr(0, equals)), color);
        }
    }
}

bool NameColors::is_colored(std::string_view kind) const {
    const auto found = by_kind_.find(kind);
    return found != by_kind_.end() && found->second != "0" && found->second != "00";
}

std::string_view NameColors::kind_of(const File& file) const {
    const std::uint32_t mode = file.mode;
    const auto first_colored = [this](std::initializer_list<std::pair<bool, std::string_view>> kinds,
                                      std::string_view other) {
        for (const auto& [is_so, kind] : kinds) {
            if (is_so && is_colored(kind)) return kind;
        }
        return other;
    };
    switch (file_type(mode)) {
    case kSIfreg:
        return first_colored({{(mode & kSIsuid) != 0, "su"},
                              {(mode & kSIsgid) != 0, "sg"},
                              {(mode & 0111u) != 0, "ex"},
                              {file.nlink > 1, "mh"}},
                             "fi");
    case kSIfdir:
        return first_colored({{(mode & kSIsvtx) != 0 && (mode & 0002u) != 0, "tw"},
                              {(mode & 0002u) != 0, "ow"},
                              {(mode & kSIsvtx) != 0, "st"}},
                             "di");
    case kSIflnk: return first_colored({{file.target == File::Target::missing, "or"}}, "ln");
    case kSIfifo: return "pi";
    case kSIfsock: return "so";
    case kSIfblk: return "bd";
    case kSIfchr: return "cd";
    default: return "or";
    }
}

const std::string* NameColors::color_of(std::string_view name, std::string_view kind) const {
    if (kind == "fi") {
        const auto found = std::find_if(by_ending_.rbegin(), by_ending_.rend(),
                                        [&](const auto& ending) { return ends_with(name, ending.first); });
        if (found != by_ending_.rend()) return &found->second;
    }
    const auto found = by_kind_.find(kind);
    return found == by_kind_.end() ? nullptr : &found->second;
}

std::string NameColors::around(const std::string* color, std::string_view shown) {
    if (color == nullptr) return std::string(shown);
    const auto reset = by_kind_.find("rs");
    const std::string ordinary = fmt::format("\x1b[{}m", reset == by_kind_.end() ? "0" : reset->second);
    const char* const before = has_begun_ ? "" : ordinary.c_str();
    has_begun_ = true;
    return fmt::format("{}\x1b[{}m{}{}", before, *color, shown, ordinary);
}

std::string NameColors::paint(std::string_view name, std::string_view shown, const File& file) {
    return around(color_of(name, kind_of(file)), shown);
}

std::string NameColors::paint_missing(std::string_view shown) {
    return around(color_of({}, is_colored("mi") ? "mi" : "or"), shown);
}

} // namespace vfsproto::cli
