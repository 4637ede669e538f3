// SPDX-License-Identifier: BSD-2-Clause
// Names for lines that people read.
#pragma once

#include "vfsproto/fuse/wire/notifications.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

namespace vfsproto::wire {

// "READ"; "UNKNOWN" for a number without a row. Static storage. Any context.
[[nodiscard]] constexpr const char* op_name(u32 number) noexcept {
    const OpInfo* op = find_op(number);
    return op != nullptr ? op->name : "UNKNOWN";
}
[[nodiscard]] constexpr const char* op_name(Opcode op) noexcept { return op_name(static_cast<u32>(op)); }

// "INVAL_INODE"; "UNKNOWN" for a code without a row. Static storage. Any context.
[[nodiscard]] inline const char* notification_name(i32 code) noexcept {
    const NotifyInfo* info = find_notification(code);
    return info != nullptr ? info->name : "UNKNOWN";
}

} // namespace vfsproto::wire
