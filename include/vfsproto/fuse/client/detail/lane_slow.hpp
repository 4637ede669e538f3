// SPDX-License-Identifier: BSD-2-Clause
// The slow path through a lane, for lane_body.hpp only: any request, by the plan its row and its data make, and the lines in
// which requests wait.
#pragma once

#include "vfsproto/fuse/client/detail/file_span.hpp"
#include "vfsproto/fuse/client/detail/lane_message.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/wire/detail/message_writer.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <new>

namespace vfsproto::client {

template <RequestQueue Q> void RequestLane<Q>::enqueue_slow(Request& request) noexcept {
    Errc errc = detail::check_form(*request.op, request);
    if (errc == Errc::ok && suspended_) errc = error_ != Errc::ok ? error_ : Errc::suspended;
    if (errc == Errc::ok) errc = line_of(request).empty() ? start(request) : Errc::no_slot;
    if (errc != Errc::ok) wait_or_refuse(request, errc);
}

// Makes a request of the transfer, which waits and is traced and bounced like any other.
template <RequestQueue Q> template <wire::Opcode Op>
void RequestLane<Q>::start_slow(Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
    const abi::Errno error = check_file_span(wire::RowOf<Op>::traits.span, span.offset, span.len);
    if (error != abi::Errno::none || span.len > kMaxPayload) {
        transfer.errc = error != abi::Errno::none ? Errc::ok : Errc::too_large;
        transfer.error = error;
        transfer.bytes = 0;
        return transfer.on_done(transfer);
    }
    constexpr bool kReads = Op == wire::Opcode::read;
    auto& slow = [&]() -> SlowTransfer<Op>& {
        if constexpr (kReads)
            return *::new (&transfer.slow_read_) SlowTransfer<Op>;
        else
            return *::new (&transfer.slow_write_) SlowTransfer<Op>;
    }();
    const auto len = static_cast<std::uint32_t>(span.len);
    slow.nodeid = span.nodeid;
    slow.caller = caller;
    slow.args.fh = span.fh;
    slow.args.offset = span.offset;
    slow.args.size = len;
    slow.args.flags = span.open_flags;
    slow.args.lock_owner = span.lock_owner;
    std::span<Segment> registered{};
    if (span.payload == Payload::registered && len != 0) {
        slow.segments[1] = {span.device, len};
        registered = slow.segments;
    }
    if constexpr (kReads) {
        slow.args.read_flags = span.transfer_flags;
        slow.data_out = {span.host, len, registered};
    } else {
        slow.args.write_flags = span.transfer_flags;
        slow.data_in = {span.host, len, registered};
    }
    slow.owner = &transfer;
    slow.on_done = &finish_slow<Op>;
    transfer.slow_ = &slow;
    ++counters_.slow_transfers;
    enqueue_slow(slow);
}

template <RequestQueue Q> template <wire::Opcode Op> void RequestLane<Q>::finish_slow(Request& request) noexcept {
    auto& slow = static_cast<SlowTransfer<Op>&>(request);
    auto& transfer = *static_cast<Transfer*>(request.owner);
    transfer.slow_ = nullptr;
    transfer.errc = request.errc;
    transfer.error = request.error;
    transfer.bytes = request.bytes;
    if constexpr (Op == wire::Opcode::write) {
        if (transfer.succeeded()) transfer.errc = wire::check_written(slow.reply, slow.args.size);
        transfer.bytes = transfer.succeeded() ? slow.reply.size : 0;
    }
    transfer.on_done(transfer);
}

// The queue did not take it. A full one does later, unless nothing is under way.
template <RequestQueue Q> Errc RequestLane<Q>::refused(Token token, Errc errc) noexcept {
    slots_.release(token);
    return errc == Errc::queue_full && slots_.in_flight() != 0 ? Errc::no_slot : errc;
}

template <RequestQueue Q> void RequestLane<Q>::wait_or_refuse(Request& request, Errc errc) noexcept {
    if (errc == Errc::no_slot) {
        line_of(request).push(request);
        ++counters_.waited;
        return settle_fast_limit();
    }
    request.errc = errc;
    request.on_done(request);
}

template <RequestQueue Q> std::uint32_t RequestLane<Q>::write_request(const Request& request, std::byte* at,
                                                                      std::uint64_t unique,
                                                                      std::uint32_t registered) noexcept {
    const wire::OpInfo& op = *request.op;
    wire::MessageWriter writer(at);
    writer.fixed(request.in, request.in_size);
    const std::uint32_t names = wire::name_count(op.in_tail);
    if (names != 0) writer.name(request.name);
    if (names == 2) writer.name(request.name2);
    if (registered == 0) writer.bytes({request.data_in.host, detail::data_in_of(op, request)});
    if (op.traits.extensions == wire::Extensions::allowed) writer.extensions({request.ext, request.ext_len});
    return writer.finish({op.opcode, unique, request.nodeid, request.caller}, registered);
}

// A list of registered segments begins with one of the lane's: message and answer go there.
template <RequestQueue Q>
Errc RequestLane<Q>::submit(Segment message, Segment answer, const Plan& plan, Token token) noexcept {
    std::span<Segment> readable(&message, 1);
    std::span<Segment> writable(&answer, answer.len != 0 ? 1 : 0);
    if (!plan.data_in.empty()) {
        readable = plan.data_in;
        readable[0] = message;
    }
    if (!plan.data_out.empty()) {
        writable = plan.data_out;
        writable[0] = answer;
    }
    return queue_.submit(readable, writable, token);
}

template <RequestQueue Q> Errc RequestLane<Q>::make_plan(const Request& request, Plan& plan) const noexcept {
    const wire::OpInfo& op = *request.op;
    const std::uint32_t in_len = detail::data_in_of(op, request);
    const std::uint32_t data_out = detail::data_out_of(op, request);
    // Registered payload goes as it is while the chain has room for it; else it bounces like any other.
    const std::size_t in_segments = in_len != 0 ? request.data_in.segments.size() : 0;
    const std::size_t out_segments = data_out != 0 ? request.data_out.segments.size() : 0;
    if ((in_segments != 0 ? in_segments : 1) + (out_segments != 0 ? out_segments : 1) <= max_segments_) {
        if (in_segments != 0) plan.data_in = request.data_in.segments;
        if (out_segments != 0) plan.data_out = request.data_out.segments;
    }
    plan.in_registered = plan.data_in.empty() ? 0 : in_len;
    const std::uint32_t in_bounced = in_len - plan.in_registered;
    const bool out_bounced = data_out != 0 && plan.data_out.empty();
    plan.bounced = in_bounced != 0 || out_bounced;
    std::uint32_t end = kReplyArea + static_cast<std::uint32_t>(sizeof(wire::InHeader)) + request.in_size +
                        detail::names_length(op, request) + request.ext_len + in_bounced;
    plan.out_len = static_cast<std::uint32_t>(wire::max_reply_size(op, out_bounced ? data_out : 0));
    if (out_bounced) {
        plan.out_at = kBounceAt - kOutHeader;
        if (end > plan.out_at) plan.out_at = (end + 15u) & ~15u;
        end = plan.out_at + plan.out_len;
    } else if (op.out_tail == wire::OutTail::size_or_data && data_out != 0) {
        plan.out_len = kOutHeader; // a reply of data has no struct before it
    }
    return end > stride_ ? Errc::too_large : Errc::ok;
}

template <RequestQueue Q> void RequestLane<Q>::remember(LaneSlot& slot, Request& request, const Plan& plan) noexcept {
    const wire::OpInfo& op = *request.op;
    const std::uint32_t data_out = detail::data_out_of(op, request);
    slot.request = &request;
    slot.out_at = plan.out_at;
    slot.blocking = op.traits.blocking;
    if (op.traits.blocking == wire::Blocking::for_another) ++blocking_;
    slot.data_len = detail::data_in_of(op, request) + data_out;
    expect(slot, op, wire::expected_reply(op, data_out));
    data_in_flight_ += slot.data_len;
}

// Notes what the reply may measure, whether there may be none, and whether the request may be a slow one.
template <RequestQueue Q> inline void RequestLane<Q>::expect(LaneSlot& slot, const wire::OpInfo& op,
                                                             const wire::ExpectedReply& expected) noexcept {
    slot.expected = expected;
    const bool silent =
        op.traits.reply != wire::ReplyOwed::always ||
        (op.traits.silence == wire::Silence::seen && options_.destroy_reply == DestroyReply::may_be_missing);
    slot.silence = silent ? LaneSlot::Silence::allowed : LaneSlot::Silence::forbidden;
    if (op.traits.blocking != wire::Blocking::never) {
        slot.wait = LaneSlot::Wait::slow;
        ++slow_;
    }
}

template <RequestQueue Q> Errc RequestLane<Q>::start(Request& request) noexcept {
    if (error_ != Errc::ok) return error_;
    const wire::OpInfo& op = *request.op;
    const std::uint64_t data_len = std::uint64_t{detail::data_in_of(op, request)} + detail::data_out_of(op, request);
    if (data_len > kMaxPayload) return Errc::too_large;
    // A request that is above the bound by itself goes alone; one that carries no data never waits for the bound.
    if (data_in_flight_ != 0 && data_len != 0 && data_in_flight_ + data_len > options_.max_data_in_flight) {
        return Errc::no_slot;
    }

    if (op.traits.blocking == wire::Blocking::for_another && blocking_ >= max_blocking_) return Errc::no_slot;

    Plan plan;
    if (const Errc errc = make_plan(request, plan); errc != Errc::ok) return errc;

    if (!slots_.has_free()) return Errc::no_slot;
    const auto [token, entry] = slots_.take();
    LaneSlot& slot = entry.state;
    slot.kind = LaneSlot::Kind::request;
    std::byte* const block = slot.block;
    const DeviceAddr device = slot.device;
    const std::uint64_t unique = request.given_unique != 0 ? request.given_unique : uniques_.take(token.slot);
    const std::uint32_t written = write_request(request, block + kReplyArea, unique, plan.in_registered);
    Segment answer{};
    if (op.traits.reply != wire::ReplyOwed::never) {
        // A header the device leaves alone must not look like an answer.
        __builtin_memset(block + plan.out_at, 0, kOutHeader);
        answer = {device + plan.out_at, plan.out_len};
    }
    const Errc errc = submit({device + kReplyArea, written}, answer, plan, token);
    if (errc != Errc::ok) [[unlikely]]
        return refused(token, errc);
    slot.unique = unique;
    request.slot = token;
    remember(slot, request, plan);
    ++unkicked_;
    if (plan.bounced) ++counters_.copies;
    if (options_.trace.started != nullptr) trace_started(token, request, written + plan.in_registered);
    return Errc::ok;
}

template <RequestQueue Q> RequestFifo& RequestLane<Q>::line_of(const Request& request) noexcept {
    return request.op->traits.blocking == wire::Blocking::for_another ? waiting_for_another_ : waiting_;
}

template <RequestQueue Q> void RequestLane<Q>::start_waiting() noexcept {
    start_from(waiting_);
    start_from(waiting_for_another_);
}

template <RequestQueue Q> void RequestLane<Q>::start_from(RequestFifo& line) noexcept {
    while (!line.empty()) {
        const Errc errc = start(*line.first());
        if (errc == Errc::no_slot) return;
        Request& request = line.pop();
        settle_fast_limit();
        if (errc == Errc::ok) continue;
        request.errc = errc;
        request.on_done(request);
    }
}

} // namespace vfsproto::client
