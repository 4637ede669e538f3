// SPDX-License-Identifier: BSD-2-Clause
// Log lines about a running client, on stderr.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

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

} // namespace vfsproto::backends
