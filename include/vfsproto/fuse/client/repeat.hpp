// SPDX-License-Identifier: BSD-2-Clause
// Says which requests a client may send once more on a new session, after the one before it ended with them under way. Only
// for a server that is known to have ended: one that is merely silent may still do what it was asked first.
#pragma once

#include "vfsproto/fuse/wire/linux_abi.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

enum class MayRepeat : std::uint8_t { no, yes };

// Returns what the row says of a request on a handle that was opened with these Linux O_…; 0 for one without a handle.
[[nodiscard]] constexpr MayRepeat may_repeat(const wire::OpInfo& op, std::uint32_t handle_flags) noexcept {
    switch (op.traits.repeat) {
    case wire::Repeat::safe: return MayRepeat::yes;
    case wire::Repeat::unless_appending:
        return (handle_flags & wire::linux_abi::kOAppend) == 0 ? MayRepeat::yes : MayRepeat::no;
    case wire::Repeat::unsafe: break;
    }
    return MayRepeat::no;
}

// Returns the same of open(2) with these flags, whatever requests it takes. One that fails where the file exists would find what
// it made itself; one that truncates would do so to what others have written since.
[[nodiscard]] constexpr MayRepeat may_repeat_open(std::uint32_t flags) noexcept {
    using namespace wire::linux_abi;
    return (flags & (kOExcl | kOTrunc)) == 0 ? MayRepeat::yes : MayRepeat::no;
}

} // namespace vfsproto::client
