// SPDX-License-Identifier: BSD-2-Clause
#include "sum_lines.hpp"

#include <algorithm>

namespace vfsproto::cli {
namespace {

constexpr std::size_t kDigits = 64;
constexpr std::string_view kTag = "SHA256";

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

bool is_digit(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_sum(std::string_view text) noexcept {
    return text.size() == kDigits && std::all_of(text.begin(), text.end(), is_digit);
}

void drop_blanks(std::string_view& text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

// Returns nothing for a name that no file can have, or that escaped_name() does not make.
std::optional<std::string> name_of(std::string_view text, bool is_escaped) {
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    if (!is_escaped) return std::string(text);
    std::string name;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            name += text[i];
            continue;
        }
        if (++i == text.size()) return std::nullopt;
        switch (text[i]) {
        case '\\': name += '\\'; break;
        case 'n': name += '\n'; break;
        case 'r': name += '\r'; break;
        default: return std::nullopt;
        }
    }
    return name;
}

std::optional<ListedSum> listed(std::string_view digits, std::string_view name, bool is_escaped) {
    auto found = name_of(name, is_escaped);
    if (!found || !is_sum(digits)) return std::nullopt;
    return ListedSum{std::string(digits), *std::move(found)};
}

} // namespace

std::string escaped_name(std::string_view name) {
    std::string escaped;
    for (const char c : name) {
        switch (c) {
        case '\\': escaped += "\\\\"; break;
        case '\n': escaped += "\\n"; break;
        case '\r': escaped += "\\r"; break;
        default: escaped += c;
        }
    }
    return escaped;
}

bool SumLines::is_void(std::string_view line) noexcept { return line.empty() || line == "\r" || line.front() == '#'; }

std::optional<ListedSum> SumLines::read(std::string_view line) {
    if (line.size() > LineCutter::kMost) return std::nullopt;
    if (line.ends_with('\r')) line.remove_suffix(1); // of a list from another system
    drop_blanks(line);
    const bool is_escaped = line.starts_with('\\');
    if (is_escaped) line.remove_prefix(1);
    if (line.starts_with(kTag)) return read_tagged(line.substr(kTag.size()), is_escaped);
    if (line.size() < kDigits + 2 || !is_blank(line[kDigits]) || !is_sum(line.substr(0, kDigits))) return std::nullopt;
    const std::string_view digits = line.substr(0, kDigits);
    std::string_view name = line.substr(kDigits + 1);
    const bool has_mark = name.size() > 1 && (name.front() == ' ' || name.front() == '*');
    if (!has_mark && form_ == Form::with_mark) return std::nullopt;
    if (!has_mark) form_ = Form::without_mark;
    if (has_mark && form_ != Form::without_mark) { // else the mark is the beginning of a name
        form_ = Form::with_mark;
        name.remove_prefix(1);
    }
    return listed(digits, name, is_escaped);
}

// Reads a line of the form "SHA256 (name) = digits". The name ends at the last bracket.
std::optional<ListedSum> SumLines::read_tagged(std::string_view line, bool is_escaped) {
    if (line.starts_with(' ')) line.remove_prefix(1);
    const std::size_t end = line.rfind(')');
    if (!line.starts_with('(') || end == std::string_view::npos) return std::nullopt;
    const std::string_view name = line.substr(1, end - 1);
    line.remove_prefix(end + 1);
    drop_blanks(line);
    if (!line.starts_with('=')) return std::nullopt;
    line.remove_prefix(1);
    drop_blanks(line);
    return listed(line, name, is_escaped);
}

} // namespace vfsproto::cli
