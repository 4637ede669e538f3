// SPDX-License-Identifier: BSD-2-Clause
// Question: how much of this CPU's time did somebody else take? Spins for a while and adds up the gaps; a timed run
// beside which more than a few per cent were lost says nothing. Pin it to the CPU that is to be measured.
// usage: gap_gauge [SECONDS]     prints the share lost, as a number between 0 and 1
#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    using Clock = std::chrono::steady_clock;
    const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
    constexpr auto kGap = std::chrono::microseconds(5); // longer than any two looks at the clock
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    auto last = begin;
    Clock::duration lost{};
    while (last < end) {
        const auto now = Clock::now();
        if (now - last > kGap) lost += now - last;
        last = now;
    }
    std::printf("%.4f\n", std::chrono::duration<double>(lost) / std::chrono::duration<double>(last - begin));
}
