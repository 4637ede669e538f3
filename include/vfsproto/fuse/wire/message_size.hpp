// SPDX-License-Identifier: BSD-2-Clause
// The lengths of messages, derived from the op table: for slot sizes, for writable room, and for every check.
#pragma once

#include "vfsproto/fuse/wire/init_flags.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

namespace vfsproto::wire {

// Bytes of the fixed struct of a request, as the client sends it. SETXATTR is short without SETXATTR_EXT.
[[nodiscard]] constexpr std::size_t fixed_in_size(const OpInfo& op, InitFlags negotiated) noexcept {
    if (op.traits.compat == Compat::short_request && !negotiated.has(InitFlag::setxattr_ext)) {
        return kSetxattrInCompatSize;
    }
    return op.in_size;
}
// The least a server accepts there: clients before 7.36 send a short INIT.
[[nodiscard]] constexpr std::size_t least_in_size(const OpInfo& op, InitFlags negotiated) noexcept {
    return op.traits.compat == Compat::short_reply ? kInitInCompatSize : fixed_in_size(op, negotiated);
}
// The least a client accepts in a reply: servers before 7.23 send a short INIT.
[[nodiscard]] constexpr std::size_t least_out_size(const OpInfo& op) noexcept {
    return op.traits.compat == Compat::short_reply ? kInitOutCompat22Size : op.out_size;
}

// Returns the bytes of a name in a message: itself and its NUL.
[[nodiscard]] constexpr std::size_t name_size(Name name) noexcept { return name.size() + 1; }

// Header, fixed struct and `tail` bytes of whatever follows (InHeader::len).
[[nodiscard]] constexpr std::size_t request_size(const OpInfo& op, std::size_t tail = 0) noexcept {
    return sizeof(InHeader) + op.in_size + tail;
}

// The writable room a request needs: header, fixed struct and at most `data` bytes (what its size field asks for). 0 when
// no reply is owed.
[[nodiscard]] constexpr std::size_t max_reply_size(const OpInfo& op, std::size_t data = 0) noexcept {
    if (op.traits.reply == ReplyOwed::never) return 0;
    if (op.out_tail == OutTail::none) return sizeof(OutHeader) + op.out_size;
    if (op.out_tail == OutTail::size_or_data) return sizeof(OutHeader) + (data > op.out_size ? data : op.out_size);
    return sizeof(OutHeader) + op.out_size + data;
}

static_assert(request_size(op_info(Opcode::write), 4096) == 80 + 4096);
static_assert(max_reply_size(op_info(Opcode::read), 4096) == 16 + 4096);
static_assert(max_reply_size(op_info(Opcode::getxattr), 0) == 24 && max_reply_size(op_info(Opcode::forget)) == 0);

} // namespace vfsproto::wire
