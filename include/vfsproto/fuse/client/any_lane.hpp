// SPDX-License-Identifier: BSD-2-Clause
// A lane as operations see it: a way in for requests, whatever queue it runs on.
#pragma once

#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/fuse/client/transfer.hpp"

#include <cstdint>

namespace vfsproto::client {

// The base of every BasicLane. Operations are compiled once against it, while a host that knows its queue calls the lane
// itself, so that a READ's way from there into the ring is one piece of straight code.
class AnyLane {
public:
    AnyLane(const AnyLane&) = delete;
    AnyLane& operator=(const AnyLane&) = delete;

    // BasicLane has the contracts of these.
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

    // The most data one request can carry by way of the bounce area, in bytes, and can it as registered memory?
    [[nodiscard]] std::uint32_t max_bounced() const noexcept { return bounce_; }
    [[nodiscard]] bool can_pass_registered() const noexcept { return max_segments_ >= 3; }

protected:
    struct Table {
        void (*enqueue)(AnyLane&, Request&) noexcept;
        void (*start_read)(AnyLane&, Transfer&, const TransferSpan&, const Caller&) noexcept;
        void (*start_write)(AnyLane&, Transfer&, const TransferSpan&, const Caller&) noexcept;
        Errc (*abandon)(AnyLane&, Request&, LateReply&, Errc) noexcept;
        Errc (*abandon_transfer)(AnyLane&, Transfer&, LateReply&, Errc) noexcept;
        std::uint64_t (*unique_of)(const AnyLane&, const Request&) noexcept;
        std::uint64_t (*unique_of_transfer)(const AnyLane&, const Transfer&) noexcept;
        std::uint64_t (*expire)(AnyLane&, std::uint64_t) noexcept;
    };
    explicit AnyLane(const Table& table) noexcept : table_(table) {}
    ~AnyLane() = default;

    std::uint32_t bounce_ = 0;
    std::uint16_t max_segments_ = 0; // of one chain

private:
    const Table& table_;
};

} // namespace vfsproto::client
