// SPDX-License-Identifier: BSD-2-Clause
// The bodies of BasicLane, for lane.cpp and for ports that instantiate a lane over their own queue type.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/fuse/client/lane.hpp"

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
    __builtin_memcpy(to, name.data(), name.size());
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

constexpr std::uint32_t names_length(const Request& request) noexcept {
    const std::uint32_t names = name_count(request.op->in_tail);
    std::uint32_t length = 0;
    if (names >= 1) length += static_cast<std::uint32_t>(request.name.size()) + 1;
    if (names == 2) length += static_cast<std::uint32_t>(request.name2.size()) + 1;
    return length;
}

// Bytes the reply's header, struct and data may take together.
constexpr std::uint32_t reply_room(const Request& request) noexcept {
    const std::uint32_t fixed = request.op->out_size;
    const std::uint32_t data = request.data_out.len;
    const std::uint32_t body =
        request.op->out_tail == wire::OutTail::size_or_data ? (data > fixed ? data : fixed) : fixed + data;
    return static_cast<std::uint32_t>(sizeof(wire::OutHeader)) + body;
}

} // namespace detail

template <RequestQueue Q>
Errc BasicLane<Q>::init(Q queue, std::span<Entry> entries, const Region& memory, const LaneOptions& options) noexcept {
    const QueueLimits limits = queue.limits();
    if (limits.max_segments < 2 || limits.max_inflight == 0 || options.index == kSessionLane) return Errc::bad_argument;
    if (options.bounce < 8192 || options.bounce > (64u << 20)) return Errc::bad_argument;
    if (limits.written != WrittenLength::exact) return Errc::not_negotiated;
    stride_ = stride_of(options.bounce);
    std::size_t count = memory.size() / stride_;
    if (count > entries.size()) count = entries.size();
    if (count > limits.max_inflight) count = limits.max_inflight;
    if (count == 0) return Errc::bad_argument;
    queue_ = queue;
    slots_ = Slots<LaneSlot>(entries.first(count));
    memory_ = memory;
    options_ = options;
    max_segments_ = limits.max_segments;
    max_inflight_ = limits.max_inflight;
    return Errc::ok;
}

template <RequestQueue Q> void BasicLane<Q>::enqueue(Request& request) noexcept {
    request.errc = Errc::ok;
    request.error = wire::Errno::none;
    request.bytes = 0;
    request.out_bytes = 0;
    const Errc errc = waiting_ == nullptr ? start(request) : Errc::no_slot;
    if (errc == Errc::ok) return;
    if (errc == Errc::no_slot) {
        request.next = nullptr;
        (waiting_ == nullptr ? waiting_ : waiting_last_->next) = &request;
        waiting_last_ = &request;
        ++counters_.waited;
        return;
    }
    request.errc = errc;
    request.on_done(request);
}

template <RequestQueue Q> std::uint32_t BasicLane<Q>::write_request(const Request& request, std::byte* at,
                                                                    std::uint64_t unique,
                                                                    std::uint32_t registered) noexcept {
    std::byte* end = at + sizeof(wire::InHeader);
    detail::copy_words(end, request.in, request.in_size);
    end += request.in_size;
    if (const std::uint32_t names = detail::name_count(request.op->in_tail); names != 0) {
        end = detail::put_name(end, request.name);
        if (names == 2) end = detail::put_name(end, request.name2);
    }
    if (request.data_in.len != 0 && registered == 0) {
        __builtin_memcpy(end, request.data_in.host, request.data_in.len);
        end += request.data_in.len;
    }
    if (request.ext_len != 0) {
        __builtin_memcpy(end, request.ext, request.ext_len);
        end += request.ext_len;
    }
    const auto length = static_cast<std::uint32_t>(end - at);
    const wire::InHeader header{.len = length + registered,
                                .opcode = static_cast<std::uint32_t>(request.op->opcode),
                                .unique = unique,
                                .nodeid = request.nodeid,
                                .uid = request.caller.uid,
                                .gid = request.caller.gid,
                                .pid = request.caller.pid,
                                .total_extlen = static_cast<std::uint16_t>(request.ext_len / 8),
                                .padding = 0};
    __builtin_memcpy(at, &header, sizeof(header));
    return length;
}

template <RequestQueue Q> Errc BasicLane<Q>::start(Request& request) noexcept {
    if (error_ != Errc::ok) return error_;
    const std::uint32_t data_len = request.data_in.len + request.data_out.len;
    if (data_in_flight_ != 0 && data_len > options_.max_data_in_flight - data_in_flight_) return Errc::no_slot;

    // Registered payload goes as it is while the chain has room for it; else it bounces like any other.
    const std::size_t extra = request.data_in.segments.size() + request.data_out.segments.size();
    const bool registered = extra != 0 && extra + 2 <= max_segments_ && extra <= kMaxPayloadSegments;
    const std::uint32_t in_registered = registered && !request.data_in.segments.empty() ? request.data_in.len : 0;
    const bool out_registered = registered && !request.data_out.segments.empty();
    const bool out_bounced = request.data_out.len != 0 && !out_registered;

    const std::uint32_t length = static_cast<std::uint32_t>(sizeof(wire::InHeader)) + request.in_size +
                                 detail::names_length(request) + request.ext_len +
                                 (in_registered != 0 ? 0 : request.data_in.len);
    std::uint32_t out_at = 0;
    std::uint32_t out_len = kOutHeader + request.op->out_size;
    std::uint32_t end = kReplyArea + length;
    if (out_bounced) {
        out_at = kBounceAt - kOutHeader;
        if (end > out_at) out_at = (end + 15u) & ~15u;
        out_len = detail::reply_room(request);
        end = out_at + out_len;
    }
    if (end > stride_) return Errc::too_large;

    const Result<Token> token = slots_.acquire();
    if (!token) return token.error();
    std::byte* block = memory_.host() + token->slot * stride_;
    const DeviceAddr device = memory_.device() + token->slot * stride_;
    sequence_ = next_sequence(sequence_);
    const std::uint64_t unique = make_unique(sequence_, options_.index, token->slot);
    const std::uint32_t written = write_request(request, block + kReplyArea, unique, in_registered);

    Segment readable[1 + kMaxPayloadSegments];
    std::size_t readable_count = 1;
    readable[0] = {device + kReplyArea, written};
    if (in_registered != 0) {
        for (const Segment& segment : request.data_in.segments) readable[readable_count++] = segment;
    }
    Segment writable[1 + kMaxPayloadSegments];
    std::size_t writable_count = 0;
    if (request.op->traits.reply != wire::ReplyOwed::never) {
        // A header the device leaves alone must not look like an answer.
        __builtin_memset(block + out_at, 0, kOutHeader);
        writable[writable_count++] = {device + out_at, out_len};
        if (out_registered) {
            for (const Segment& segment : request.data_out.segments) writable[writable_count++] = segment;
        }
    }
    const Errc errc = queue_.submit({readable, readable_count}, {writable, writable_count}, *token);
    if (errc != Errc::ok) {
        slots_.release(*token);
        if (errc == Errc::queue_full) return slots_.in_flight() != 0 ? Errc::no_slot : errc;
        return errc;
    }
    LaneSlot& slot = slots_.at(*token);
    slot.unique = unique;
    slot.request = &request;
    slot.out_at = out_at;
    slot.data_len = data_len;
    if (request.op->traits.blocking == wire::Blocking::never) {
        slot.epoch = epoch_;
        ++young_;
    } else {
        slot.epoch = epoch_ - 1;
    }
    data_in_flight_ += data_len;
    ++unkicked_;
    ++counters_.started;
    if (data_len != 0 && !registered) ++counters_.copies;
    if (options_.trace.started != nullptr) trace(options_.trace.started, *token, request, written + in_registered);
    return Errc::ok;
}

template <RequestQueue Q> std::size_t BasicLane<Q>::drain() noexcept {
    Completion batch[config::kDrainBatch];
    const std::size_t count = queue_.poll(batch);
    for (std::size_t i = 0; i < count; ++i) finish(batch[i].token, batch[i].written);
    if (count < config::kDrainBatch && error_ == Errc::ok && queue_.error() != Errc::ok) latch(queue_.error());
    if (count != 0 && waiting_ != nullptr) start_waiting();
    return count;
}

template <RequestQueue Q> void BasicLane<Q>::finish(Token token, std::uint32_t written) noexcept {
    LaneSlot* slot = slots_.find(token);
    if (slot == nullptr) return latch(Errc::ring_id_not_live); // a host's own queue handed back a token we never gave
    Request& request = *slot->request;
    std::byte* block = memory_.host() + token.slot * stride_;
    // Read once: the device may still write there.
    wire::OutHeader header;
    __builtin_memcpy(&header, block + slot->out_at, sizeof(header));

    const Errc errc = check(*slot, request, written, header);
    if (errc == Errc::ok) {
        accept(*slot, request, block, header);
    } else {
        request.errc = errc;
        ++counters_.violations;
    }
    if (slot->epoch == epoch_ && young_ != 0) --young_;
    data_in_flight_ -= slot->data_len;
    ++counters_.finished;
    if (options_.trace.finished != nullptr) trace(options_.trace.finished, token, request, written);
    slots_.release(token);
    if (errc == Errc::unique_mismatch) latch(errc);
    request.on_done(request);
}

// The order is that of docs/design.md section 5. Liveness was checked by the caller.
template <RequestQueue Q> Errc BasicLane<Q>::check(const LaneSlot& slot, const Request& request, std::uint32_t written,
                                                   const wire::OutHeader& header) const noexcept {
    const wire::OpInfo& op = *request.op;
    if (written == 0 &&
        (op.traits.reply != wire::ReplyOwed::always ||
         (op.opcode == wire::Opcode::destroy && options_.destroy_reply == DestroyReply::may_be_missing))) {
        return Errc::ok;
    }
    if (written < kOutHeader || header.len != written) return Errc::protocol_violation;
    if (header.unique != slot.unique) return Errc::unique_mismatch;
    if (op.traits.reply == wire::ReplyOwed::never) return Errc::protocol_violation;
    const std::uint32_t body = written - kOutHeader;
    // fuse_dev_do_write accepts -511 to 0 and nothing behind an error's header.
    if (header.error > 0 || header.error <= -512) return Errc::protocol_violation;
    if (header.error != 0) return body == 0 ? Errc::ok : Errc::protocol_violation;
    switch (op.out_tail) {
    case wire::OutTail::none:
        if (op.traits.compat == wire::Compat::short_reply)
            return body <= op.out_size ? Errc::ok : Errc::protocol_violation;
        return body == op.out_size ? Errc::ok : Errc::protocol_violation;
    case wire::OutTail::size_or_data:
        if (request.data_out.len == 0) return body == op.out_size ? Errc::ok : Errc::protocol_violation;
        return body <= request.data_out.len ? Errc::ok : Errc::protocol_violation;
    case wire::OutTail::data:
    case wire::OutTail::dirents:
    case wire::OutTail::direntpluses: break;
    }
    return body >= op.out_size && body - op.out_size <= request.data_out.len ? Errc::ok : Errc::protocol_violation;
}

template <RequestQueue Q> void BasicLane<Q>::accept(const LaneSlot& slot, Request& request, const std::byte* block,
                                                    const wire::OutHeader& header) noexcept {
    if (header.error != 0) {
        request.error = static_cast<wire::Errno>(-header.error);
        return;
    }
    const wire::OpInfo& op = *request.op;
    std::uint32_t body = header.len >= kOutHeader ? header.len - kOutHeader : 0;
    const std::byte* at = block + slot.out_at + kOutHeader;
    const bool has_struct =
        op.out_size != 0 && (op.out_tail != wire::OutTail::size_or_data || request.data_out.len == 0);
    if (has_struct) {
        const std::uint32_t fixed = body < op.out_size ? body : op.out_size;
        if (request.out != nullptr) detail::copy_words(static_cast<std::byte*>(request.out), at, fixed);
        request.out_bytes = fixed;
        body -= fixed;
        at += fixed;
    }
    request.bytes = body;
    // Bounced data: the header lies before the bounce area, never in the reply area.
    if (body != 0 && slot.out_at != 0) __builtin_memcpy(request.data_out.host, at, body);
}

template <RequestQueue Q> void BasicLane<Q>::start_waiting() noexcept {
    while (waiting_ != nullptr) {
        Request& request = *waiting_;
        const Errc errc = start(request);
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
}

template <RequestQueue Q> void BasicLane<Q>::fail_all(Errc why) noexcept {
    latch(why);
    Completion batch[config::kDrainBatch];
    while (queue_.evacuate(batch) != 0) {}
    young_ = 0;
    unkicked_ = 0;
    data_in_flight_ = 0;
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        const Token token{static_cast<std::uint16_t>(i)};
        LaneSlot* slot = slots_.find(token);
        if (slot == nullptr) continue;
        Request& request = *slot->request;
        request.errc = why;
        ++counters_.finished;
        if (options_.trace.finished != nullptr) trace(options_.trace.finished, token, request, 0);
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

template <RequestQueue Q> void BasicLane<Q>::trace(void (*hook)(void*, const TraceEvent&) noexcept, Token token,
                                                   const Request& request, std::uint32_t bytes) noexcept {
    const bool is_start = hook == options_.trace.started;
    const TraceEvent event{.op = request.op,
                           .unique = slots_.at(token).unique,
                           .nodeid = request.nodeid,
                           .sent = is_start ? bytes : 0,
                           .received = is_start ? 0 : bytes,
                           .error = static_cast<std::int32_t>(request.error),
                           .errc = request.errc,
                           .slot = token.slot,
                           .lane = options_.index};
    hook(options_.trace.context, event);
}

} // namespace vfsproto::client
