// SPDX-License-Identifier: BSD-2-Clause
// Lines that a person types on a terminal, with history and completion. Only line_editor.cpp includes the editor's library.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// Lists what may stand in the place of the last `length` bytes before the cursor.
struct Completions {
    std::size_t length = 0;
    std::vector<std::string> words{};
};

class LineEditor {
public:
    using Complete = std::function<Completions(std::string_view before_cursor)>;

    // Reads the history from a file, if there is one, and writes it there at its end; an empty path: there is none. Throws
    // std::runtime_error when the terminal cannot be used.
    LineEditor(const char* prompt, Complete complete, std::string history);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    // Asks for a line; nothing when the person is done (Ctrl-D), and after an interrupt from outside. Ctrl-C empties the line.
    [[nodiscard]] std::optional<std::string> next();

private:
    struct Library;
    std::unique_ptr<Library> library_;
};

// Returns where the history of the shell is kept; empty where there is no home. Makes the directory.
[[nodiscard]] std::string history_path();

} // namespace vfsproto::cli
