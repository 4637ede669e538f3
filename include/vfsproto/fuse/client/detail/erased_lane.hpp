// SPDX-License-Identifier: BSD-2-Clause
// A lane as operations see it, without the type of its queue. Requests go in here.
#pragma once

#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/fuse/client/transfer.hpp"

#include <cstdint>

namespace vfsproto::client {

// The base of every RequestLane. Operations are compiled once, against this class. A host that knows the type of its queue
// calls the lane itself, so that the compiler can inline a READ from the call into the ring.
class ErasedLane {
public:
    ErasedLane(const ErasedLane&) = delete;
    ErasedLane& operator=(const ErasedLane&) = delete;

    // These do what RequestLane says of them.
    void enqueue(Request& request) noexcept { table_.enqueue(*this, request); }
    template <wire::Opcode Op> void start(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
        static_assert(Op == wire::Opcode::read || Op == wire::Opcode::write);
        (Op == wire::Opcode::read ? table_.start_read : table_.start_write)(*this, transfer, span, caller);
    }
    [[nodiscard]] Errc abandon(Request& request, LateReply& late, Errc why) noexcept {
        return table_.abandon(*this, request, late, why);
    }
    [[nodiscard]] Errc abandon(Transfer& transfer, LateReply& late, Errc why) noexcept {
        return table_.abandon_transfer(*this, transfer, late, why);
    }
    [[nodiscard]] std::uint64_t unique_of(const Request& request) const noexcept {
        return table_.unique_of(*this, request);
    }
    [[nodiscard]] std::uint64_t unique_of(const Transfer& transfer) const noexcept {
        return table_.unique_of_transfer(*this, transfer);
    }
    [[nodiscard]] std::uint64_t expire(std::uint64_t now) noexcept { return table_.expire(*this, now); }

    // Returns the most data one request can carry by way of the bounce area, in bytes.
    [[nodiscard]] std::uint32_t max_bounced() const noexcept { return bounce_; }
    // True if a chain has room for a segment of registered memory beside the two of the lane.
    [[nodiscard]] bool can_pass_registered() const noexcept { return max_segments_ >= 3; }

protected:
    struct Table {
        void (*enqueue)(ErasedLane&, Request&) noexcept;
        void (*start_read)(ErasedLane&, Transfer&, const TransferSpan&, const Caller&) noexcept;
        void (*start_write)(ErasedLane&, Transfer&, const TransferSpan&, const Caller&) noexcept;
        Errc (*abandon)(ErasedLane&, Request&, LateReply&, Errc) noexcept;
        Errc (*abandon_transfer)(ErasedLane&, Transfer&, LateReply&, Errc) noexcept;
        std::uint64_t (*unique_of)(const ErasedLane&, const Request&) noexcept;
        std::uint64_t (*unique_of_transfer)(const ErasedLane&, const Transfer&) noexcept;
        std::uint64_t (*expire)(ErasedLane&, std::uint64_t) noexcept;
    };
    explicit ErasedLane(const Table& table) noexcept : table_(table) {}
    ~ErasedLane() = default;

    std::uint32_t bounce_ = 0;
    std::uint16_t max_segments_ = 0; // of one chain

private:
    const Table& table_;
};

} // namespace vfsproto::client
