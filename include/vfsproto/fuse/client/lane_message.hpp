// SPDX-License-Identifier: BSD-2-Clause
// How a lane puts a request's bytes into its slot and reads the header of a reply: for lane_body.hpp only.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

namespace detail {

// Structs of FUSE are whole 4-byte words; a call to memcpy would cost more than the copy.
inline void copy_words(std::byte* to, const void* from, std::uint32_t bytes) noexcept {
    const auto* source = static_cast<const std::byte*>(from);
    std::uint32_t at = 0;
    for (; at + 8 <= bytes; at += 8) __builtin_memcpy(to + at, source + at, 8);
    if (at < bytes) __builtin_memcpy(to + at, source + at, bytes - at);
}

inline void clear_answer(Request& request) noexcept {
    request.errc = Errc::ok;
    request.error = wire::Errno::none;
    request.bytes = 0;
    request.out_bytes = 0;
}

inline std::byte* put_name(std::byte* to, std::span<const char> name) noexcept {
    if (!name.empty()) __builtin_memcpy(to, name.data(), name.size());
    to[name.size()] = std::byte{0};
    return to + name.size() + 1;
}

// Does the row's request carry names even when they are empty?
constexpr std::uint32_t name_count(wire::InTail tail) noexcept {
    switch (tail) {
    case wire::InTail::name:
    case wire::InTail::name_data: return 1;
    case wire::InTail::name_pair: return 2;
    default: return 0;
    }
}

[[gnu::always_inline]] constexpr std::uint32_t names_length(const wire::OpInfo& op, const Request& request) noexcept {
    const std::uint32_t names = name_count(op.in_tail);
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

// Registered memory says its length twice.
[[gnu::always_inline]] inline bool same_length(std::span<const Segment> segments, std::uint32_t len) noexcept {
    return segments.empty() || total_length(segments) == len;
}

template <class T> [[gnu::always_inline]] inline void put(std::byte* to, const T& value) noexcept {
    __builtin_memcpy(to, &value, sizeof(value));
}

template <class T> [[gnu::always_inline, nodiscard]] inline T get_once(const std::byte* from) noexcept {
    T value;
    copy_from_peer(&value, from, sizeof(value));
    return value;
}

// Each field is read once, and what was read is what is judged.
[[gnu::always_inline, nodiscard]] inline wire::OutHeader read_header(const std::byte* at) noexcept {
    using wire::OutHeader;
    return {.len = get_once<decltype(OutHeader::len)>(at + offsetof(OutHeader, len)),
            .error = get_once<decltype(OutHeader::error)>(at + offsetof(OutHeader, error)),
            .unique = get_once<decltype(OutHeader::unique)>(at + offsetof(OutHeader, unique))};
}

// Field by field to where it belongs: a struct put together first is copied afterwards.
[[gnu::always_inline]] inline void put_header(std::byte* to, wire::Opcode op, std::uint32_t len, std::uint64_t unique,
                                              std::uint64_t nodeid, const Caller& caller,
                                              std::uint16_t extension_words) noexcept {
    using wire::InHeader;
    put(to + offsetof(InHeader, len), len);
    put(to + offsetof(InHeader, opcode), op);
    put(to + offsetof(InHeader, unique), unique);
    put(to + offsetof(InHeader, nodeid), nodeid);
    put(to + offsetof(InHeader, uid), caller.uid);
    put(to + offsetof(InHeader, gid), caller.gid);
    put(to + offsetof(InHeader, pid), caller.pid);
    put(to + offsetof(InHeader, total_extlen), extension_words);
    put(to + offsetof(InHeader, padding), std::uint16_t{0});
}

// Is it one of a row of fixed structs, and nothing but those?
[[gnu::always_inline, nodiscard]] inline bool is_fixed(const wire::OpInfo& op, const Request& request) noexcept {
    return wire::is_fixed(op) && request.in_size == op.in_size && (request.ext_len | request.data_in.len) == 0 &&
           request.data_in.segments.empty() && request.data_out.segments.empty();
}

// The sender's own mistakes, as wire::encode_request() refuses them: a server would read another name than was meant, or
// die of a size that is not true.
[[gnu::always_inline]] inline Errc check_form(const wire::OpInfo& op, const Request& request) noexcept {
    std::uint64_t declared = 0;
    if (op.tail_field.unit != 0) {
        std::uint32_t field;
        __builtin_memcpy(&field, static_cast<const std::byte*>(request.in) + op.tail_field.offset, sizeof(field));
        declared = std::uint64_t{field} * op.tail_field.unit;
    }
    if (declared != request.data_in.len) return Errc::bad_argument;
    if (!same_length(request.data_in.segments, request.data_in.len)) return Errc::bad_argument;
    if (!same_length(request.data_out.segments, request.data_out.len)) return Errc::bad_argument;
    if (name_count(op.in_tail) != 0) {
        for (const char c : request.name) {
            if (c == '\0') return Errc::bad_argument;
        }
        for (const char c : request.name2) {
            if (c == '\0') return Errc::bad_argument;
        }
    }
    if (request.ext_len == 0) return Errc::ok;
    const bool legal = op.traits.extensions == wire::Extensions::allowed && request.ext_len % 8 == 0;
    return legal ? Errc::ok : Errc::bad_argument;
}

} // namespace detail

} // namespace vfsproto::client
