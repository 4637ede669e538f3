// SPDX-License-Identifier: BSD-2-Clause
// Checks replies: what lengths a row allows, and whether a header and the length the device reports agree with them. Every
// reply of the client passes here, the lane's and the session's. The server's direction is server::ReplyWriter.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::wire {

// The least error number a server may not send: from here on they are internal to Linux (ERESTARTSYS and so on).
inline constexpr i32 kErrnoLimit = 512;

// The bytes that the body of a good reply may have, without its header. least > most: no reply is owed, so none is
// good.
struct ExpectedReply {
    u32 most = 0;
    u16 least = 1;
    u16 fixed = 0; // bytes of the fixed struct, before the data
};

// Returns what a reply of this row may measure. `asked` is the most bytes of data it may bring: what the request's size
// field says (READ, READDIR, READDIRPLUS, GETXATTR, LISTXATTR, IOCTL), for READLINK the room given, 0 for a row without data.
[[nodiscard]] constexpr ExpectedReply expected_reply(const OpInfo& op, u32 asked) noexcept {
    if (op.traits.reply == ReplyOwed::never) return {};
    const bool data_alone = op.out_tail == OutTail::size_or_data && asked != 0;
    const u16 fixed = data_alone ? u16{0} : op.out_size;
    const u16 least = op.traits.compat == Compat::short_reply ? static_cast<u16>(least_out_size(op)) : fixed;
    return {.most = fixed + asked, .least = least, .fixed = fixed};
}

// Copies the header of a reply out of memory the device may still write to. Each field is read once, and what was read is
// what check_reply() judges.
[[gnu::always_inline, nodiscard]] inline OutHeader read_out_header(const std::byte* at) noexcept {
    OutHeader header;
    copy_from_peer(&header.len, at + offsetof(OutHeader, len), sizeof(header.len));
    copy_from_peer(&header.error, at + offsetof(OutHeader, error), sizeof(header.error));
    copy_from_peer(&header.unique, at + offsetof(OutHeader, unique), sizeof(header.unique));
    return header;
}

// Judges a reply: `written` is the length the device reports. Ok means that header.error is 0 and the body's length fits,
// or that header.error is a negative errno and nothing follows (Linux fs/fuse/dev.c, fuse_dev_do_write: -511 to 0).
// Errors, in this order: protocol_violation (shorter than a header, the lengths differ), unique_mismatch,
// protocol_violation (the body suits not, no reply was owed, an error no server may send).
[[gnu::always_inline, nodiscard]] constexpr Errc check_reply(const ExpectedReply& expected, u64 unique,
                                                             const OutHeader& header, u32 written) noexcept {
    constexpr u32 kHeader = sizeof(OutHeader);
    if (written < kHeader || header.len != written) return Errc::protocol_violation;
    if (header.unique != unique) return Errc::unique_mismatch;
    const u32 body = written - kHeader;
    if (header.error == 0) [[likely]] {
        return body >= expected.least && body <= expected.most ? Errc::ok : Errc::protocol_violation;
    }
    if (expected.least > expected.most) return Errc::protocol_violation;
    return header.error < 0 && header.error > -kErrnoLimit && body == 0 ? Errc::ok : Errc::protocol_violation;
}

// Returns what the server said: none, or its error. For a header that check_reply() found good.
[[nodiscard]] constexpr abi::Errno errno_of(const OutHeader& header) noexcept {
    return static_cast<abi::Errno>(-header.error);
}

} // namespace vfsproto::wire
