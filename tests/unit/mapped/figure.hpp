// SPDX-License-Identifier: BSD-2-Clause
// A figure tells how fast reads of a warm window are beside memcpy. It informs: the machine may have other things to do.
#pragma once

#include "support/catch.hpp"

#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string_view>
#include <vector>

namespace vfsproto::test {

inline constexpr std::size_t kFigureBytes = std::size_t{64} << 20;

// Returns the shortest of several runs.
template <class Body> double seconds_of(Body&& body) {
    constexpr int kRuns = 9;
    double best = 1e9;
    for (int i = 0; i < kRuns; ++i) {
        const auto start = std::chrono::steady_clock::now();
        body();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

// `mapped` is a file of kFigureBytes, in a window that holds it.
inline void print_figure(std::string_view server, posix::Mount& mount, posix::MappedFile& mapped) {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    std::vector<std::byte> into(kPiece);
    const std::vector<std::byte> plain(kFigureBytes, std::byte{7});
    const auto read_all = [&] {
        for (std::size_t at = 0; at < kFigureBytes; at += kPiece) REQUIRE(*mapped.read(into, at) == kPiece);
    };
    read_all(); // warms it
    const std::uint64_t before = mount.stats().requests;
    const double by_window = seconds_of(read_all);
    const std::uint64_t requests = mount.stats().requests - before;
    const double by_copy = seconds_of([&] {
        for (std::size_t at = 0; at < kFigureBytes; at += kPiece) {
            std::memcpy(into.data(), plain.data() + at, kPiece);
            __asm__ volatile("" ::"r"(into.data()) : "memory");
        }
    });
    std::cout << server << ": mapped reads of 1 MiB: " << by_copy / by_window << "x of memcpy, "
              << kFigureBytes / by_window / 1e9 << " GB/s, requests: " << requests << '\n';
    CHECK(requests == 0);
}

} // namespace vfsproto::test
