// SPDX-License-Identifier: BSD-2-Clause
// Keeps the lines that were typed, for the next shell. Each is appended when it is entered, so that two shells keep theirs, and a
// shell that ends by a signal keeps all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class HistoryFile {
public:
    static constexpr std::size_t kMostLines = 1000;

    // Takes $XDG_STATE_HOME/vfsproto/history, or ~/.local/state/vfsproto/history. Where there is no home, or the file cannot be
    // made, nothing is kept.
    HistoryFile();
    explicit HistoryFile(std::string path) : path_(std::move(path)) {}

    // Returns the latest lines, the oldest first. A file that has grown long is cut to them.
    [[nodiscard]] std::vector<std::string> load() const;
    void append(std::string_view line) const;

private:
    void cut_to(const std::vector<std::string>& lines) const;

    std::string path_; // empty: nothing is kept
};

} // namespace vfsproto::cli
