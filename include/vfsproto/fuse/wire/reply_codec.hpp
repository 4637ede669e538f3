// SPDX-License-Identifier: BSD-2-Clause
// Replies: written by the server, read by the client. One pair of functions for the whole op table.
#pragma once

#include "vfsproto/fuse/wire/linux_abi.hpp"
#include "vfsproto/fuse/wire/request_codec.hpp"

namespace vfsproto::wire {

// The least error number a server may not send: from here on they are internal to Linux (ERESTARTSYS and so on).
inline constexpr i32 kErrnoLimit = 512;

// What a header says: none, or the server's error. Errors: protocol_violation for a number no server may send.
[[nodiscard]] constexpr Result<Errno> reply_error(const OutHeader& header) noexcept {
    if (header.error > 0 || header.error <= -kErrnoLimit) return Errc::protocol_violation;
    return static_cast<Errno>(-header.error);
}

// Does a reply's body of `body` bytes (without the header) suit its operation? `asked` is what the request's size field
// allowed the server to send (READ, READDIR, READDIRPLUS, GETXATTR, LISTXATTR, IOCTL; READLINK: the room given).
// The bytes of data behind the fixed struct, or protocol_violation. Any context.
[[nodiscard]] constexpr Result<u32> check_reply_size(const OpInfo& op, std::size_t body, std::size_t asked) noexcept {
    if (op.out_tail == OutTail::none) {
        return body >= least_out_size(op) && body <= op.out_size ? Result<u32>(0u) : Errc::protocol_violation;
    }
    const bool fixed = op.out_tail != OutTail::size_or_data || asked == 0;
    const std::size_t before = fixed ? op.out_size : 0;
    const std::size_t most = op.out_tail == OutTail::size_or_data && asked == 0 ? 0 : asked;
    if (body < before || body - before > most) return Errc::protocol_violation;
    return static_cast<u32>(body - before);
}

// A good reply of one operation, read.
template <class R> struct Reply {
    typename R::Out out{};
    u32 data_size{}; // bytes behind the fixed struct
};

// Copies out the fixed struct of a good reply (error none) of `body` bytes, once. `fixed` is the room after the header, at
// least as much of the body as the fixed struct. Errors: protocol_violation when the size suits not.
template <class R> [[nodiscard]] inline Result<Reply<R>>
decode_reply(std::span<const std::byte> fixed, std::size_t body, std::size_t asked = 0) noexcept {
    const Result<u32> data = check_reply_size(op_info(R::opcode), body, asked);
    if (!data) return data.error();
    Reply<R> reply{};
    reply.data_size = *data;
    const std::size_t size = body - *data;
    if (fixed.size() < size) return Errc::protocol_violation;
    if constexpr (R::out_size != 0) __builtin_memcpy(&reply.out, fixed.data(), size);
    return reply;
}

// The same for a whole reply in one piece, header included, whose `unique` must be the one given. An error the server
// sent comes as `error`; a body beside it is a violation.
template <class R> struct WholeReply {
    Errno error{};
    typename R::Out out{};
    std::span<const std::byte> data{};
};
template <class R> [[nodiscard]] inline Result<WholeReply<R>>
decode_whole_reply(std::span<const std::byte> bytes, u64 unique, std::size_t asked = 0) noexcept {
    if (bytes.size() < sizeof(OutHeader)) return Errc::protocol_violation;
    const auto header = get_struct<OutHeader>(bytes.data());
    if (header.len != bytes.size()) return Errc::protocol_violation;
    if (header.unique != unique) return Errc::unique_mismatch;
    const Result<Errno> error = reply_error(header);
    if (!error) return error.error();
    const std::span<const std::byte> body = bytes.subspan(sizeof(OutHeader));
    if (*error != Errno::none) {
        return body.empty() ? Result(WholeReply<R>{*error, {}, {}}) : Errc::protocol_violation;
    }
    const Result<Reply<R>> reply = decode_reply<R>(body, body.size(), asked);
    if (!reply) return reply.error();
    return WholeReply<R>{Errno::none, reply->out, body.last(reply->data_size)};
}

// Writes a good reply: header, then `fixed` (the op's Out struct, empty for an op without; for GETXATTR and LISTXATTR
// given only when the request's size was 0), then `data`. `data_elsewhere` bytes are counted in the header, not written.
// Returns the bytes written. Errors: too_large when it does not fit, bad_argument when the op has no such reply.
[[nodiscard]] Result<u32> encode_reply(std::span<std::byte> into, const OpInfo& op, u64 unique,
                                       std::span<const std::byte> fixed, std::span<const std::byte> data = {},
                                       std::size_t data_elsewhere = 0) noexcept;

template <Opcode Op> [[nodiscard]] inline Result<u32> encode_reply(std::span<std::byte> into, u64 unique,
                                                                   const OutOf<Op>& out,
                                                                   std::span<const std::byte> data = {}) noexcept {
    return encode_reply(into, op_info(Op), unique, bytes_of(out), data);
}

// Writes an error reply, 16 bytes. Errors: too_large, bad_argument for `none` or a number beyond kErrnoLimit.
[[nodiscard]] Result<u32> encode_error(std::span<std::byte> into, u64 unique, Errno error) noexcept;

} // namespace vfsproto::wire
