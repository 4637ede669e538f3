// SPDX-License-Identifier: BSD-2-Clause
// Shows how far a long transfer has come: on a terminal, a line on stderr that is drawn over again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

namespace vfsproto::cli {

class Program;

struct Progressed {
    std::uint64_t bytes = 0;
    std::uint64_t expected = 0; // bytes of all files that were begun; 0: not known, as of a pipe
    std::uint64_t files = 0;    // done
    double seconds = 0;         // since the beginning
};
// Returns the line for a terminal of so many columns, and leaves the last one free: the time left if the speed stays, a bar where
// there is room for one, and less where there is less. Nothing where not even the bytes fit.
[[nodiscard]] std::string progress_line(const Progressed& progress, std::size_t columns);

class Progress {
public:
    explicit Progress(Program& program);
    ~Progress(); // takes the line away
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Any thread.
    void expect(std::uint64_t bytes) noexcept { expected_ += bytes; }
    void moved(std::uint64_t bytes) noexcept;
    void file_done() noexcept;

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

private:
    using Clock = std::chrono::steady_clock;

    void draw() noexcept;
    void clear() noexcept;

    Program& program_;
    bool visible_; // is there a terminal?
    std::mutex mutex_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point next_;
    bool drawn_ = false;
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> expected_{0};
    std::atomic<std::uint64_t> files_{0};
};

} // namespace vfsproto::cli
