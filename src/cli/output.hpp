// SPDX-License-Identifier: BSD-2-Clause
// Standard output: collected, and written in large pieces. What cannot be written ends the program.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vfsproto::cli {

// The reader of our output has gone, or its disk is full.
struct OutputFailed {
    int error;
};

class Output {
public:
    Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    [[nodiscard]] bool is_terminal() const noexcept { return terminal_; }

    // All throw OutputFailed.
    void write(std::string_view text);
    void write(std::span<const std::byte> bytes); // without a copy
    template <class... Args> void print(fmt::format_string<Args...> format, Args&&... args) {
        print_formatted(format, fmt::make_format_args(args...));
    }
    void flush();

    // A name as it is in a pipe, and harmless on a terminal.
    [[nodiscard]] std::string name(std::string_view bytes) const;

private:
    // The formatting itself is compiled once.
    void print_formatted(fmt::string_view format, fmt::format_args args);

    static constexpr std::size_t kWriteAt = 64 * 1024;

    bool terminal_;
    std::string text_;
};

} // namespace vfsproto::cli
