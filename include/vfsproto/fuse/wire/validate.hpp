// SPDX-License-Identifier: BSD-2-Clause
// Checks of contents that no server may send, whatever the size of the message.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

namespace vfsproto::wire {

// A mode with one of the seven file types.
[[nodiscard]] constexpr bool has_file_type(u32 mode) noexcept {
    // One bit a type, at the position of the type's number (1 2 4 6 8 10 12).
    return (0x1556u >> (abi::file_type(mode) >> 12) & 1) != 0;
}

// protocol_violation for a mode without a type and for a size beyond INT64_MAX.
[[nodiscard]] constexpr Errc check_attr(const Attr& attr) noexcept {
    const bool legal = has_file_type(attr.mode) && attr.size <= 0x7fffffffffffffff;
    return legal ? Errc::ok : Errc::protocol_violation;
}

// The entry of a LOOKUP. Node id 0 is legal: a negative entry that may be cached; its attributes mean nothing.
[[nodiscard]] constexpr Errc check_lookup_entry(const EntryOut& entry) noexcept {
    if (entry.nodeid == 0) return Errc::ok;
    return entry.nodeid == kRootNodeId ? Errc::protocol_violation : check_attr(entry.attr);
}

// The entry of an operation that made something (MKNOD, MKDIR, SYMLINK, CREATE, TMPFILE, LINK): a node, never the root.
[[nodiscard]] constexpr Errc check_new_entry(const EntryOut& entry) noexcept {
    return entry.nodeid <= kRootNodeId ? Errc::protocol_violation : check_attr(entry.attr);
}

// Checks the entry and its type as well: a directory from MKDIR, a regular file from CREATE.
[[nodiscard]] constexpr Errc check_new_entry(const EntryOut& entry, u32 wanted_type) noexcept {
    const Errc errc = check_new_entry(entry);
    if (errc != Errc::ok) return errc;
    return abi::file_type(entry.attr.mode) == wanted_type ? Errc::ok : Errc::protocol_violation;
}

// The entry of a READDIRPLUS record. Node id 0: no lookup was made.
[[nodiscard]] constexpr Errc check_direntplus_entry(const EntryOut& entry) noexcept {
    return entry.nodeid == 0 ? Errc::ok : check_attr(entry.attr);
}

// Checks the reply to a WRITE of `sent` bytes: it took no more than those.
[[nodiscard]] constexpr Errc check_written(const WriteOut& reply, u32 sent) noexcept {
    return reply.size <= sent ? Errc::ok : Errc::protocol_violation;
}

} // namespace vfsproto::wire
