// SPDX-License-Identifier: BSD-2-Clause
// The bodies of BasicLane, for lane.cpp and for ports that instantiate a lane over their own queue type.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/wire/reply_codec.hpp"

namespace vfsproto::client {

namespace detail {

// Structs of FUSE are whole 4-byte words; a call to memcpy would cost more than the copy.
inline void copy_words(std::byte* to, const void* from, std::uint32_t bytes) noexcept {
    const auto* source = static_cast<const std::byte*>(from);
    std::uint32_t at = 0;
    for (; at + 8 <= bytes; at += 8) __builtin_memcpy(to + at, source + at, 8);
    if (at < bytes) __builtin_memcpy(to + at, source + at, bytes - at);
}

inline std::byte* put_name(std::byte* to, std::span<const char> name) noexcept {
    if (!name.empty()) __builtin_memcpy(to, name.data(), name.size());
    to[name.size()] = std::byte{0};
    return to + name.size() + 1;
}

// Does the row's request carry names even when they are empty?
constexpr std::uint32_t name_count(wire::InTail tail) noexcept {
    switch (tail) {
    case wire::InTail::name:
    case wire::InTail::name_data: return 1;
    case wire::InTail::name_pair: return 2;
    default: return 0;
    }
}

[[gnu::always_inline]] constexpr std::uint32_t names_length(const wire::OpInfo& op, const Request& request) noexcept {
    const std::uint32_t names = name_count(op.in_tail);
    std::uint32_t length = 0;
    if (names >= 1) length += static_cast<std::uint32_t>(request.name.size()) + 1;
    if (names == 2) length += static_cast<std::uint32_t>(request.name2.size()) + 1;
    return length;
}

// What a request's row says of it, known when this is compiled …
template <wire::Opcode Op> struct KnownRow {
    static constexpr const wire::OpInfo& op(const Request&) noexcept { return wire::op_info(Op); }
    static constexpr std::uint32_t in_size(const Request&) noexcept { return wire::RowOf<Op>::in_size; }
};
// … or not.
struct AnyRow {
    static const wire::OpInfo& op(const Request& request) noexcept { return *request.op; }
    static std::uint32_t in_size(const Request& request) noexcept { return request.in_size; }
};

// Bytes of data that travel with the request, and that its reply may bring.
[[gnu::always_inline]] constexpr std::uint32_t data_in_of(const wire::OpInfo& op, const Request& request) noexcept {
    return op.tail_field.unit != 0 ? request.data_in.len : 0;
}
[[gnu::always_inline]] constexpr std::uint32_t data_out_of(const wire::OpInfo& op, const Request& request) noexcept {
    return op.out_tail != wire::OutTail::none ? request.data_out.len : 0;
}

// Registered memory says its length twice.
[[gnu::always_inline]] inline bool same_length(std::span<const Segment> segments, std::uint32_t len) noexcept {
    return segments.empty() || total_length(segments) == len;
}

// The sender's own mistakes, as wire::encode_request() refuses them: a server would read another name than was meant, or
// die of a size that is not true.
[[gnu::always_inline]] inline Errc check_form(const wire::OpInfo& op, const Request& request) noexcept {
    std::uint64_t declared = 0;
    if (op.tail_field.unit != 0) {
        std::uint32_t field;
        __builtin_memcpy(&field, static_cast<const std::byte*>(request.in) + op.tail_field.offset, sizeof(field));
        declared = std::uint64_t{field} * op.tail_field.unit;
    }
    if (declared != request.data_in.len) return Errc::bad_argument;
    if (!same_length(request.data_in.segments, request.data_in.len)) return Errc::bad_argument;
    if (!same_length(request.data_out.segments, request.data_out.len)) return Errc::bad_argument;
    if (name_count(op.in_tail) != 0) {
        for (const char c : request.name) {
            if (c == '\0') return Errc::bad_argument;
        }
        for (const char c : request.name2) {
            if (c == '\0') return Errc::bad_argument;
        }
    }
    if (request.ext_len == 0) return Errc::ok;
    const bool legal = op.traits.extensions == wire::Extensions::allowed && request.ext_len % 8 == 0;
    return legal ? Errc::ok : Errc::bad_argument;
}

} // namespace detail

template <RequestQueue Q>
Errc BasicLane<Q>::init(Q queue, std::span<Entry> entries, const Region& memory, const LaneOptions& options) noexcept {
    const QueueLimits limits = queue.limits();
    if (limits.max_segments < 2 || limits.max_inflight == 0 || options.index == kSessionLane) return Errc::bad_argument;
    if (options.bounce < 8192 || options.bounce > (64u << 20)) return Errc::bad_argument;
    if (limits.written != WrittenLength::exact && options.lengths == WrittenLength::exact) return Errc::not_negotiated;
    if (!idle()) return Errc::wrong_state;
    stride_ = stride_of(options.bounce);
    std::size_t count = memory.size() / stride_;
    if (count > entries.size()) count = entries.size();
    if (count > limits.max_inflight) count = limits.max_inflight;
    if (count == 0) return Errc::bad_argument;
    queue_ = queue;
    slots_ = Slots<LaneSlot>(entries.first(count));
    for (std::size_t i = 0; i < count; ++i) {
        LaneSlot& slot = slots_.at(Token{static_cast<std::uint16_t>(i)});
        slot.block = memory.host() + i * stride_;
        slot.device = memory.device() + i * stride_;
    }
    options_ = options;
    max_segments_ = limits.max_segments;
    const bool plain = can_pass_registered() && options.trace.started == nullptr;
    const std::uint32_t limit = options.max_data_in_flight < kMaxPayload ? options.max_data_in_flight : kMaxPayload;
    plain_limit_ = plain ? limit : 0;
    lengths_ = limits.written;
    error_ = Errc::ok;
    return Errc::ok;
}

template <RequestQueue Q> void BasicLane<Q>::enqueue(Request& request) noexcept {
    enqueue_row<detail::AnyRow>(request);
}

template <RequestQueue Q> template <wire::Opcode Op> void BasicLane<Q>::enqueue_as(Request& request) noexcept {
    VFSPROTO_ASSERT(request.op == &wire::op_info(Op));
    const bool reads = Op == wire::Opcode::read;
    const std::span<const Segment> payload = reads ? request.data_out.segments : request.data_in.segments;
    const std::uint32_t len = reads ? request.data_out.len : request.data_in.len;
    // No bytes at all wrap, and are not below the limit.
    if (payload.size() == 1 && waiting_ == nullptr && data_in_flight_ + len - 1 < plain_limit_ && slots_.has_free())
        [[likely]] {
        const bool is_true = payload[0].len == len && static_cast<const wire::InOf<Op>*>(request.in)->size == len;
        if (is_true && start_plain<Op>(request, payload[0]) == Errc::ok) [[likely]]
            return;
    }
    enqueue_row<detail::KnownRow<Op>>(request);
}

template <RequestQueue Q> template <wire::Opcode Op>
[[gnu::always_inline]] inline Errc BasicLane<Q>::start_plain(Request& request, const Segment& payload) noexcept {
    constexpr bool kReads = Op == wire::Opcode::read;
    using In = wire::InOf<Op>;
    constexpr auto kLength = static_cast<std::uint32_t>(sizeof(wire::InHeader) + sizeof(In));
    constexpr std::uint32_t kAnswer = kOutHeader + wire::RowOf<Op>::out_size;
    request.errc = Errc::ok;
    request.error = wire::Errno::none;
    request.bytes = 0;
    request.out_bytes = 0;

    const Token token = slots_.take();
    LaneSlot& slot = slots_.at(token);
    sequence_ = next_sequence(sequence_);
    slot.unique = make_unique(sequence_, options_.index, token.slot);
    std::byte* at = slot.block + kReplyArea;
    const wire::InHeader header{.len = kLength + (kReads ? 0 : payload.len),
                                .opcode = static_cast<std::uint32_t>(Op),
                                .unique = slot.unique,
                                .nodeid = request.nodeid,
                                .uid = request.caller.uid,
                                .gid = request.caller.gid,
                                .pid = request.caller.pid,
                                .total_extlen = 0,
                                .padding = 0};
    __builtin_memcpy(at, &header, sizeof(header));
    __builtin_memcpy(at + sizeof(header), request.in, sizeof(In));
    __builtin_memset(slot.block, 0, kOutHeader);
    const Segment message{slot.device + kReplyArea, kLength};
    const Segment answer{slot.device, kAnswer};
    Errc errc;
    if constexpr (kReads) {
        const Segment writable[2] = {answer, payload};
        errc = queue_.submit({&message, 1}, writable, token);
    } else {
        const Segment readable[2] = {message, payload};
        errc = queue_.submit(readable, {&answer, 1}, token);
    }
    if (errc != Errc::ok) [[unlikely]] {
        slots_.release(token);
        return errc;
    }
    slot.request = &request;
    slot.out_at = 0;
    slot.data_len = payload.len;
    slot.epoch = epoch_;
    slot.body_least = wire::RowOf<Op>::out_size;
    slot.body_most = wire::RowOf<Op>::out_size + (kReads ? payload.len : 0);
    slot.fixed = wire::RowOf<Op>::out_size;
    slot.silence = LaneSlot::Silence::forbidden;
    ++young_;
    data_in_flight_ += payload.len;
    ++unkicked_;
    count(counters_.started);
    return Errc::ok;
}

template <RequestQueue Q> template <class Row>
[[gnu::always_inline]] inline void BasicLane<Q>::enqueue_row(Request& request) noexcept {
    request.errc = Errc::ok;
    request.error = wire::Errno::none;
    request.bytes = 0;
    request.out_bytes = 0;
    Errc errc = detail::check_form(Row::op(request), request);
    if (errc == Errc::ok) errc = waiting_ == nullptr ? start<Row>(request) : Errc::no_slot;
    if (errc != Errc::ok) [[unlikely]]
        wait_or_refuse(request, errc);
}

template <RequestQueue Q> void BasicLane<Q>::wait_or_refuse(Request& request, Errc errc) noexcept {
    if (errc == Errc::no_slot) {
        request.next = nullptr;
        (waiting_ == nullptr ? waiting_ : waiting_last_->next) = &request;
        waiting_last_ = &request;
        count(counters_.waited);
        return;
    }
    request.errc = errc;
    request.on_done(request);
}

template <RequestQueue Q> template <class Row>
[[gnu::always_inline]] inline std::uint32_t BasicLane<Q>::write_request(const Request& request, std::byte* at,
                                                                        std::uint64_t unique,
                                                                        std::uint32_t registered) noexcept {
    const wire::OpInfo& op = Row::op(request);
    std::byte* end = at + sizeof(wire::InHeader);
    detail::copy_words(end, request.in, Row::in_size(request));
    end += Row::in_size(request);
    if (const std::uint32_t names = detail::name_count(op.in_tail); names != 0) {
        end = detail::put_name(end, request.name);
        if (names == 2) end = detail::put_name(end, request.name2);
    }
    if (const std::uint32_t len = detail::data_in_of(op, request); len != 0 && registered == 0) {
        __builtin_memcpy(end, request.data_in.host, len);
        end += len;
    }
    std::uint16_t ext_len = 0;
    if (op.traits.extensions == wire::Extensions::allowed && request.ext_len != 0) {
        ext_len = request.ext_len;
        __builtin_memcpy(end, request.ext, ext_len);
        end += ext_len;
    }
    const auto length = static_cast<std::uint32_t>(end - at);
    const wire::InHeader header{.len = length + registered,
                                .opcode = static_cast<std::uint32_t>(op.opcode),
                                .unique = unique,
                                .nodeid = request.nodeid,
                                .uid = request.caller.uid,
                                .gid = request.caller.gid,
                                .pid = request.caller.pid,
                                .total_extlen = static_cast<std::uint16_t>(ext_len / 8),
                                .padding = 0};
    __builtin_memcpy(at, &header, sizeof(header));
    return length;
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

template <RequestQueue Q> template <class Row>
[[gnu::always_inline]] inline Errc BasicLane<Q>::make_plan(const Request& request, Plan& plan) const noexcept {
    const wire::OpInfo& op = Row::op(request);
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
    std::uint32_t end = kReplyArea + static_cast<std::uint32_t>(sizeof(wire::InHeader)) + Row::in_size(request) +
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

template <RequestQueue Q> template <class Row>
[[gnu::always_inline]] inline void BasicLane<Q>::remember(LaneSlot& slot, Request& request, const Plan& plan) noexcept {
    const wire::OpInfo& op = Row::op(request);
    const std::uint32_t data_out = detail::data_out_of(op, request);
    slot.request = &request;
    slot.out_at = plan.out_at;
    slot.data_len = detail::data_in_of(op, request) + data_out;
    const bool data_alone = op.out_tail == wire::OutTail::size_or_data && data_out != 0;
    slot.fixed = data_alone ? std::uint16_t{0} : op.out_size;
    slot.body_most = slot.fixed + data_out;
    slot.body_least = slot.fixed;
    if (op.traits.compat == wire::Compat::short_reply) {
        slot.body_least = static_cast<std::uint32_t>(wire::least_out_size(op));
    }
    if (op.traits.reply == wire::ReplyOwed::never) slot.body_least = 1, slot.body_most = 0;
    const bool silent = op.traits.reply != wire::ReplyOwed::always ||
                        (op.opcode == wire::Opcode::destroy && options_.destroy_reply == DestroyReply::may_be_missing);
    slot.silence = silent ? LaneSlot::Silence::allowed : LaneSlot::Silence::forbidden;
    if (op.traits.blocking == wire::Blocking::never) {
        slot.epoch = epoch_;
        ++young_;
    } else {
        slot.epoch = epoch_ - 1;
    }
    data_in_flight_ += slot.data_len;
}

template <RequestQueue Q> template <class Row>
[[gnu::always_inline]] inline Errc BasicLane<Q>::start(Request& request) noexcept {
    if (error_ != Errc::ok) return error_;
    const wire::OpInfo& op = Row::op(request);
    const std::uint64_t data_len = std::uint64_t{detail::data_in_of(op, request)} + detail::data_out_of(op, request);
    if (data_len > kMaxPayload) return Errc::too_large;
    // What is above the bound by itself goes alone; what carries no data never waits for it.
    if (data_in_flight_ != 0 && data_len != 0 && data_in_flight_ + data_len > options_.max_data_in_flight) {
        return Errc::no_slot;
    }

    Plan plan;
    if (const Errc errc = make_plan<Row>(request, plan); errc != Errc::ok) return errc;

    const Result<Token> acquired = slots_.acquire();
    if (!acquired) return acquired.error();
    const Token token = *acquired;
    LaneSlot& slot = slots_.at(token);
    std::byte* const block = slot.block;
    const DeviceAddr device = slot.device;
    sequence_ = next_sequence(sequence_);
    const std::uint64_t unique = make_unique(sequence_, options_.index, token.slot);
    const std::uint32_t written = write_request<Row>(request, block + kReplyArea, unique, plan.in_registered);
    Segment answer{};
    if (op.traits.reply != wire::ReplyOwed::never) {
        // A header the device leaves alone must not look like an answer.
        __builtin_memset(block + plan.out_at, 0, kOutHeader);
        answer = {device + plan.out_at, plan.out_len};
    }
    const Errc errc = plan.data_in.size() + plan.data_out.size() <= 1
                          ? submit<1>({device + kReplyArea, written}, answer, plan, token)
                          : submit<kMaxPayloadSegments>({device + kReplyArea, written}, answer, plan, token);
    if (errc != Errc::ok) [[unlikely]] {
        slots_.release(token);
        if (errc == Errc::queue_full) return slots_.in_flight() != 0 ? Errc::no_slot : errc;
        return errc;
    }
    slot.unique = unique;
    remember<Row>(slot, request, plan);
    ++unkicked_;
    count(counters_.started);
    if (plan.bounced) count(counters_.copies);
    if (options_.trace.started != nullptr) trace_started(token, request, written + plan.in_registered);
    return Errc::ok;
}

template <RequestQueue Q> std::size_t BasicLane<Q>::drain() noexcept {
    const std::size_t taken = queue_.poll(batch_);
    for (std::size_t i = 0; i < taken; ++i) finish(batch_[i].token, batch_[i].written);
    if (taken < config::kDrainBatch && error_ == Errc::ok && queue_.error() != Errc::ok) latch(queue_.error());
    if (taken != 0 && waiting_ != nullptr) start_waiting();
    return taken;
}

template <RequestQueue Q>
[[gnu::always_inline]] inline void BasicLane<Q>::finish(Token token, std::uint32_t written) noexcept {
    LaneSlot* slot = slots_.find(token);
    if (slot == nullptr) [[unlikely]]
        return latch(Errc::ring_id_not_live); // a host's own queue handed back a token we never gave
    Request& request = *slot->request;
    const std::byte* const block = slot->block;
    wire::OutHeader header;
    copy_from_peer(&header, block + slot->out_at, sizeof(header));
    if (lengths_ == WrittenLength::upper_bound && header.len < written) written = header.len;

    Errc errc = Errc::ok;
    if (written != 0 || slot->silence == LaneSlot::Silence::forbidden) {
        errc = check(*slot, written, header);
        if (errc == Errc::ok) {
            accept(*slot, request, block, header);
        } else {
            request.errc = errc;
            count(counters_.violations);
        }
    }
    if (slot->epoch == epoch_ && young_ != 0) --young_;
    data_in_flight_ -= slot->data_len;
    count(counters_.finished);
    if (options_.trace.finished != nullptr) trace_finished(token, request, written);
    slots_.release(token);
    if (errc == Errc::unique_mismatch) [[unlikely]]
        latch(errc);
    request.on_done(request);
}

// The order is that of docs/design.md section 5. Liveness was checked by the caller; "owed" and "size fits" are one
// comparison, since a row without a reply has no body that fits.
template <RequestQueue Q> [[gnu::always_inline]] inline Errc
BasicLane<Q>::check(const LaneSlot& slot, std::uint32_t written, const wire::OutHeader& header) noexcept {
    if (written < kOutHeader || header.len != written) return Errc::protocol_violation;
    if (header.unique != slot.unique) return Errc::unique_mismatch;
    const std::uint32_t body = written - kOutHeader;
    if (header.error == 0) [[likely]] {
        return body >= slot.body_least && body <= slot.body_most ? Errc::ok : Errc::protocol_violation;
    }
    if (slot.body_least > slot.body_most) return Errc::protocol_violation;
    // fuse_dev_do_write accepts -511 to 0 and nothing behind an error's header.
    return header.error < 0 && header.error > -wire::kErrnoLimit && body == 0 ? Errc::ok : Errc::protocol_violation;
}

template <RequestQueue Q>
[[gnu::always_inline]] inline void BasicLane<Q>::accept(const LaneSlot& slot, Request& request, const std::byte* block,
                                                        const wire::OutHeader& header) noexcept {
    if (header.error != 0) {
        request.error = static_cast<wire::Errno>(-header.error);
        return;
    }
    std::uint32_t body = header.len - kOutHeader;
    const std::byte* at = block + slot.out_at + kOutHeader;
    if (slot.fixed != 0) {
        const std::uint32_t fixed = body < slot.fixed ? body : slot.fixed;
        if (request.out != nullptr) detail::copy_words(static_cast<std::byte*>(request.out), at, fixed);
        request.out_bytes = fixed;
        body -= fixed;
        at += fixed;
    }
    request.bytes = body;
    // Bounced data: the header lies before the bounce area, never in the reply area.
    if (slot.out_at != 0 && body != 0) __builtin_memcpy(request.data_out.host, at, body);
}

template <RequestQueue Q> void BasicLane<Q>::start_waiting() noexcept {
    while (waiting_ != nullptr) {
        Request& request = *waiting_;
        const Errc errc = start<detail::AnyRow>(request);
        if (errc == Errc::no_slot) return;
        waiting_ = request.next;
        request.next = nullptr;
        if (errc == Errc::ok) continue;
        request.errc = errc;
        request.on_done(request);
    }
}

template <RequestQueue Q> ArmOutcome BasicLane<Q>::arm_burst() noexcept {
    // Requests older than the last arm count 0: whatever holds them back must not hold back the news of the others.
    const std::uint16_t completions = young_ > 1 ? young_ : std::uint16_t{1};
    young_ = 0;
    ++epoch_;
    const bool look = queue_.arm(completions);
    return {completions, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> ArmOutcome BasicLane<Q>::arm_each() noexcept {
    const bool look = queue_.arm(1);
    return {1, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> void BasicLane<Q>::latch(Errc why) noexcept {
    if (error_ == Errc::ok) error_ = why;
    plain_limit_ = 0;
}

template <RequestQueue Q> void BasicLane<Q>::fail_all(Errc why) noexcept {
    latch(why);
    while (queue_.evacuate(batch_) != 0) {}
    young_ = 0;
    unkicked_ = 0;
    data_in_flight_ = 0;
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        const Token token{static_cast<std::uint16_t>(i)};
        LaneSlot* slot = slots_.find(token);
        if (slot == nullptr) continue;
        Request& request = *slot->request;
        request.errc = why;
        count(counters_.finished);
        if (options_.trace.finished != nullptr) trace_finished(token, request, 0);
        slots_.release(token);
        request.on_done(request);
    }
    while (waiting_ != nullptr) {
        Request& request = *waiting_;
        waiting_ = request.next;
        request.next = nullptr;
        request.errc = why;
        request.on_done(request);
    }
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
