// SPDX-License-Identifier: BSD-2-Clause
// Notifications are messages that a server sends unasked: an OutHeader with unique 0 and the code in its error field
// (virtio 1.2 §5.11.6.4).
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <span>

namespace vfsproto::wire {

enum class NotifyTail : std::uint8_t { none, name, data, node_ids };

// One kind of notification as data.
struct NotifyInfo {
    NotifyCode code{};
    const char* name = nullptr;
    std::uint8_t since{}; // the minor it came with
    std::uint16_t size{}; // bytes of the fixed struct
    NotifyTail tail{};
};

// The row of a code that came from anywhere; nullptr when there is none. Any context.
[[nodiscard]] const NotifyInfo* find_notification(i32 code) noexcept;

// A notification, read. `code` says which struct is meant; the others are not to be touched.
struct Notification {
    const NotifyInfo* info = nullptr; // nullptr: a code unknown here, to be ignored
    i32 code{};
    union {
        std::byte fixed[sizeof(NotifyRetrieveOut)]{}; // whichever it is, as bytes
        NotifyPollWakeupOut poll;
        NotifyInvalInodeOut inval_inode;
        NotifyInvalEntryOut inval_entry;
        NotifyDeleteOut delete_entry;
        NotifyStoreOut store;
        NotifyRetrieveOut retrieve;
        NotifyPruneOut prune;
    };
    Name name{};                       // inval_entry, delete_entry
    std::span<const std::byte> data{}; // store: the data; prune: the node ids

    [[nodiscard]] bool is(NotifyCode wanted) const noexcept { return code == static_cast<i32>(wanted); }
    // The i-th node id of a prune, i < prune.count.
    [[nodiscard]] u64 node_id(std::size_t i) const noexcept;
};

// Reads a whole notification, header included, from the client's own copy; `bytes` is what the server wrote. Names and
// data point into it. Errors: protocol_violation when malformed. An unknown code is no error.
[[nodiscard]] Result<Notification> decode_notification(std::span<const std::byte> bytes) noexcept;

// Writes a notification: the fixed struct of its code (its namelen, size or count agreeing with what follows), then the
// name with a NUL or the data. Returns the bytes written. Errors: too_large, bad_argument.
[[nodiscard]] Result<u32> encode_notification(std::span<std::byte> into, NotifyCode code,
                                              std::span<const std::byte> fixed, Name name = {},
                                              std::span<const std::byte> data = {}) noexcept;

} // namespace vfsproto::wire
