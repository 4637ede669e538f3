// SPDX-License-Identifier: BSD-2-Clause
// Requests: written by the client, read by the server. One pair of functions for the whole op table.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

#include <span>

namespace vfsproto::wire {

// Structs go in and out of messages by copy: neither alignment nor a peer that keeps writing can hurt.
template <class S> inline void put_struct(std::byte* at, const S& from) noexcept {
    static_assert(std::is_trivially_copyable_v<S>);
    __builtin_memcpy(at, &from, sizeof(S));
}
template <class S> [[nodiscard]] inline S get_struct(const std::byte* at) noexcept {
    static_assert(std::is_trivially_copyable_v<S>);
    S to;
    __builtin_memcpy(&to, at, sizeof(S));
    return to;
}
template <class S> [[nodiscard]] inline std::span<const std::byte> bytes_of(const S& from) noexcept {
    return std::as_bytes(std::span<const S, 1>(&from, 1)).first(kWireSize<S>);
}

using abi::Caller;

// The header of a request of `len` bytes in all, extensions of `extension_bytes` (a multiple of 8) included.
[[nodiscard]] constexpr InHeader make_header(Opcode op, u32 len, u64 unique, u64 nodeid, Caller caller,
                                             std::size_t extension_bytes = 0) noexcept {
    return {.len = len,
            .opcode = static_cast<u32>(op),
            .unique = unique,
            .nodeid = nodeid,
            .uid = caller.uid,
            .gid = caller.gid,
            .pid = caller.pid,
            .total_extlen = static_cast<u16>(extension_bytes / 8),
            .padding = 0};
}

// What follows the fixed struct. Only what the op's row has may be given.
struct RequestTail {
    Name first{};                            // name, name_pair, name_data
    Name second{};                           // name_pair
    std::span<const std::byte> data{};       // name_data, data, array: copied behind what is before
    std::size_t data_elsewhere = 0;          // the same, in segments of its own: counted in the header, not written
    std::span<const std::byte> extensions{}; // as ExtensionWriter made them
};

// Writes header, fixed struct and tail into `into`. Of `head`, unique, nodeid, uid, gid and pid are taken; len, opcode and
// total_extlen are computed. `fixed` holds the op's In struct; SETXATTR's is cut as negotiated.
// Returns the bytes written (InHeader::len less data_elsewhere). Errors: too_large when it does not fit, bad_argument when
// a name holds a NUL, when the tail is none of this op's, or when its size contradicts the field that says it.
[[nodiscard]] Result<u32> encode_request(std::span<std::byte> into, const OpInfo& op, const InHeader& head,
                                         std::span<const std::byte> fixed, const RequestTail& tail,
                                         InitFlags negotiated) noexcept;

template <Opcode Op> [[nodiscard]] inline Result<u32> encode_request(std::span<std::byte> into, const InHeader& head,
                                                                     const InOf<Op>& in, const RequestTail& tail = {},
                                                                     InitFlags negotiated = {}) noexcept {
    return encode_request(into, op_info(Op), head, bytes_of(in), tail, negotiated);
}

// The header of a request of `message_size` readable bytes, of which `bytes` are the first. Errors: protocol_violation
// when it is no header or its len is not message_size; nobody can be answered then.
[[nodiscard]] Result<InHeader> decode_in_header(std::span<const std::byte> bytes, std::size_t message_size) noexcept;

// Where the parts of one request lie. Names point into the bytes decoded.
struct RequestParts {
    Name first{};
    Name second{};
    u32 fixed_size{};      // bytes of the fixed struct that were sent, from offset sizeof(InHeader)
    u32 data_at{};         // offset of the data or the records in the message, which may lie beyond the bytes decoded
    u32 data_size{};       // bytes, the same as the fixed struct says
    u32 extensions_at{};   // offset in the message
    u32 extensions_size{}; // bytes
};

// Reads a request of `message_size` bytes whose header decode_in_header() accepted. `bytes` must be the server's own copy
// of its beginning (else a driver could change a name after the check); data and records may lie beyond it.
// Errors: protocol_violation when it is malformed; too_large when names or extensions do not end within `bytes`.
[[nodiscard]] Result<RequestParts> decode_request(const OpInfo& op, const InHeader& header,
                                                  std::span<const std::byte> bytes, std::size_t message_size,
                                                  InitFlags negotiated) noexcept;

// A request of one operation, read.
template <class R> struct Request {
    InHeader header{};
    typename R::In in{};
    RequestParts parts{};
};

// The fixed struct of a request that decode_request() accepted. Fields not sent are 0.
template <class R>
[[nodiscard]] inline typename R::In decode_fixed(std::span<const std::byte> bytes, const RequestParts& parts) noexcept {
    typename R::In in{};
    if constexpr (R::in_size != 0) __builtin_memcpy(&in, bytes.data() + sizeof(InHeader), parts.fixed_size);
    return in;
}

template <class R> [[nodiscard]] inline Result<Request<R>>
decode_request(std::span<const std::byte> bytes, std::size_t message_size, InitFlags negotiated) noexcept {
    const Result<InHeader> header = decode_in_header(bytes, message_size);
    if (!header) return header.error();
    if (header->opcode != static_cast<u32>(R::opcode)) return Errc::protocol_violation;
    const Result<RequestParts> parts = decode_request(op_info(R::opcode), *header, bytes, message_size, negotiated);
    if (!parts) return parts.error();
    return Request<R>{*header, decode_fixed<R>(bytes, *parts), *parts};
}

} // namespace vfsproto::wire
