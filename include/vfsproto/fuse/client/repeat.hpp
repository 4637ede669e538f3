// SPDX-License-Identifier: BSD-2-Clause
// Says which requests a client may send once more on a new session, after the session before it ended with them under way. It
// holds only if that server is known to have ended: a silent server may still do what it was asked first.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

enum class MayRepeat : std::uint8_t { no, yes };

// Holds what is known of the handle that a request names; all is 0 for a request without one.
struct HandleFlags {
    std::uint32_t opened_with = 0; // Linux O_…
    std::uint32_t granted = 0;     // FOPEN_… of the server
};

// Returns what the row says of a request through this handle. On a stream the offset of a READ or a WRITE means nothing: the second
// request would move other bytes than the first.
[[nodiscard]] constexpr MayRepeat may_repeat(const wire::OpInfo& op, const HandleFlags& handle) noexcept {
    const bool is_stream = (handle.granted & (wire::kFopenStream | wire::kFopenNonseekable)) != 0;
    if (is_stream && op.traits.span != wire::FileSpan::none) return MayRepeat::no;
    switch (op.traits.repeat) {
    case wire::Repeat::safe: return MayRepeat::yes;
    case wire::Repeat::unless_appending:
        return (handle.opened_with & abi::kOAppend) == 0 ? MayRepeat::yes : MayRepeat::no;
    case wire::Repeat::unsafe: break;
    }
    return MayRepeat::no;
}

// Says if open(2) with these flags may be repeated, whatever requests it takes; `mode` is that of a file it makes. With O_EXCL, or
// with a mode that forbids its owner what the flags ask for, the second open would fail at the file that the first has made. With
// O_TRUNC it would cut what others have written since.
[[nodiscard]] constexpr MayRepeat may_repeat_open(std::uint32_t flags, std::uint32_t mode) noexcept {
    using namespace abi;
    if ((flags & (kOExcl | kOTrunc)) != 0) return MayRepeat::no;
    if ((flags & kOCreat) == 0) return MayRepeat::yes;
    constexpr std::uint32_t kOwnerReads = 0400;
    constexpr std::uint32_t kOwnerWrites = 0200;
    const std::uint32_t access = flags & kOAccmode;
    const std::uint32_t needed = (access != kOWronly ? kOwnerReads : 0) | (access != kORdonly ? kOwnerWrites : 0);
    return (mode & needed) == needed ? MayRepeat::yes : MayRepeat::no;
}

} // namespace vfsproto::client
