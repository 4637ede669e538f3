// SPDX-License-Identifier: BSD-2-Clause
// Times and sizes for people.
#pragma once

#include <cstdint>
#include <string>

namespace vfsproto::cli {

// "2024-05-31 17:04", local time; the number of seconds when it is no date.
[[nodiscard]] std::string short_time(std::int64_t seconds);
// "2024-05-31 17:04:09.123456789 +0200".
[[nodiscard]] std::string full_time(std::int64_t seconds, std::uint32_t nanoseconds);
// "512 B", "1.5 GiB".
[[nodiscard]] std::string readable_size(std::uint64_t bytes);

enum class Thousand : std::uint16_t { binary = 1024, decimal = 1000 };
// Returns a size rounded up, as "ls -h" and "df -h" show it: "1023", "1.1K", "23M"; with decimal thousands "1.1k", "24M".
[[nodiscard]] std::string short_size(std::uint64_t bytes, Thousand thousand = Thousand::binary);

} // namespace vfsproto::cli
