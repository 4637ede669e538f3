// SPDX-License-Identifier: BSD-2-Clause
// Counts the requests of a mount, by what they ask.
#pragma once

#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace vfsproto::test {

// It outlives the mount.
class RequestCounter {
public:
    [[nodiscard]] client::TraceHook hook() {
        client::TraceHook hook;
        hook.context = this;
        hook.started = [](void* context, const client::TraceEvent& event) noexcept {
            auto& self = *static_cast<RequestCounter*>(context);
            ++self.all_;
            ++self.rows_[event.op->row];
        };
        return hook;
    }
    // These return how many requests there were since they were called last, or forget().
    [[nodiscard]] std::uint64_t take_all() { return all_.exchange(0); }
    [[nodiscard]] std::uint64_t take(wire::Opcode op) { return rows_[wire::op_info(op).row].exchange(0); }
    // Takes those that ask for a name or for attributes.
    [[nodiscard]] std::uint64_t take_questions() {
        using wire::Opcode;
        return take(Opcode::lookup) + take(Opcode::getattr) + take(Opcode::statx);
    }
    void forget() {
        all_ = 0;
        for (std::atomic<std::uint64_t>& row : rows_) row = 0;
    }

private:
    std::atomic<std::uint64_t> all_{0};
    std::array<std::atomic<std::uint64_t>, wire::kOpInfo.size()> rows_{};
};

} // namespace vfsproto::test
