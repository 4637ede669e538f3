// SPDX-License-Identifier: BSD-2-Clause
// Output that people read about a running client: log lines on stderr, and a line for every request.
#pragma once

#include "vfsproto/fuse/client/trace_hook.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::backends {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

// "trace" … "off"; false for any other word.
[[nodiscard]] bool parse_log_level(std::string_view word, LogLevel& out) noexcept;

// Lines on stderr, with time and level. Any thread.
class Log {
public:
    explicit Log(LogLevel level);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    [[nodiscard]] bool takes(LogLevel level) const noexcept { return level >= level_ && level != LogLevel::off; }
    void write(LogLevel level, std::string_view line) noexcept;

private:
    struct Sink;
    LogLevel level_;
    std::unique_ptr<Sink> sink_;
};

// One line for every finished request, to a file and, at level trace, to a log:
//   time=0.001234567 queue=1 unique=0x20042 op=LOOKUP node=1 sent=48 received=160 error=0 latency_us=12.3
// The time is in seconds since the trace began, the error a name such as ENOENT. hook() goes into
// posix::ChannelOptions::trace; the trace outlives the channel. Called by the lane's owner, one at a time.
class RequestTrace {
public:
    // `path` empty = no file; `log` may be nullptr, and outlives the trace. Throws std::system_error when the file cannot
    // be written.
    RequestTrace(const std::string& path, Log* log);
    ~RequestTrace(); // what is not written yet is written now
    RequestTrace(const RequestTrace&) = delete;
    RequestTrace& operator=(const RequestTrace&) = delete;

    [[nodiscard]] client::TraceHook hook() noexcept;
    [[nodiscard]] std::uint64_t lines() const noexcept { return lines_; }
    // 0, or the errno of the write that failed first: the file is not complete.
    [[nodiscard]] int flush() noexcept;

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kLanes = 256;

    void started(const client::TraceEvent& event) noexcept;  // NOLINT(bugprone-exception-escape): out of memory ends it
    void finished(const client::TraceEvent& event) noexcept; // NOLINT(bugprone-exception-escape)
    struct Pending {
        Clock::time_point since{};
        std::uint32_t sent = 0;
    };
    [[nodiscard]] Pending& pending(const client::TraceEvent& event);

    Log* log_;
    int fd_ = -1;
    int error_ = 0;
    Clock::time_point begin_;
    std::vector<std::vector<Pending>> pending_; // by lane and slot
    std::string text_;                          // not written yet
    std::uint64_t lines_ = 0;
};

} // namespace vfsproto::backends
