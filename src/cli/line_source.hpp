// SPDX-License-Identifier: BSD-2-Clause
// The lines of a file of this host, or of standard input.
#pragma once

#include "message.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vfsproto::cli {

class LineSource {
public:
    // Opens a file; "-" is standard input, which stays open. The object is false where that failed, which error() tells.
    explicit LineSource(const std::string& path);

    explicit operator bool() const noexcept { return stream_ != nullptr; }
    // Returns the next line without its newline, valid until the next call; nothing at the end, after an interrupt, and after
    // a failure, which error() tells: a line that either cut off is no line. Waits, where the file is a pipe or a terminal.
    [[nodiscard]] std::optional<std::string_view> next();
    // Returns the errno of what failed, 0 if nothing has.
    [[nodiscard]] int error() const noexcept { return error_; }
    // Returns how messages call the file, and the line that was read last: "script:3".
    [[nodiscard]] Subject subject() const noexcept {
        return stream_.get() == stdin ? Subject::other(name_) : Subject(name_);
    }
    [[nodiscard]] std::string place() const { return name_ + ':' + std::to_string(number_); }

private:
    struct Close {
        void operator()(std::FILE* stream) const noexcept;
    };
    struct Free {
        void operator()(char* line) const noexcept;
    };

    std::string name_;
    std::unique_ptr<std::FILE, Close> stream_;
    std::unique_ptr<char, Free> line_; // of getline(3)
    std::size_t room_ = 0;
    std::size_t number_ = 0; // of the line
    int error_ = 0;
};

} // namespace vfsproto::cli
