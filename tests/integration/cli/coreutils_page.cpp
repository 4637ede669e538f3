// SPDX-License-Identifier: BSD-2-Clause
#include "integration/cli/coreutils_page.hpp"

#include <sstream>
#include <stdexcept>
#include <string_view>

namespace vfsproto::test {
namespace {

constexpr std::string_view kTreeMark = "<!-- tree -->";
constexpr std::string_view kIndent = "    ";

[[noreturn]] void refuse(std::size_t line, const std::string& why) {
    throw std::runtime_error("docs/coreutils.md:" + std::to_string(line) + ": " + why);
}

// Returns the cells of a row of a table, without the blanks around them. "\|" is a bar inside a cell.
std::vector<std::string> cells_of(std::string_view row) {
    std::vector<std::string> cells;
    std::string cell;
    for (std::size_t i = 1; i < row.size(); ++i) {
        if (row[i] == '\\' && i + 1 < row.size() && row[i + 1] == '|') {
            cell += row[++i];
        } else if (row[i] == '|') {
            const std::size_t first = cell.find_first_not_of(' ');
            const std::size_t last = cell.find_last_not_of(' ');
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
            cell.clear();
        } else {
            cell += row[i];
        }
    }
    return cells;
}

std::string without_backticks(const std::string& cell, std::size_t line) {
    if (cell.size() < 3 || cell.front() != '`' || cell.back() != '`')
        refuse(line, "a command line stands in backticks");
    return cell.substr(1, cell.size() - 2);
}

CoreutilsRow row_of(std::string_view text, std::size_t line, const std::string& command) {
    const std::vector<std::string> cells = cells_of(text);
    if (cells.size() != 4) refuse(line, "a row has four cells");
    CoreutilsRow row{line, command, without_backticks(cells[1], line), {}, cells[3]};
    row.theirs = cells[2] == "the same" ? row.ours : without_backticks(cells[2], line);
    const bool begins = row.ours == command || row.ours.starts_with(command + ' ');
    if (!begins) refuse(line, "the command line begins with the command of its section");
    const bool is_known = row.result == "same" || row.result == "same lines" || row.result.starts_with("differs: ");
    if (!is_known) refuse(line, "the result is 'same', 'same lines' or 'differs: WHY'");
    return row;
}

} // namespace

CoreutilsPage read_coreutils_page(const std::string& text) {
    CoreutilsPage page;
    std::istringstream lines(text);
    std::string command;
    bool in_tree = false;
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line == kTreeMark) {
            in_tree = true;
        } else if (line.starts_with("#")) {
            in_tree = false;
            const bool is_command = line.starts_with("## `") && line.ends_with('`');
            command = is_command ? line.substr(4, line.size() - 5) : "";
        } else if (in_tree && line.starts_with(kIndent)) {
            page.tree.append(line.substr(kIndent.size())).append("\n");
        }
        if (command.empty()) continue;
        page.sections[command].append(line).append("\n");
        const bool is_row = line.starts_with("| ") && line.find('`') != std::string::npos;
        if (is_row && !line.starts_with("| what |")) page.rows.push_back(row_of(line, number, command));
    }
    return page;
}

} // namespace vfsproto::test
