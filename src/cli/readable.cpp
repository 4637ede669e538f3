// SPDX-License-Identifier: BSD-2-Clause
#include "readable.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace vfsproto::cli {
namespace {

// Empty when the seconds are no date.
std::string formatted(std::int64_t seconds, const char* format) {
    const std::time_t time = seconds;
    std::tm parts{};
    if (::localtime_r(&time, &parts) == nullptr) return {};
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

} // namespace

std::string short_time(std::int64_t seconds) {
    const std::string text = formatted(seconds, "%Y-%m-%d %H:%M");
    return text.empty() ? fmt::format("{}", seconds) : text;
}

std::string full_time(std::int64_t seconds, std::uint32_t nanoseconds) {
    const std::string date = formatted(seconds, "%Y-%m-%d %H:%M:%S");
    if (date.empty()) return fmt::format("{}.{:09}", seconds, nanoseconds);
    return fmt::format("{}.{:09} {}", date, nanoseconds, formatted(seconds, "%z"));
}

std::string readable_size(std::uint64_t bytes) {
    constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string short_size(std::uint64_t bytes, Thousand thousand) {
    const auto base = static_cast<std::uint64_t>(thousand);
    if (bytes < base) return fmt::format("{}", bytes);
    const std::string_view units = thousand == Thousand::binary ? "KMGTPE" : "kMGTPE";
    std::size_t unit = 0;
    std::uint64_t scale = base; // bytes of one unit
    for (; bytes / scale >= base; scale *= base) ++unit;
    const std::uint64_t whole = bytes / scale;
    const std::uint64_t rest = bytes % scale;
    const std::uint64_t tenths = whole * 10 + (rest * 10 + scale - 1) / scale; // a scale is 2^60 at most
    if (tenths <= 99) return fmt::format("{}.{}{}", tenths / 10, tenths % 10, units[unit]);
    const std::uint64_t up = whole + (rest != 0 ? 1 : 0);
    if (up == base) return fmt::format("1.0{}", units[unit + 1]);
    return fmt::format("{}{}", up, units[unit]);
}

} // namespace vfsproto::cli
