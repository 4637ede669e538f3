// SPDX-License-Identifier: BSD-2-Clause
// Measures and checks requests before the lane writes them: for lane_body.hpp.
#pragma once

#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

namespace detail {

inline void clear_answer(Request& request) noexcept {
    request.errc = Errc::ok;
    request.error = abi::Errno::none;
    request.bytes = 0;
    request.out_bytes = 0;
}

[[gnu::always_inline]] constexpr std::uint32_t names_length(const wire::OpInfo& op, const Request& request) noexcept {
    const std::uint32_t names = wire::name_count(op.in_tail);
    std::uint32_t length = 0;
    if (names >= 1) length += static_cast<std::uint32_t>(request.name.size()) + 1;
    if (names == 2) length += static_cast<std::uint32_t>(request.name2.size()) + 1;
    return length;
}

// Bytes of data that travel with the request, and that its reply may bring.
[[gnu::always_inline]] constexpr std::uint32_t data_in_of(const wire::OpInfo& op, const Request& request) noexcept {
    return op.tail_field.unit != 0 ? request.data_in.len : 0;
}
[[gnu::always_inline]] constexpr std::uint32_t data_out_of(const wire::OpInfo& op, const Request& request) noexcept {
    return op.out_tail != wire::OutTail::none ? request.data_out.len : 0;
}

// Registered memory says its length twice. The first segment is the lane's.
[[gnu::always_inline]] inline bool same_length(std::span<const Segment> segments, std::uint32_t len) noexcept {
    return segments.empty() || total_length(segments.subspan(1)) == len;
}

// The bytes of the longest name that the fast path writes: NAME_MAX of Linux.
inline constexpr std::size_t kLongestShortName = 255;

// True if the request consists of a fixed struct and, where its row says so, one name, so that its row gives the other sizes.
[[gnu::always_inline, nodiscard]] inline bool is_short(const wire::OpInfo& op, const Request& request) noexcept {
    const bool is_plain = op.form != wire::Form::other && request.deadline == 0 && request.in_size == op.in_size &&
                          (request.ext_len | request.data_in.len) == 0 && request.data_in.segments.empty() &&
                          request.data_out.segments.empty();
    if (!is_plain || op.form == wire::Form::fixed) return is_plain;
    return request.name.size() <= kLongestShortName && !wire::holds_nul(request.name);
}

// Finds the sender's own mistakes: a server would read another name than was meant, or die of a size that is not true.
// Errors: bad_argument.
[[gnu::always_inline]] inline Errc check_form(const wire::OpInfo& op, const Request& request) noexcept {
    const bool keeps =
        request.late != nullptr && (request.late->memory == HeldMemory::until_late ||
                                    (request.data_in.segments.empty() && request.data_out.segments.empty()));
    if (request.deadline != 0 && !keeps) return Errc::bad_argument;
    std::uint64_t declared = 0;
    if (op.tail_field.unit != 0) {
        std::uint32_t field;
        __builtin_memcpy(&field, static_cast<const std::byte*>(request.in) + op.tail_field.offset, sizeof(field));
        declared = std::uint64_t{field} * op.tail_field.unit;
    }
    if (declared != request.data_in.len) return Errc::bad_argument;
    if (!same_length(request.data_in.segments, request.data_in.len)) return Errc::bad_argument;
    if (!same_length(request.data_out.segments, request.data_out.len)) return Errc::bad_argument;
    if (wire::name_count(op.in_tail) != 0) {
        if (wire::holds_nul(request.name) || wire::holds_nul(request.name2)) return Errc::bad_argument;
    }
    if (request.ext_len == 0) return Errc::ok;
    const bool legal = op.traits.extensions == wire::Extensions::allowed && request.ext_len % 8 == 0;
    return legal ? Errc::ok : Errc::bad_argument;
}

} // namespace detail

} // namespace vfsproto::client
