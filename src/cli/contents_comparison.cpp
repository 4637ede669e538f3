// SPDX-License-Identifier: BSD-2-Clause
#include "contents_comparison.hpp"

#include <algorithm>
#include <cstring>

namespace vfsproto::cli {

using posix::Expected;
using Side = CopyResult::Side;

namespace {

// Returns less than there is room for only at the end of the file.
Expected<std::uint64_t> read_full(Contents& file, std::span<std::byte> into, std::uint64_t offset) {
    std::uint64_t filled = 0;
    while (filled < into.size()) {
        const auto count = file.read(into.subspan(filled), offset + filled);
        if (!count) return count.failure();
        if (*count == 0) break;
        filled += *count;
    }
    return filled;
}

// Returns how many bytes are equal at the beginning. Both have one size.
std::uint64_t equal_bytes(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
    if (std::memcmp(a.data(), b.data(), a.size()) == 0) return a.size();
    return static_cast<std::uint64_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
}

} // namespace

ComparedContents compare_contents(Contents& first, Contents& second, std::span<std::byte> buffer,
                                  const std::function<bool(std::uint64_t)>& compared) {
    const std::size_t half = buffer.size() / 2;
    const auto of_first = buffer.first(half);
    const auto of_second = buffer.subspan(half, half);
    ComparedContents result;
    for (;;) {
        const auto a = read_full(first, of_first, result.equal_bytes);
        if (!a) return {{Side::from, a.failure()}};
        const auto b = read_full(second, of_second, result.equal_bytes);
        if (!b) return {{Side::to, b.failure()}};
        const std::uint64_t both = std::min(*a, *b);
        const std::uint64_t equal = equal_bytes(of_first.first(both), of_second.first(both));
        result.equal_bytes += equal;
        if (equal < both) return result;
        result.first_ended = *a == both && *a < half;
        result.second_ended = *b == both && *b < half;
        if (*a < half || *b < half) return result;
        if (!compared(both)) return {{Side::from, abi::Errno::eintr}};
    }
}

} // namespace vfsproto::cli
