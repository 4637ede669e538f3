// SPDX-License-Identifier: BSD-2-Clause
// A message is what the program says on standard error: one line for people, or one line of JSON.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vfsproto::cli {

enum class Style : std::uint8_t { human, json };

// Names what a message is about. A view: the texts must outlive it.
class Subject {
public:
    Subject(std::string_view path) noexcept : name_(path) {}                       // NOLINT: implicit by design
    Subject(const std::string& path) noexcept : Subject(std::string_view(path)) {} // NOLINT
    Subject(const char* path) noexcept : Subject(std::string_view(path)) {}        // NOLINT
    // Returns one that is no path: a word of the command line, a stream, a device.
    [[nodiscard]] static Subject other(std::string_view name) noexcept {
        Subject subject(name);
        subject.is_path_ = false;
        return subject;
    }
    // Returns one of two paths, where only the error tells which of them it is about.
    [[nodiscard]] static Subject pair(std::string_view from, std::string_view to) noexcept {
        Subject subject(from);
        subject.target_ = to;
        return subject;
    }

    [[nodiscard]] bool is_path() const noexcept { return is_path_; }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] std::string_view target() const noexcept { return target_; } // empty: there is only one

private:
    std::string_view name_; // empty: the message is about the program as a whole
    std::string_view target_;
    bool is_path_ = true;
};

struct Message {
    enum class Kind : std::uint8_t { error, warning } kind = Kind::error;
    std::string_view command; // empty where no command runs
    Subject subject = "";
    posix::Failure failure; // none where only the text tells
    std::string_view text;
};

// Returns the line, with its newline.
[[nodiscard]] std::string line_of(const Message& message, Style style);

} // namespace vfsproto::cli
