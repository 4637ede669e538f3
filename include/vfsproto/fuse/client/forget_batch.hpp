// SPDX-License-Identifier: BSD-2-Clause
// Lookups to give back, in order, and how they become FORGET or BATCH_FORGET messages.
#pragma once

#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::wire {
struct RequestHead;
} // namespace vfsproto::wire

namespace vfsproto::client {

// Lives in the caller's node, so that a FORGET can never run out of space.
struct ForgetLink {
    std::uint64_t nodeid = 0;
    std::uint64_t nlookup = 0;
    ForgetLink* next = nullptr;
};

// One owner at a time.
class ForgetBatch {
public:
    // Adds lookups to give back. nlookup must be what the server counts, never more: one server aborts on an over-forget. Nodes
    // 0 and 1 and a count of 0 have nothing to give back and are passed on as written.
    void add(ForgetLink& link) noexcept;
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    // Returns the head of the message that encode() makes next: FORGET for one link, BATCH_FORGET for more. There is a link.
    [[nodiscard]] wire::RequestHead next_head(std::uint64_t unique) const noexcept;
    // Encodes as many as fit behind one header, which is next_head(), and moves their links to the
    // written list. Returns the bytes of the message, 0 when there is nothing to send. `unique` as in InHeader. `message`
    // is at least 64 bytes.
    [[nodiscard]] std::uint32_t encode(std::span<std::byte> message, std::uint64_t unique) noexcept;
    // Returns how many nodes the message of the last encode() names.
    [[nodiscard]] std::uint32_t encoded() const noexcept { return encoded_; }
    // Returns a link whose lookups are on their way, or void: the caller may reuse or free it. nullptr when there is none.
    [[nodiscard]] ForgetLink* take_written() noexcept;
    // Nothing will be sent any more: every link goes to the written list.
    void drop_all() noexcept;

private:
    [[nodiscard]] ForgetLink& take_first() noexcept;
    void pass_on(ForgetLink& link) noexcept;

    ForgetLink* first_ = nullptr;
    ForgetLink* last_ = nullptr;
    ForgetLink* written_ = nullptr;
    std::uint32_t encoded_ = 0;
};

} // namespace vfsproto::client
