// SPDX-License-Identifier: BSD-2-Clause
// Checks where in a file a request wants to read or write, before anything is sent. A server may take an offset beyond
// INT64_MAX for what it likes, and the offset of a later piece of a long transfer would wrap to the start of the file.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

// True if `offset` lies within the largest file, 0 to INT64_MAX.
[[nodiscard]] constexpr bool is_in_file(std::uint64_t offset) noexcept { return offset >> 63 == 0; }
// True if there are bytes from `offset` to `offset + len`, all of them within the largest file. Any `len`.
[[nodiscard]] constexpr bool is_in_file(std::uint64_t offset, std::uint64_t len) noexcept {
    return (offset | (len - 1) | (offset + len)) >> 63 == 0;
}

// Returns what Linux answers for such a span: EINVAL for an offset beyond INT64_MAX, EFBIG for a write that ends beyond
// it, EINVAL for a read that does; none for a span within the largest file. Any `len`.
[[nodiscard]] constexpr abi::Errno check_file_span(wire::FileSpan use, std::uint64_t offset,
                                                   std::uint64_t len) noexcept {
    constexpr std::uint64_t kEnd = INT64_MAX;
    if (offset > kEnd) return abi::Errno::einval;
    if (len <= kEnd - offset) return abi::Errno::none;
    return use == wire::FileSpan::written ? abi::Errno::efbig : abi::Errno::einval;
}

// Applies it to the arguments of a request of row Op; none for a row that names no span of a file.
template <wire::Opcode Op> [[nodiscard]] constexpr abi::Errno check_file_span(const wire::InOf<Op>& in) noexcept {
    constexpr wire::FileSpan use = wire::RowOf<Op>::traits.span;
    if constexpr (use == wire::FileSpan::none) {
        return abi::Errno::none;
    } else if constexpr (requires { in.length; }) {
        return check_file_span(use, in.offset, in.length);
    } else {
        return check_file_span(use, in.offset, in.size);
    }
}

} // namespace vfsproto::client
