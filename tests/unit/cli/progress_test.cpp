// SPDX-License-Identifier: BSD-2-Clause
// The line that shows how far a transfer has come, for terminals of any width.
#include "../../../src/cli/progress.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace vfsproto::cli;

namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

// A quarter of 400 MiB after 10 s.
constexpr Progressed kQuarter{100 * kMebibyte, 400 * kMebibyte, 3, 10.0};

std::string left_of(std::uint64_t bytes, std::uint64_t expected, double seconds) {
    const std::string line = progress_line({bytes, expected, 0, seconds}, 200);
    const std::size_t end = line.find(" left");
    if (end == std::string::npos) return {};
    const std::size_t begin = line.rfind(' ', end - 1) + 1;
    return line.substr(begin, end - begin);
}

} // namespace

TEST_CASE("a progress line says as much as the terminal is wide", "[cli]") {
    CHECK(progress_line(kQuarter, 20) == "100.0 MiB");
    CHECK(progress_line(kQuarter, 21) == "100.0 MiB, 0:30 left");
    CHECK(progress_line(kQuarter, 40) == "100.0 MiB of 400.0 MiB, 0:30 left");
    CHECK(progress_line(kQuarter, 80) ==
          "[#####.................] 100.0 MiB of 400.0 MiB, 10.0 MiB/s, 0:30 left, 3 files");
    CHECK(progress_line(kQuarter, 200) == "[" + std::string(12, '#') + std::string(38, '.') +
                                              "] 100.0 MiB of 400.0 MiB, 10.0 MiB/s, 0:30 left, 3 files");
}

TEST_CASE("a progress line of unknown size has no bar and no time left", "[cli]") {
    constexpr Progressed kPipe{5 * kMebibyte, 0, 1, 2.5};
    CHECK(progress_line(kPipe, 20) == "5.0 MiB, 2.0 MiB/s");
    for (const std::size_t columns : {40U, 80U, 200U}) {
        CHECK(progress_line(kPipe, columns) == "5.0 MiB, 2.0 MiB/s, 1 file");
    }
}

TEST_CASE("the time left is that of the speed so far", "[cli]") {
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 9) == "0:09");
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 59.9) == "0:59");
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 60) == "1:00");
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 3723) == "1:02:03");
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 359'999) == "99:59:59");
    CHECK(left_of(kMebibyte, kMebibyte, 9) == "0:00");
    CHECK(left_of(2 * kMebibyte, kMebibyte, 9) == "0:00"); // a file that became larger
    CHECK(left_of(kMebibyte, 2 * kMebibyte, 360'000).empty());
    CHECK(left_of(1, UINT64_MAX, 1e300).empty());
    CHECK(left_of(0, kMebibyte, 9).empty()); // nothing has come yet
}

TEST_CASE("no progress line is as long as the terminal is wide", "[cli]") {
    for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1023}, kMebibyte, UINT64_MAX}) {
        for (const std::uint64_t expected : {std::uint64_t{0}, std::uint64_t{1}, 400 * kMebibyte, UINT64_MAX}) {
            for (const double seconds : {0.0, 0.5, 1e9}) {
                for (std::size_t columns = 0; columns <= 300; ++columns) {
                    const std::string line = progress_line({bytes, expected, UINT64_MAX, seconds}, columns);
                    INFO(columns << ": " << line);
                    const bool fits = line.empty() || line.size() < columns;
                    if (!fits) FAIL("too long");
                    const auto is_shown = [](char c) { return c >= ' ' && c <= '~'; };
                    if (!std::all_of(line.begin(), line.end(), is_shown)) FAIL("not plain text");
                }
            }
        }
    }
}
