// SPDX-License-Identifier: BSD-2-Clause
// Operations that an IoQueue starts together, under one lock and with one doorbell.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/fuse/client/plain_transfer.hpp"

#include <cstdint>
#include <span>
#include <utility>

namespace vfsproto::posix {

// Holds one READ or WRITE (Op) of those that are started together.
template <wire::Opcode Op> struct StagedTransfer : client::PlainAnswer {
    client::PlainTransfer wanted{};
    StagedTransfer* next_staged = nullptr;
    std::byte* host = nullptr; // where the data lies in this process
    // Used only when the lane refuses the fast path.
    client::Call<Op> call;
    Segment segment{};
};
template <wire::Opcode Op> class StagedList {
public:
    StagedList() noexcept = default;
    StagedList(const StagedList&) = delete;
    StagedList& operator=(const StagedList&) = delete;

    void add(StagedTransfer<Op>& transfer) noexcept {
        *end_ = &transfer;
        end_ = &transfer.next_staged;
    }
    // Returns all of them, first to last, linked by next_staged, and empties the list.
    [[nodiscard]] StagedTransfer<Op>* take() noexcept {
        *end_ = nullptr;
        end_ = &first_;
        return std::exchange(first_, nullptr);
    }

private:
    StagedTransfer<Op>* first_ = nullptr;
    StagedTransfer<Op>** end_ = &first_;
};
// Names an operation to be started, whose only argument is a node. `start` knows its type.
struct StagedStart {
    client::Operation* operation;
    std::uint64_t nodeid;
    void (*start)(client::Operation&, client::Client&, const client::Caller&, std::uint64_t nodeid) noexcept;
};
struct Staged {
    StagedTransfer<wire::Opcode::read>* reads = nullptr;
    StagedTransfer<wire::Opcode::write>* writes = nullptr;
    std::span<const StagedStart> starts{};
};

} // namespace vfsproto::posix
