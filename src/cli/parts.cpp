// SPDX-License-Identifier: BSD-2-Clause
#include "parts.hpp"

#include "output.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace vfsproto::cli {
namespace {

std::string with_spaces(std::string key) {
    std::replace(key.begin(), key.end(), '_', ' ');
    return key;
}

// Breaks a long text into lines, each as far from the left as the first.
void print_value(Output& out, std::string_view text, std::size_t indent) {
    constexpr std::size_t kWidth = 100;
    const std::size_t room = kWidth - indent;
    while (text.size() > room) {
        const std::size_t space = text.rfind(' ', room);
        if (space == std::string_view::npos || space == 0) break;
        out.print("{}\n{:{}}", text.substr(0, space), "", indent);
        text.remove_prefix(space + 1);
    }
    out.print("{}\n", text);
}

} // namespace

Json counts_part(std::initializer_list<std::pair<const char*, std::uint64_t>> counts) {
    Json part;
    for (const auto& [key, count] : counts) part.set(key, count);
    return part;
}

void print_parts(Output& out, const Json& parts) {
    std::size_t width = 0;
    for (const auto& [part, rows] : parts.members()) {
        for (const auto& [key, value] : rows.members()) width = std::max(width, key.size());
    }
    bool first = true;
    for (const auto& [part, rows] : parts.members()) {
        out.print("{}{}\n", first ? "" : "\n", part);
        first = false;
        for (const auto& [key, value] : rows.members()) {
            out.print("  {:<{}}  ", with_spaces(key), width);
            print_value(out, out.name(value.shown()), width + 4);
        }
    }
}

} // namespace vfsproto::cli
