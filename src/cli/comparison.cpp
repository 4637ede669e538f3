// SPDX-License-Identifier: BSD-2-Clause
#include "comparison.hpp"

#include "vfsproto/abi/numbers.hpp"

#include <utility>

namespace vfsproto::cli {

using abi::Attributes;

namespace {

std::pair<std::int64_t, std::uint32_t> time_of(const Attributes& file) noexcept {
    return {static_cast<std::int64_t>(file.mtime), file.mtimensec};
}

} // namespace

bool is_same_time(const Attributes& source, const Attributes& target) noexcept {
    if (time_of(source) == time_of(target)) return true;
    constexpr std::uint32_t kUnits[] = {100, 1'000, 1'000'000, 10'000'000, 1'000'000'000}; // ns
    const auto seconds = static_cast<std::int64_t>(source.mtime);
    if (seconds == static_cast<std::int64_t>(target.mtime)) {
        for (const std::uint32_t unit : kUnits) {
            if (target.ctimensec % unit == 0 && target.mtimensec == source.mtimensec / unit * unit) return true;
        }
    }
    // FAT keeps times in steps of two seconds.
    return target.mtimensec == 0 && target.ctimensec == 0 && target.ctime % 2 == 0 && seconds % 2 != 0 &&
           seconds - 1 == static_cast<std::int64_t>(target.mtime);
}

Verdict Comparison::of(const Attributes& source, const Attributes& target) const noexcept {
    if (overwrite == Overwrite::never) return Verdict::kept;
    if (overwrite == Overwrite::when_older) {
        const bool older = time_of(target) < time_of(source) && !(keeps_times && is_same_time(source, target));
        if (!older) return Verdict::kept;
    }
    if (same_by == SameBy::nothing) return Verdict::copy;
    if (abi::file_type(source.mode) != abi::file_type(target.mode)) return Verdict::copy;
    if (!abi::is_regular(source.mode)) return Verdict::content_decides;
    if (source.size != target.size) return Verdict::copy;
    if (same_by == SameBy::content) return Verdict::content_decides;
    return is_same_time(source, target) ? Verdict::same : Verdict::copy;
}

} // namespace vfsproto::cli
