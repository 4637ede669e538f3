// SPDX-License-Identifier: BSD-2-Clause
// Lines that commands print, for comparisons.
#pragma once

#include "integration/cli/json_lines.hpp"

#include <set>
#include <sstream>
#include <string>

namespace vfsproto::test {

// Returns the lines in an order of their own: workers print theirs as they end.
inline std::string sorted_lines(const std::string& text) {
    std::multiset<std::string> lines;
    std::istringstream list(text);
    for (std::string line; std::getline(list, line);) lines.insert(line + '\n');
    std::string all;
    for (const std::string& line : lines) all += line;
    return all;
}

// Returns the sums of a copy with --json, which its last line has.
inline nlohmann::json copied_sums(const std::string& lines) {
    const std::size_t newline = lines.rfind('\n', lines.size() - 2);
    return nlohmann::json::parse(lines.substr(newline == std::string::npos ? 0 : newline + 1))["copied"];
}

} // namespace vfsproto::test
