// SPDX-License-Identifier: BSD-2-Clause
// One FUSE request and, later, its answer, in storage of the caller.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/segment.hpp"
#include "vfsproto/fuse/client/late_reply.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

using abi::Caller;

// Bytes that travel with a request, and where they are. With `segments` (memory the device can reach) they are not
// copied; without, they pass through the slot's bounce area, one copy. The first of the segments is the lane's: it puts there
// what precedes the data in the chain, so that a list of any length is submitted as it stands. From the second one on they
// are the same bytes as `host`. Empty: there is no such memory.
struct DataIn {
    const std::byte* host = nullptr;
    std::uint32_t len = 0;
    std::span<Segment> segments{};
};
struct DataOut {
    std::byte* host = nullptr;
    std::uint32_t len = 0; // the most the reply may carry
    std::span<Segment> segments{};
};

// The slot of a request that is not in flight.
inline constexpr Token kNoSlot{0xffff};

// Fill in the upper part, hand it to RequestLane::enqueue(), keep it in place until on_done was called; abandon() calls it
// early. Everything it points to must live as long. The sizes in `in` must agree: data_in.len bytes follow, and data_out.len
// bytes are asked for (servers die of a reply that does not fit).
struct Request {
    Request() noexcept = default;
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    const wire::OpInfo* op = nullptr;
    std::uint64_t nodeid = 0;
    Caller caller{};
    const void* in = nullptr;      // the fixed struct
    std::uint16_t in_size = 0;     // its bytes: the row's, but for SETXATTR without SETXATTR_EXT
    std::uint16_t ext_len = 0;     // bytes of extensions
    void* out = nullptr;           // where the reply's fixed struct goes, op->out_size bytes; nullptr = not wanted
    std::span<const char> name{};  // without NUL
    std::span<const char> name2{}; // without NUL
    DataIn data_in{};
    DataOut data_out{};
    const std::byte* ext = nullptr; // encoded extensions (wire::ExtensionWriter)

    void (*on_done)(Request&) noexcept = nullptr; // called once, by the lane's owner
    void* owner = nullptr;                        // for on_done

    // The unique it is sent under, where the server chose one (NOTIFY_REPLY); 0 = one of the lane's. Such a row owes no reply.
    std::uint64_t given_unique = 0;

    // The time at which RequestLane::expire() ends the request, by the clock of its caller; 0 = never. Then `late` takes
    // its place, and keeps the memory of registered payload.
    std::uint64_t deadline = 0;
    LateReply* late = nullptr;

    // The answer.
    Errc errc = Errc::ok;                // the engine's or the protocol's failure
    abi::Errno error = abi::Errno::none; // the server's
    std::uint32_t bytes = 0;             // of the reply's data tail (data_out)
    std::uint32_t out_bytes = 0;         // of the reply's fixed struct

    // The lane's.
    Request* next = nullptr; // while it waits for a slot
    Token slot = kNoSlot;    // while it is in flight

    [[nodiscard]] bool succeeded() const noexcept { return errc == Errc::ok && error == abi::Errno::none; }
};

// A request of one row, with room for its two structs.
template <wire::Opcode Op> struct Call : Request {
    Call() noexcept { prepare(); }

    wire::InOf<Op> args{};
    wire::OutOf<Op> reply{};

    // Makes it ready for another use.
    void prepare() noexcept {
        op = &wire::op_info(Op);
        in = &args;
        in_size = static_cast<std::uint16_t>(wire::RowOf<Op>::in_size);
        out = wire::RowOf<Op>::out_size != 0 ? &reply : nullptr;
    }
};

} // namespace vfsproto::client
