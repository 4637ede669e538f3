// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/logging.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace vfsproto::backends {
namespace {

struct Word {
    std::string_view word;
    LogLevel level;
    spdlog::level::level_enum theirs;
};
constexpr Word kWords[] = {
    {"trace", LogLevel::trace, spdlog::level::trace}, {"debug", LogLevel::debug, spdlog::level::debug},
    {"info", LogLevel::info, spdlog::level::info},    {"warn", LogLevel::warn, spdlog::level::warn},
    {"error", LogLevel::error, spdlog::level::err},   {"off", LogLevel::off, spdlog::level::off},
};

spdlog::level::level_enum theirs(LogLevel level) noexcept { return kWords[static_cast<std::size_t>(level)].theirs; }

} // namespace

bool parse_log_level(std::string_view word, LogLevel& out) noexcept {
    for (const Word& row : kWords) {
        if (row.word != word) continue;
        out = row.level;
        return true;
    }
    return false;
}

struct Log::Sink {
    spdlog::logger logger{"vfsproto", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
};

Log::Log(LogLevel level) : level_(level), sink_(std::make_unique<Sink>()) {
    sink_->logger.set_level(theirs(level));
    sink_->logger.set_pattern("%Y-%m-%d %H:%M:%S.%f %^%l%$ %v");
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view line) noexcept {
    if (takes(level)) sink_->logger.log(theirs(level), "{}", line);
}

} // namespace vfsproto::backends
