// SPDX-License-Identifier: BSD-2-Clause
#include "size.hpp"

#include <charconv>

namespace vfsproto::cli {
namespace {

// Takes the letter of a unit away. Returns its power of 1024 or 1000; 0 without one, nothing for a letter that is no unit.
std::optional<std::size_t> take_power(std::string_view& unit) {
    if (unit.empty()) return 0;
    constexpr std::string_view kUnits = "KMGTPE";
    constexpr std::string_view kSmall = "kmgt"; // P and E are no small letters
    std::size_t power = kUnits.find(unit[0]);
    if (power == std::string_view::npos) power = kSmall.find(unit[0]);
    if (power == std::string_view::npos) return std::nullopt;
    unit.remove_prefix(1);
    return power + 1;
}

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
    if (parsed.ec != std::errc()) return std::nullopt;
    std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    const auto power = take_power(unit);
    const bool of_ten = power && *power != 0 && unit == "B";
    if (!power || (!unit.empty() && !of_ten && (*power == 0 || unit != "iB"))) return std::nullopt;
    const std::uint64_t factor = of_ten ? 1000 : 1024;
    for (std::size_t i = 0; i < *power; ++i) {
        if (size > ~std::uint64_t{0} / factor) return std::nullopt;
        size *= factor;
    }
    return size;
}

} // namespace vfsproto::cli
