// SPDX-License-Identifier: BSD-2-Clause
// Latencies in nanoseconds, 32 steps an octave: percentiles within 3 %, without keeping the samples.
#pragma once

#include <array>
#include <cstdint>

namespace vfsproto::cli {

class LatencyHistogram {
public:
    LatencyHistogram() noexcept = default;
    LatencyHistogram(const LatencyHistogram&) = delete;
    LatencyHistogram& operator=(const LatencyHistogram&) = delete;

    void add_one(std::uint64_t ns) noexcept { ++counts_[index_of(ns)]; }
    // Adds one latency. Requests that end together often took equally long, so the last bucket is remembered.
    void add(std::uint64_t ns) noexcept {
        if (ns != last_) [[unlikely]] {
            last_ = ns;
            place_ = &counts_[index_of(ns)];
        }
        ++*place_;
    }
    void add(const LatencyHistogram& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    }
    [[nodiscard]] std::uint64_t samples() const noexcept {
        std::uint64_t total = 0;
        for (const std::uint64_t count : counts_) total += count;
        return total;
    }
    // The value that `share` (0 to 1) of the samples do not exceed; 0 without samples.
    [[nodiscard]] double percentile(double share) const noexcept {
        const double wanted = static_cast<double>(samples()) * share;
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen != 0 && static_cast<double>(seen) >= wanted) return static_cast<double>(value_of(i));
        }
        return 0;
    }

private:
    static constexpr unsigned kSteps = 32;

    static std::size_t index_of(std::uint64_t ns) noexcept {
        if (ns < kSteps) return ns;
        const unsigned shift = (63u ^ static_cast<unsigned>(__builtin_clzll(ns))) - 5; // leaves 32 to 63
        return shift * kSteps + (ns >> shift);
    }
    static std::uint64_t value_of(std::size_t index) noexcept {
        if (index < kSteps) return index;
        return (kSteps + index % kSteps) << (index / kSteps - 1);
    }

    std::array<std::uint64_t, 61 * kSteps> counts_{};
    std::uint64_t last_ = 0;
    std::uint64_t* place_ = &counts_[0];
};

} // namespace vfsproto::cli
