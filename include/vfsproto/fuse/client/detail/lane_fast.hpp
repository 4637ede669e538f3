// SPDX-License-Identifier: BSD-2-Clause
// The fast paths through a lane, for lane_body.hpp only: READ and WRITE of one registered segment, and short requests: a fixed
// struct and at most one name. Each of them skips waiting in line, plans of segments, traces and most checks of form; where one of
// those is needed the fast path refuses before anything happened, and the slow path (lane_slow.hpp) takes the same request. A READ
// and a WRITE also skip what requests of a kind share in a slot's block, and two of three descriptors where the queue prepares
// chains. Measured by user instructions of a 4 KiB READ when they came: 961 to 453 one by one, 589 to 249 in bursts of 32. What a
// READ takes today is in docs/bench/client.md.
#pragma once

#include "vfsproto/fuse/client/detail/file_span.hpp"
#include "vfsproto/fuse/client/detail/lane_message.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/wire/detail/message_writer.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <array>

namespace vfsproto::client {

template <RequestQueue Q> void RequestLane<Q>::settle_fast_limit() noexcept {
    const std::uint32_t limit = options_.max_data_in_flight < kMaxPayload ? options_.max_data_in_flight : kMaxPayload;
    fast_limit_ = fast_possible_ && waiting_.empty() && error_ == Errc::ok && !suspended_ ? limit : 0;
}

// Takes the fast path for short requests: the row gives their sizes but for the name's, which is all there is to check.
template <RequestQueue Q> void RequestLane<Q>::enqueue(Request& request) noexcept {
    detail::clear_answer(request);
    const wire::OpInfo& op = *request.op;
    if (fast_limit_ == 0 || !slots_.has_free() || !detail::is_short(op, request)) return enqueue_slow(request);
    const auto [token, entry] = slots_.take();
    LaneSlot& slot = entry.state;
    slot.kind = LaneSlot::Kind::request;
    slot.unique = uniques_.take(token.slot);
    std::byte* const header = slot.block + kReplyArea;
    wire::MessageWriter writer(header);
    writer.fixed(request.in, request.in_size);
    if (op.form == wire::Form::named) writer.name(request.name);
    const std::uint32_t length = writer.finish({op.opcode, slot.unique, request.nodeid, request.caller});
    // A header the device leaves alone must not look like an answer.
    const std::uint32_t out_at = reply_behind(length);
    __builtin_memset(slot.block + out_at, 0, kOutHeader);
    const Segment readable[] = {{slot.device + kReplyArea, length}};
    const Segment writable[] = {{slot.device + out_at, kOutHeader + op.out_size}};
    if (const Errc errc = queue_.submit(readable, writable, token); errc != Errc::ok) [[unlikely]]
        return wait_or_refuse(request, refused(token, errc));
    slot.request = &request;
    request.slot = token;
    slot.data_len = 0;
    slot.out_at = out_at;
    expect(slot, op, {.most = op.out_size, .least = op.out_size, .fixed = op.out_size});
    ++unkicked_;
}

template <RequestQueue Q> template <wire::Opcode Op>
void RequestLane<Q>::start(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
    start_inline<Op>(transfer, span, caller);
}

template <RequestQueue Q> template <wire::Opcode Op>
inline void RequestLane<Q>::start_inline(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
    if (start_fast<Op>(transfer, span, caller)) [[likely]]
        return;
    // A copy, so that on the fast path the span need not lie in memory.
    const TransferSpan given = span.part(0, span.len);
    start_slow<Op>(transfer, given, caller);
}

template <RequestQueue Q> template <wire::Opcode Op>
inline bool RequestLane<Q>::start_fast(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
    static_assert(Op == wire::Opcode::read || Op == wire::Opcode::write);
    constexpr bool kReads = Op == wire::Opcode::read;
    constexpr auto kKind = kReads ? LaneSlot::Kind::fast_read : LaneSlot::Kind::fast_write;
    const std::uint64_t data_in_flight = data_in_flight_ + span.len;
    if (span.payload != Payload::registered || data_in_flight > fast_limit_ || !is_in_file(span.offset, span.len) ||
        !slots_.has_free()) [[unlikely]]
        return false;

    const auto [token, entry] = slots_.take();
    LaneSlot& slot = entry.state;
    if (slot.kind != kKind) [[unlikely]]
        prepare_fast<Op>(slot, token);
    slot.unique = uniques_.take(token.slot);
    if (submit_fast<Op>(slot, token, span, caller) != Errc::ok) [[unlikely]] {
        slots_.release(token, entry);
        return false;
    }
    const auto len = static_cast<std::uint32_t>(span.len); // no more than fast_limit_
    slot.transfer = &transfer;
    slot.data_len = len;
    slot.expected.most = wire::RowOf<Op>::out_size + (kReads ? len : 0);
    data_in_flight_ = data_in_flight;
    ++unkicked_;
    return true;
}

template <RequestQueue Q> template <wire::Opcode Op> inline Errc
RequestLane<Q>::submit_fast(LaneSlot& slot, Token token, const TransferSpan& span, const Caller& caller) noexcept {
    constexpr bool kReads = Op == wire::Opcode::read;
    const auto len = static_cast<std::uint32_t>(span.len);
    using In = wire::InOf<Op>; // ReadIn and WriteIn have the same layout
    constexpr auto kLength = static_cast<std::uint32_t>(sizeof(wire::InHeader) + sizeof(In));
    std::byte* const block = slot.block;
    std::byte* const header = block + kReplyArea;
    std::byte* const in = header + sizeof(wire::InHeader);
    if constexpr (!kReads) wire::detail::put_field(header + offsetof(wire::InHeader, len), kLength + len);
    wire::detail::put_field(header + offsetof(wire::InHeader, unique), slot.unique);
    wire::detail::put_field(header + offsetof(wire::InHeader, nodeid), span.nodeid);
    // fh and offset are neighbours in the struct, so one store of 16 bytes writes both.
    static_assert(offsetof(In, offset) == offsetof(In, fh) + 8);
    wire::detail::put_field(in + offsetof(In, fh), std::array{span.fh, span.offset});
    wire::detail::put_field(header + offsetof(wire::InHeader, uid), caller);
    static_assert(sizeof(Caller) == 12 && offsetof(wire::InHeader, pid) == offsetof(wire::InHeader, uid) + 8);
    wire::detail::put_field(in + offsetof(In, size), len);
    wire::detail::put_field(in + offsetof(In, size) + 4, span.transfer_flags);
    wire::detail::put_field(in + offsetof(In, lock_owner), span.lock_owner);
    wire::detail::put_field(in + offsetof(In, flags), span.open_flags);
    // A header the device leaves alone must not look like an answer.
    __builtin_memset(block + reply_behind(kLength), 0, kOutHeader);
    const Segment payload{span.device, len};
    if constexpr (PreparesChains<Q>) {
        constexpr std::uint32_t kAnswer = kOutHeader + wire::RowOf<Op>::out_size;
        if (queue_.has_prepared(slot.prepared)) [[likely]] {
            return queue_.template submit_prepared<kReads ? 2 : 1, kReads ? 1 : 2, kReads ? 2 : 1>(
                payload, {kLength, kAnswer}, token);
        }
    }
    return submit_all_segments<Op>(slot, token, payload);
}

template <RequestQueue Q> template <wire::Opcode Op>
Errc RequestLane<Q>::submit_all_segments(const LaneSlot& slot, Token token, Segment payload) noexcept {
    constexpr std::uint32_t kLength = sizeof(wire::InHeader) + sizeof(wire::InOf<Op>);
    const Segment message{slot.device + kReplyArea, kLength};
    const Segment answer{slot.device + reply_behind(kLength), kOutHeader + wire::RowOf<Op>::out_size};
    if constexpr (Op == wire::Opcode::read) {
        const Segment readable[] = {message};
        const Segment writable[] = {answer, payload};
        if constexpr (PreparesChains<Q>) {
            return queue_.template submit_prepared<2>(readable, writable, token, slot.prepared);
        } else {
            return queue_.submit(readable, writable, token);
        }
    } else {
        const Segment readable[] = {message, payload};
        const Segment writable[] = {answer};
        if constexpr (PreparesChains<Q>) {
            return queue_.template submit_prepared<1>(readable, writable, token, slot.prepared);
        } else {
            return queue_.submit(readable, writable, token);
        }
    }
}

// Writes the fields that all transfers of a kind share, in the block and in the slot.
template <RequestQueue Q> template <wire::Opcode Op>
void RequestLane<Q>::prepare_fast(LaneSlot& slot, Token token) noexcept {
    constexpr bool kReads = Op == wire::Opcode::read;
    using In = wire::InOf<Op>;
    std::byte* const header = slot.block + kReplyArea;
    wire::MessageWriter writer(header);
    const In in{};
    writer.fixed(&in, sizeof(in));
    static_cast<void>(writer.finish({.opcode = Op}));
    // Two prepared chains a slot: one for a READ, one for a WRITE.
    slot.prepared = prepared_ + 2u * token.slot + (kReads ? 0 : 1);
    slot.out_at = reply_behind(sizeof(wire::InHeader) + sizeof(In));
    slot.expected = wire::expected_reply(wire::op_info(Op), 0);
    slot.silence = LaneSlot::Silence::forbidden;
    slot.kind = kReads ? LaneSlot::Kind::fast_read : LaneSlot::Kind::fast_write;
}

// `len` is that of a header alone if the reply is an error or failed its check: then no data came.
template <RequestQueue Q> inline void RequestLane<Q>::finish_fast(const LaneSlot& slot, Errc errc, std::uint32_t len,
                                                                  std::int32_t error) noexcept {
    Transfer& transfer = *slot.transfer;
    transfer.errc = errc;
    transfer.error = static_cast<abi::Errno>(-error);
    transfer.bytes = len - kOutHeader;
    transfer.on_done(transfer);
}

// Turns WriteOut::size into the length a READ's header would have, so that finish_fast() serves both.
template <RequestQueue Q> void RequestLane<Q>::finish_fast_write(const LaneSlot& slot, Errc errc, std::uint32_t len,
                                                                 std::int32_t error) noexcept {
    if (len != kOutHeader) {
        wire::WriteOut reply;
        copy_from_peer(&reply, slot.block + slot.out_at + kOutHeader, sizeof(reply));
        errc = wire::check_written(reply, slot.data_len);
        len = kOutHeader + (errc == Errc::ok ? reply.size : 0);
    }
    finish_fast(slot, errc, len, error);
}

} // namespace vfsproto::client
