// SPDX-License-Identifier: BSD-2-Clause
// This is the file of a trace, or standard error. Text is collected, up to a bound, and written in large pieces. The first
// write that fails is the last: the program goes on and says at its end what failed.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <atomic>
#include <string>

namespace vfsproto::cli {

class TraceFile {
public:
    // Creates or empties the file. "-" is standard error, where each line is written at once. Throws std::system_error.
    explicit TraceFile(const std::string& path);

    // Returns the text that is not written yet, to be appended to.
    [[nodiscard]] std::string& text() noexcept { return text_; }
    // Writes if there is much. May wait for the reader of a pipe, until a signal ends the program.
    void settle();
    // Writes everything, as settle() does.
    void flush();
    // Writes what can be written without waiting.
    void flush_without_waiting();
    // Makes settle() and flush() wait no more. Any thread; a wait that began goes on until its call is cut.
    void stop_waiting() noexcept { may_wait_ = false; }

    void fail(int error) noexcept;
    // Returns the first errno, 0: none. EINTR: a signal came while nobody took the text, and some of it is lost.
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    // Waits for so many ms, -1: until a signal comes. True if a write makes progress or fails.
    [[nodiscard]] bool has_room(int wait) const noexcept;
    [[nodiscard]] bool waits() const noexcept;
    // True if some of the text, at most so many bytes, was written.
    [[nodiscard]] bool write_piece(std::size_t most);

    static constexpr std::size_t kWriteAt = 64 * 1024;

    backends::FileDescriptor owned_;
    int fd_;
    std::string text_;
    int error_ = 0;
    std::atomic<bool> may_wait_{true};
};

} // namespace vfsproto::cli
