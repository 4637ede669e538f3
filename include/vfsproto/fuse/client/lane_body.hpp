// SPDX-License-Identifier: BSD-2-Clause
// The bodies of BasicLane, for lane.cpp and for ports that instantiate a lane over their own queue type.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/lane_abandon.hpp"
#include "vfsproto/fuse/client/lane_message.hpp"
#include "vfsproto/fuse/wire/message_writer.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <array>

namespace vfsproto::client {

template <RequestQueue Q> Errc BasicLane<Q>::init(Q queue, std::span<Entry> entries, std::span<const Region> memory,
                                                  const LaneOptions& options) noexcept {
    const QueueLimits limits = queue.limits();
    if (limits.max_segments < 2 || limits.max_inflight == 0 || options.index == kSessionLane) return Errc::bad_argument;
    if (options.bounce < 8192 || options.bounce > (64u << 20)) return Errc::bad_argument;
    if (limits.written != WrittenLength::exact && options.lengths == WrittenLength::exact) return Errc::not_negotiated;
    if (!idle()) return Errc::wrong_state;
    stride_ = stride_of(options.bounce);
    std::size_t count = 0;
    for (const Region& region : memory) count += region.size() / stride_;
    if (count > entries.size()) count = entries.size();
    if (count > limits.max_inflight) count = limits.max_inflight;
    if (count == 0) return Errc::bad_argument;
    queue_ = queue;
    slots_ = Slots<LaneSlot>(entries.first(count));
    std::size_t next = 0;
    for (const Region& region : memory) {
        for (std::size_t at = 0; at + stride_ <= region.size() && next < count; at += stride_) {
            LaneSlot& slot = slots_.at(Token{static_cast<std::uint16_t>(next++)});
            slot.block = region.host() + at;
            slot.device = region.device() + at;
            slot.kind = LaneSlot::Kind::request; // nothing is prepared in this memory
            slot.wait = LaneSlot::Wait::expected;
            slot.blocking = wire::Blocking::never;
        }
    }
    options_ = options;
    bounce_ = options.bounce;
    max_segments_ = limits.max_segments;
    uniques_.set_lane(options.index);
    if constexpr (PreparesChains<Q>) prepared_ = queue_.reserve_prepared(static_cast<std::uint32_t>(2 * count));
    // A trace shows requests, and plain transfers are none.
    plain_possible_ = can_pass_registered() && options.trace.started == nullptr && options.trace.finished == nullptr;
    lengths_ = limits.written;
    error_ = Errc::ok;
    slow_ = blocking_ = 0;
    const auto reserved = static_cast<std::uint16_t>(count < 2 ? 0 : count < 16 ? 1 : count / 8);
    max_blocking_ = options.max_blocking != 0 ? options.max_blocking : static_cast<std::uint16_t>(count - reserved);
    settle_plain_limit();
    return Errc::ok;
}

template <RequestQueue Q> void BasicLane<Q>::settle_plain_limit() noexcept {
    const std::uint32_t limit = options_.max_data_in_flight < kMaxPayload ? options_.max_data_in_flight : kMaxPayload;
    plain_limit_ = plain_possible_ && waiting_.empty() && error_ == Errc::ok ? limit : 0;
}

// First the short way of what most requests are that carry no data: the sizes are the row's, and there is nothing to be
// checked.
template <RequestQueue Q> void BasicLane<Q>::enqueue(Request& request) noexcept {
    detail::clear_answer(request);
    const wire::OpInfo& op = *request.op;
    if (plain_limit_ == 0 || !slots_.has_free() || !detail::is_fixed(op, request)) return enqueue_generally(request);
    const auto [token, entry] = slots_.take();
    LaneSlot& slot = entry.state;
    slot.kind = LaneSlot::Kind::request;
    slot.unique = uniques_.take(token.slot);
    std::byte* const header = slot.block + kReplyArea;
    wire::MessageWriter writer(header);
    writer.fixed(request.in, request.in_size);
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

template <RequestQueue Q> void BasicLane<Q>::enqueue_generally(Request& request) noexcept {
    Errc errc = detail::check_form(*request.op, request);
    if (errc == Errc::ok) errc = line_of(request).empty() ? start(request) : Errc::no_slot;
    if (errc != Errc::ok) wait_or_refuse(request, errc);
}

// The queue did not take it. A full one does later, unless nothing is under way.
template <RequestQueue Q> Errc BasicLane<Q>::refused(Token token, Errc errc) noexcept {
    slots_.release(token);
    return errc == Errc::queue_full && slots_.in_flight() != 0 ? Errc::no_slot : errc;
}

template <RequestQueue Q> void BasicLane<Q>::wait_or_refuse(Request& request, Errc errc) noexcept {
    if (errc == Errc::no_slot) {
        line_of(request).push(request);
        ++counters_.waited;
        return settle_plain_limit();
    }
    request.errc = errc;
    request.on_done(request);
}

template <RequestQueue Q> template <wire::Opcode Op>
bool BasicLane<Q>::start_plain(const PlainTransfer& transfer, PlainAnswer& answer) noexcept {
    return start_plain_here<Op>(transfer, answer);
}

template <RequestQueue Q> template <wire::Opcode Op>
inline bool BasicLane<Q>::start_plain_here(const PlainTransfer& transfer, PlainAnswer& answer) noexcept {
    static_assert(Op == wire::Opcode::read || Op == wire::Opcode::write);
    constexpr bool kReads = Op == wire::Opcode::read;
    constexpr auto kKind = kReads ? LaneSlot::Kind::plain_read : LaneSlot::Kind::plain_write;
    const std::uint32_t len = transfer.len;
    const std::uint64_t data_in_flight = data_in_flight_ + len;
    if (data_in_flight > plain_limit_ || !slots_.has_free()) [[unlikely]]
        return false;

    const auto [token, entry] = slots_.take();
    LaneSlot& slot = entry.state;
    if (slot.kind != kKind) [[unlikely]]
        prepare_plain<Op>(slot, token);
    slot.unique = uniques_.take(token.slot);
    if (submit_plain<Op>(slot, token, transfer) != Errc::ok) [[unlikely]] {
        slots_.release(token, entry);
        return false;
    }
    slot.answer = &answer;
    slot.data_len = len;
    slot.expected.most = wire::RowOf<Op>::out_size + (kReads ? len : 0);
    data_in_flight_ = data_in_flight;
    ++unkicked_;
    return true;
}

template <RequestQueue Q> template <wire::Opcode Op>
inline Errc BasicLane<Q>::submit_plain(LaneSlot& slot, Token token, const PlainTransfer& transfer) noexcept {
    constexpr bool kReads = Op == wire::Opcode::read;
    using In = wire::InOf<Op>; // the two are alike
    constexpr auto kLength = static_cast<std::uint32_t>(sizeof(wire::InHeader) + sizeof(In));
    std::byte* const block = slot.block;
    std::byte* const header = block + kReplyArea;
    std::byte* const in = header + sizeof(wire::InHeader);
    if constexpr (!kReads) wire::detail::put_field(header + offsetof(wire::InHeader, len), kLength + transfer.len);
    wire::detail::put_field(header + offsetof(wire::InHeader, unique), slot.unique);
    wire::detail::put_field(header + offsetof(wire::InHeader, nodeid), transfer.nodeid);
    // Two that stand side by side there as here.
    static_assert(offsetof(In, offset) == offsetof(In, fh) + 8);
    wire::detail::put_field(in + offsetof(In, fh), std::array{transfer.fh, transfer.offset});
    wire::detail::put_field(header + offsetof(wire::InHeader, uid), transfer.caller);
    static_assert(sizeof(Caller) == 12 && offsetof(wire::InHeader, pid) == offsetof(wire::InHeader, uid) + 8);
    wire::detail::put_field(in + offsetof(In, size), transfer.len);
    wire::detail::put_field(in + offsetof(In, size) + 4, transfer.transfer_flags);
    wire::detail::put_field(in + offsetof(In, lock_owner), transfer.lock_owner);
    wire::detail::put_field(in + offsetof(In, flags), transfer.open_flags);
    // A header the device leaves alone must not look like an answer.
    __builtin_memset(block + reply_behind(kLength), 0, kOutHeader);
    const Segment payload{transfer.data, transfer.len};
    if constexpr (PreparesChains<Q>) {
        constexpr std::uint32_t kAnswer = kOutHeader + wire::RowOf<Op>::out_size;
        if (queue_.has_prepared(slot.prepared)) [[likely]] {
            return queue_.template submit_prepared<kReads ? 2 : 1, kReads ? 1 : 2, kReads ? 2 : 1>(
                payload, {kLength, kAnswer}, token);
        }
    }
    return submit_whole<Op>(slot, token, payload);
}

template <RequestQueue Q> template <wire::Opcode Op>
Errc BasicLane<Q>::submit_whole(const LaneSlot& slot, Token token, Segment payload) noexcept {
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
void BasicLane<Q>::prepare_plain(LaneSlot& slot, Token token) noexcept {
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
    slot.kind = kReads ? LaneSlot::Kind::plain_read : LaneSlot::Kind::plain_write;
}

template <RequestQueue Q> std::uint32_t BasicLane<Q>::write_request(const Request& request, std::byte* at,
                                                                    std::uint64_t unique,
                                                                    std::uint32_t registered) noexcept {
    const wire::OpInfo& op = *request.op;
    wire::MessageWriter writer(at);
    writer.fixed(request.in, request.in_size);
    const std::uint32_t names = detail::name_count(op.in_tail);
    if (names != 0) writer.name(request.name);
    if (names == 2) writer.name(request.name2);
    if (registered == 0) writer.bytes({request.data_in.host, detail::data_in_of(op, request)});
    if (op.traits.extensions == wire::Extensions::allowed) writer.extensions({request.ext, request.ext_len});
    return writer.finish({op.opcode, unique, request.nodeid, request.caller}, registered);
}

// `Payload` is the most segments the plan may have: what is left unused is cleared all the same.
template <RequestQueue Q> template <std::size_t Payload>
Errc BasicLane<Q>::submit(Segment message, Segment answer, const Plan& plan, Token token) noexcept {
    Segment readable[1 + Payload];
    Segment writable[1 + Payload];
    std::size_t readable_count = 0;
    std::size_t writable_count = 0;
    readable[readable_count++] = message;
    for (const Segment& segment : plan.data_in) readable[readable_count++] = segment;
    if (answer.len != 0) {
        writable[writable_count++] = answer;
        for (const Segment& segment : plan.data_out) writable[writable_count++] = segment;
    }
    return queue_.submit({readable, readable_count}, {writable, writable_count}, token);
}

template <RequestQueue Q> Errc BasicLane<Q>::make_plan(const Request& request, Plan& plan) const noexcept {
    const wire::OpInfo& op = *request.op;
    const std::uint32_t in_len = detail::data_in_of(op, request);
    const std::uint32_t data_out = detail::data_out_of(op, request);
    // Registered payload goes as it is while the chain has room for it; else it bounces like any other.
    const std::size_t in_segments = in_len != 0 ? request.data_in.segments.size() : 0;
    const std::size_t out_segments = data_out != 0 ? request.data_out.segments.size() : 0;
    const std::size_t extra = in_segments + out_segments;
    if (extra + 2 <= max_segments_ && extra <= kMaxPayloadSegments) {
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

template <RequestQueue Q> void BasicLane<Q>::remember(LaneSlot& slot, Request& request, const Plan& plan) noexcept {
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
template <RequestQueue Q>
inline void BasicLane<Q>::expect(LaneSlot& slot, const wire::OpInfo& op, const wire::ExpectedReply& expected) noexcept {
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

template <RequestQueue Q> Errc BasicLane<Q>::start(Request& request) noexcept {
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
    const std::uint64_t unique = uniques_.take(token.slot);
    const std::uint32_t written = write_request(request, block + kReplyArea, unique, plan.in_registered);
    Segment answer{};
    if (op.traits.reply != wire::ReplyOwed::never) {
        // A header the device leaves alone must not look like an answer.
        __builtin_memset(block + plan.out_at, 0, kOutHeader);
        answer = {device + plan.out_at, plan.out_len};
    }
    const Errc errc = plan.data_in.size() + plan.data_out.size() <= 1
                          ? submit<1>({device + kReplyArea, written}, answer, plan, token)
                          : submit<kMaxPayloadSegments>({device + kReplyArea, written}, answer, plan, token);
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

template <RequestQueue Q> std::size_t BasicLane<Q>::drain() noexcept { return drain_here(); }

template <RequestQueue Q> inline std::size_t BasicLane<Q>::drain_here() noexcept {
    const std::size_t taken = queue_.poll(batch_);
    for (std::size_t i = 0; i < taken; ++i) finish(batch_[i].token, batch_[i].written);
    if (const Errc errc = queue_.error(); errc != Errc::ok && error_ == Errc::ok) [[unlikely]]
        latch(errc);
    if (taken != 0 && !(waiting_.empty() && waiting_for_another_.empty())) [[unlikely]]
        start_waiting();
    return taken;
}

template <RequestQueue Q> inline void BasicLane<Q>::finish(Token token, std::uint32_t written) noexcept {
    Entry* const entry = slots_.find_entry(token);
    if (entry == nullptr) [[unlikely]]
        return latch(Errc::ring_id_not_live); // a host's own queue handed back a token we never gave
    const LaneSlot& slot = entry->state;
    const wire::OutHeader header = wire::read_out_header(slot.block + slot.out_at);
    if (wire::check_reply(slot.expected, slot.unique, header, written) != Errc::ok) [[unlikely]]
        return finish_odd(token, *entry, written, header.len, header.error, header.unique);
    leave_slot(token, *entry);
    if (slot.kind == LaneSlot::Kind::plain_read) [[likely]] {
        finish_plain(slot, Errc::ok, written, header.error); // header.len is the same
    } else if (slot.kind == LaneSlot::Kind::plain_write) {
        finish_write(slot, Errc::ok, written, header.error);
    } else {
        finish_request(token, slot, Errc::ok, written, header.error);
    }
}

// The slot's content stays as it is until somebody starts a request.
template <RequestQueue Q> inline void BasicLane<Q>::leave_slot(Token token, Entry& entry) noexcept {
    if (entry.state.wait != LaneSlot::Wait::expected) [[unlikely]] {
        entry.state.wait = LaneSlot::Wait::expected;
        --slow_;
        if (entry.state.blocking == wire::Blocking::for_another) --blocking_;
        entry.state.blocking = wire::Blocking::never;
    }
    data_in_flight_ -= entry.state.data_len;
    slots_.release(token, entry);
}

// A reply that is no good, or good only because the device's length is an upper bound or silence is allowed. Of one that
// is no good, the header left says that nothing came.
template <RequestQueue Q> void BasicLane<Q>::finish_odd(Token token, Entry& entry, std::uint32_t written,
                                                        std::uint32_t len, std::int32_t error,
                                                        std::uint64_t unique) noexcept {
    wire::OutHeader header{.len = len, .error = error, .unique = unique};
    const LaneSlot& slot = entry.state;
    if (lengths_ == WrittenLength::upper_bound && header.len < written) written = header.len;
    Errc errc = wire::check_reply(slot.expected, slot.unique, header, written);
    if (errc != Errc::ok) {
        header = {.len = kOutHeader, .error = 0, .unique = 0};
        if (written == 0 && slot.silence == LaneSlot::Silence::allowed) {
            errc = Errc::ok;
        } else {
            ++counters_.violations;
            if (errc == Errc::unique_mismatch) latch(errc);
        }
    }
    leave_slot(token, entry);
    switch (slot.kind) {
    case LaneSlot::Kind::plain_read: return finish_plain(slot, errc, header.len, header.error);
    case LaneSlot::Kind::plain_write: return finish_write(slot, errc, header.len, header.error);
    case LaneSlot::Kind::request:
    case LaneSlot::Kind::late: return finish_request(token, slot, errc, header.len, header.error);
    }
}

// The header says that no data came when the reply is an error or is no good.
template <RequestQueue Q> inline void BasicLane<Q>::finish_plain(const LaneSlot& slot, Errc errc, std::uint32_t len,
                                                                 std::int32_t error) noexcept {
    PlainAnswer& answer = *slot.answer;
    answer.errc = errc;
    answer.error = static_cast<wire::Errno>(-error);
    answer.bytes = len - kOutHeader;
    answer.on_done(answer);
}

// Turns WriteOut::size into the length a READ's header would have, so that finish_plain() serves both.
template <RequestQueue Q>
void BasicLane<Q>::finish_write(const LaneSlot& slot, Errc errc, std::uint32_t len, std::int32_t error) noexcept {
    if (len != kOutHeader) {
        wire::WriteOut reply;
        copy_from_peer(&reply, slot.block + slot.out_at + kOutHeader, sizeof(reply));
        errc = wire::check_written(reply, slot.data_len);
        len = kOutHeader + (errc == Errc::ok ? reply.size : 0);
    }
    finish_plain(slot, errc, len, error);
}

template <RequestQueue Q> void BasicLane<Q>::finish_request(Token token, const LaneSlot& slot, Errc errc,
                                                            std::uint32_t len, std::int32_t error) noexcept {
    if (slot.kind == LaneSlot::Kind::late) [[unlikely]]
        return finish_late(slot, errc, len, error);
    Request& request = *slot.request;
    request.errc = errc;
    accept(slot, len, error);
    if (options_.trace.finished != nullptr) trace_finished(token, request, len);
    request.on_done(request);
}

template <RequestQueue Q>
void BasicLane<Q>::accept(const LaneSlot& slot, std::uint32_t len, std::int32_t error) noexcept {
    Request& request = *slot.request;
    request.error = static_cast<wire::Errno>(-error);
    std::uint32_t body = len - kOutHeader;
    const std::byte* at = slot.block + slot.out_at + kOutHeader;
    if (slot.expected.fixed != 0) {
        const std::uint32_t fixed = body < slot.expected.fixed ? body : slot.expected.fixed;
        if (request.out != nullptr) wire::detail::copy_words(static_cast<std::byte*>(request.out), at, fixed);
        request.out_bytes = fixed;
        body -= fixed;
        at += fixed;
    }
    request.bytes = body;
    // Bounced data is what comes behind the struct, where no registered memory was given.
    if (slot.out_at != 0 && body != 0) __builtin_memcpy(request.data_out.host, at, body);
}

template <RequestQueue Q> RequestFifo& BasicLane<Q>::line_of(const Request& request) noexcept {
    return request.op->traits.blocking == wire::Blocking::for_another ? waiting_for_another_ : waiting_;
}

template <RequestQueue Q> void BasicLane<Q>::start_waiting() noexcept {
    start_from(waiting_);
    start_from(waiting_for_another_);
}

template <RequestQueue Q> void BasicLane<Q>::start_from(RequestFifo& line) noexcept {
    while (!line.empty()) {
        const Errc errc = start(*line.first());
        if (errc == Errc::no_slot) return;
        Request& request = line.pop();
        settle_plain_limit();
        if (errc == Errc::ok) continue;
        request.errc = errc;
        request.on_done(request);
    }
}

template <RequestQueue Q> void BasicLane<Q>::note_slow() noexcept {
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        if (LaneSlot* slot = slots_.find(Token{static_cast<std::uint16_t>(i)}); slot != nullptr) {
            slot->wait = LaneSlot::Wait::slow;
        }
    }
    slow_ = slots_.in_flight();
}

template <RequestQueue Q> bool BasicLane<Q>::awaits_prompt_reply() noexcept {
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        const LaneSlot* slot = slots_.find(Token{static_cast<std::uint16_t>(i)});
        if (slot == nullptr) continue;
        const bool is_late = slot->kind == LaneSlot::Kind::late;
        if (slot->kind != LaneSlot::Kind::request && !is_late) return true; // a READ or a WRITE
        const wire::OpInfo& op = is_late ? *slot->late->op : *slot->request->op;
        if (op.traits.blocking == wire::Blocking::never) return true;
    }
    return false;
}

template <RequestQueue Q> ArmOutcome BasicLane<Q>::arm_burst() noexcept {
    const auto young = static_cast<std::uint16_t>(slots_.in_flight() - slow_);
    const std::uint16_t completions = young > 1 ? young : std::uint16_t{1};
    const bool look = queue_.arm(completions);
    return {completions, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> ArmOutcome BasicLane<Q>::arm_each() noexcept {
    const bool look = queue_.arm(1);
    return {1, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> void BasicLane<Q>::latch(Errc why) noexcept {
    if (error_ == Errc::ok) error_ = why;
    settle_plain_limit();
}

template <RequestQueue Q> void BasicLane<Q>::fail_all(Errc why) noexcept {
    latch(why);
    while (queue_.evacuate(batch_) != 0) {}
    counters_.started += unkicked_;
    unkicked_ = 0;
    data_in_flight_ = 0;
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        const Token token{static_cast<std::uint16_t>(i)};
        if (LaneSlot* slot = slots_.find(token); slot != nullptr) fail(token, *slot, why);
    }
    slow_ = blocking_ = 0;
    fail_line(waiting_, why);
    fail_line(waiting_for_another_, why);
}

template <RequestQueue Q> void BasicLane<Q>::fail_line(RequestFifo& line, Errc why) noexcept {
    while (!line.empty()) {
        Request& request = line.pop();
        request.errc = why;
        request.on_done(request);
    }
}

template <RequestQueue Q> void BasicLane<Q>::fail(Token token, LaneSlot& slot, Errc why) noexcept {
    slot.wait = LaneSlot::Wait::expected;
    slot.blocking = wire::Blocking::never;
    slots_.release(token);
    if (slot.kind == LaneSlot::Kind::late) return finish_late(slot, why, kOutHeader, 0);
    if (slot.kind != LaneSlot::Kind::request) {
        PlainAnswer& answer = *slot.answer;
        answer.errc = why;
        answer.error = wire::Errno::none;
        answer.bytes = 0;
        return answer.on_done(answer);
    }
    Request& request = *slot.request;
    request.errc = why;
    if (options_.trace.finished != nullptr) trace_finished(token, request, 0);
    request.on_done(request);
}

template <RequestQueue Q> TraceEvent BasicLane<Q>::event_of(Token token, const Request& request) noexcept {
    TraceEvent event;
    event.op = request.op;
    event.unique = slots_.at(token).unique;
    event.nodeid = request.nodeid;
    event.slot = token.slot;
    event.lane = options_.index;
    return event;
}

template <RequestQueue Q>
void BasicLane<Q>::trace_started(Token token, const Request& request, std::uint32_t bytes) noexcept {
    TraceEvent event = event_of(token, request);
    event.sent = bytes;
    options_.trace.started(options_.trace.context, event);
}

template <RequestQueue Q>
void BasicLane<Q>::trace_finished(Token token, const Request& request, std::uint32_t bytes) noexcept {
    TraceEvent event = event_of(token, request);
    event.received = bytes;
    event.error = static_cast<std::int32_t>(request.error);
    event.errc = request.errc;
    options_.trace.finished(options_.trace.context, event);
}

} // namespace vfsproto::client
