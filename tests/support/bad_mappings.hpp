// SPDX-License-Identifier: BSD-2-Clause
// SETUPMAPPING and REMOVEMAPPING that every server refuses, for a window of kPages pages.
#pragma once

#include "support/catch.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <vector>

namespace vfsproto::test {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kPages = 8;
inline constexpr wire::u64 kRead = wire::kSetupmappingRead;
inline constexpr wire::u64 kBoth = wire::kSetupmappingRead | wire::kSetupmappingWrite;
inline constexpr wire::u64 kHugeSpan = ~wire::u64{0} & ~(kPage - 1); // the largest multiple of a page

// Returns mappings that leave the window or make no sense, all of which are answered by EINVAL.
[[nodiscard]] inline std::vector<wire::SetupmappingIn> bad_mappings() {
    return {
        {0, 0, kPage, kRead, kPages * kPage},     // behind the end
        {0, 0, 2 * kPage, kRead, 7 * kPage},      // across it
        {0, 0, kHugeSpan, kRead, kPage},          // the sum wraps
        {0, 0, kPage, kRead, kHugeSpan},          // before the start, were it to wrap
        {0, 0, 0, kRead, 0},                      // no bytes
        {0, 0, 100, kRead, 0},                    // a piece of a page
        {0, 0, kPage, kRead, 100},                // not aligned
        {0, 100, kPage, kRead, 0},                // not aligned in the file
        {0, kHugeSpan, kPage, kRead, 0},          // beyond INT64_MAX
        {0, 0x7ffffffffffff000, kPage, kRead, 0}, // its end is
        {0, 0, kPage, 0, 0},                      // neither to read nor to write
        {0, 0, kPage, kRead | 4, 0},              // flags nobody knows
    };
}

// Checks that nothing is removed by a request with one bad entry. The first page of the window is a mapping of an 'a'.
template <class Fixture> void check_bad_removals(Fixture& f) {
    CHECK(f.remove({}) == abi::Errno::einval);
    CHECK(f.remove({{0, kPage}, {kPages * kPage, kPage}}) == abi::Errno::einval);
    CHECK(f.remove({{0, kPage}, {kPage, kHugeSpan}}) == abi::Errno::einval);
    CHECK(f.remove({{0, kPage}, {0, 0}}) == abi::Errno::einval);
    CHECK(f.remove({{0, kPage}, {1, kPage}}) == abi::Errno::einval);
    CHECK(f.at(0) == 'a');
    CHECK(f.remove({{kPage, kPage}}) == abi::Errno::none); // nothing is mapped there: so be it
    CHECK(f.remove({{0, kPage}, {0, kPage}}) == abi::Errno::none);
    CHECK_FALSE(f.is_there(0));
}

} // namespace vfsproto::test
