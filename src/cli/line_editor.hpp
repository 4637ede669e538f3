// SPDX-License-Identifier: BSD-2-Clause
// Lines that a person types on a terminal, with history and completion. Only line_editor.cpp includes the editor's library.
#pragma once

#include "completions.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vfsproto::cli {

class LineEditor {
public:
    using Complete = std::function<Completions(std::string_view before_cursor)>;

    // Throws std::runtime_error when the terminal cannot be used.
    explicit LineEditor(Complete complete);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    // Asks for a line behind a prompt; nothing when the person is done (Ctrl-D), and after a signal. While a line is typed, Ctrl-C is a key that
    // empties it; while its words are looked for, it is a signal.
    [[nodiscard]] std::optional<std::string> next(const std::string& prompt);

private:
    struct Library;
    std::unique_ptr<Library> library_;
};

} // namespace vfsproto::cli
