// SPDX-License-Identifier: BSD-2-Clause
// The rows of docs/coreutils.md: which command line does what another one of coreutils or findutils does.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace vfsproto::test {

struct CoreutilsRow {
    std::size_t line = 0; // of the page
    std::string command;  // of the section: "ls"
    std::string ours;     // words behind `vfsproto`
    std::string theirs;   // a whole command line
    std::string result;   // "same", "same lines" or "differs: …"
};

struct CoreutilsPage {
    std::string tree; // shell commands that make the tree
    std::vector<CoreutilsRow> rows;
    std::map<std::string, std::string> sections; // by command: all that stands below its heading
};

// Reads the page. Throws std::runtime_error, which names the line, where a row has another form.
[[nodiscard]] CoreutilsPage read_coreutils_page(const std::string& text);

} // namespace vfsproto::test
