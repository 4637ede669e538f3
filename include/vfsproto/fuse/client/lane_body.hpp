// SPDX-License-Identifier: BSD-2-Clause
// The bodies of RequestLane, for lane.cpp and for ports that instantiate a lane over their own queue type.
#pragma once

#include "vfsproto/fuse/client/detail/lane_abandon.hpp"
#include "vfsproto/fuse/client/detail/lane_fast.hpp"
#include "vfsproto/fuse/client/detail/lane_slow.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"

namespace vfsproto::client {

template <RequestQueue Q> inline constexpr ErasedLane::Table RequestLane<Q>::kTable{
    .enqueue = [](ErasedLane& lane, Request& request) noexcept { static_cast<RequestLane&>(lane).enqueue(request); },
    .start_read =
        [](ErasedLane& lane, Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
            static_cast<RequestLane&>(lane).template start<wire::Opcode::read>(transfer, span, caller);
        },
    .start_write =
        [](ErasedLane& lane, Transfer& transfer, const TransferSpan& span, const Caller& caller) noexcept {
            static_cast<RequestLane&>(lane).template start<wire::Opcode::write>(transfer, span, caller);
        },
    .abandon = [](ErasedLane& lane, Request& request, LateReply& late,
                  Errc why) noexcept { return static_cast<RequestLane&>(lane).abandon(request, late, why); },
    .abandon_transfer = [](ErasedLane& lane, Transfer& transfer, LateReply& late,
                           Errc why) noexcept { return static_cast<RequestLane&>(lane).abandon(transfer, late, why); },
    .unique_of =
        [](const ErasedLane& lane, const Request& request) noexcept {
            return static_cast<const RequestLane&>(lane).unique_of(request);
        },
    .unique_of_transfer =
        [](const ErasedLane& lane, const Transfer& transfer) noexcept {
            return static_cast<const RequestLane&>(lane).unique_of(transfer);
        },
    .expire = [](ErasedLane& lane, std::uint64_t now) noexcept { return static_cast<RequestLane&>(lane).expire(now); },
};

template <RequestQueue Q> Errc RequestLane<Q>::init(Q queue, std::span<Entry> entries, std::span<const Region> memory,
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
    // A trace shows requests, and fast transfers are none.
    fast_possible_ = can_pass_registered() && options.trace.started == nullptr && options.trace.finished == nullptr;
    lengths_ = limits.written;
    error_ = Errc::ok;
    suspended_ = false;
    slow_ = blocking_ = 0;
    const auto reserved = static_cast<std::uint16_t>(count < 2 ? 0 : count < 16 ? 1 : count / 8);
    max_blocking_ = options.max_blocking != 0 ? options.max_blocking : static_cast<std::uint16_t>(count - reserved);
    settle_fast_limit();
    return Errc::ok;
}

template <RequestQueue Q> std::size_t RequestLane<Q>::drain() noexcept { return drain_inline(); }

template <RequestQueue Q> inline std::size_t RequestLane<Q>::drain_inline() noexcept {
    const std::size_t taken = queue_.poll(batch_);
    for (std::size_t i = 0; i < taken; ++i) finish(batch_[i].token, batch_[i].written);
    if (const Errc errc = queue_.error(); errc != Errc::ok && error_ == Errc::ok) [[unlikely]]
        latch(errc);
    if (taken != 0 && !(waiting_.empty() && waiting_for_another_.empty())) [[unlikely]]
        start_waiting();
    return taken;
}

template <RequestQueue Q> inline void RequestLane<Q>::finish(Token token, std::uint32_t written) noexcept {
    Entry* const entry = slots_.find_entry(token);
    if (entry == nullptr) [[unlikely]]
        return latch(Errc::ring_id_not_live); // a host's own queue handed back a token we never gave
    const LaneSlot& slot = entry->state;
    const wire::OutHeader header = wire::read_out_header(slot.block + slot.out_at);
    if (wire::check_reply(slot.expected, slot.unique, header, written) != Errc::ok) [[unlikely]]
        return finish_mismatch(token, *entry, written);
    leave_slot(token, *entry);
    if (slot.kind == LaneSlot::Kind::fast_read) [[likely]] {
        finish_fast(slot, Errc::ok, written, header.error); // header.len is the same
    } else if (slot.kind == LaneSlot::Kind::fast_write) {
        finish_fast_write(slot, Errc::ok, written, header.error);
    } else {
        finish_request(token, slot, Errc::ok, written, header.error);
    }
}

// The slot's content stays as it is until somebody starts a request.
template <RequestQueue Q> inline void RequestLane<Q>::leave_slot(Token token, Entry& entry) noexcept {
    if (entry.state.wait != LaneSlot::Wait::expected) [[unlikely]] {
        entry.state.wait = LaneSlot::Wait::expected;
        --slow_;
        if (entry.state.blocking == wire::Blocking::for_another) --blocking_;
        entry.state.blocking = wire::Blocking::never;
    }
    data_in_flight_ -= entry.state.data_len;
    slots_.release(token, entry);
}

// Slow path of finish(), for a reply that failed its check. It is still good if lengths are upper bounds and the header's own
// length fits, or if the row allows no answer at all. Otherwise the request fails with 0 bytes. The header is copied anew and
// that copy is judged: the one that the fast path judged stays in registers, and nothing of it counts here.
template <RequestQueue Q>
void RequestLane<Q>::finish_mismatch(Token token, Entry& entry, std::uint32_t written) noexcept {
    const LaneSlot& slot = entry.state;
    wire::OutHeader header = wire::read_out_header(slot.block + slot.out_at);
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
    const bool is_fast = slot.kind == LaneSlot::Kind::fast_read || slot.kind == LaneSlot::Kind::fast_write;
    if (is_fast && errc != Errc::ok) ++counters_.lost_transfers;
    switch (slot.kind) {
    case LaneSlot::Kind::fast_read: return finish_fast(slot, errc, header.len, header.error);
    case LaneSlot::Kind::fast_write: return finish_fast_write(slot, errc, header.len, header.error);
    case LaneSlot::Kind::request:
    case LaneSlot::Kind::late: return finish_request(token, slot, errc, header.len, header.error);
    }
}

template <RequestQueue Q> void RequestLane<Q>::finish_request(Token token, const LaneSlot& slot, Errc errc,
                                                              std::uint32_t len, std::int32_t error) noexcept {
    if (slot.kind == LaneSlot::Kind::late) [[unlikely]]
        return finish_late(token, slot, errc, len, error);
    Request& request = *slot.request;
    request.errc = errc;
    accept(slot, len, error);
    operations_.count(*request.op, errc, request.error);
    if (options_.trace.finished != nullptr) trace_finished(token, request, len, TraceEnd::over);
    request.on_done(request);
}

template <RequestQueue Q>
inline void RequestLane<Q>::accept(const LaneSlot& slot, std::uint32_t len, std::int32_t error) noexcept {
    Request& request = *slot.request;
    request.error = static_cast<abi::Errno>(-error);
    std::uint32_t body = len - kOutHeader;
    const std::byte* at = slot.block + slot.out_at + kOutHeader;
    if (slot.expected.fixed != 0) {
        const std::uint32_t fixed = body < slot.expected.fixed ? body : slot.expected.fixed;
        if (request.out != nullptr) wire::detail::copy_long(static_cast<std::byte*>(request.out), at, fixed);
        request.out_bytes = fixed;
        body -= fixed;
        at += fixed;
    }
    request.bytes = body;
    // Bounced data is what comes behind the struct, where no registered memory was given.
    if (slot.out_at != 0 && body != 0) __builtin_memcpy(request.data_out.host, at, body);
}

template <RequestQueue Q> void RequestLane<Q>::note_slow() noexcept {
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        if (LaneSlot* slot = slots_.find(Token{static_cast<std::uint16_t>(i)}); slot != nullptr) {
            slot->wait = LaneSlot::Wait::slow;
        }
    }
    slow_ = slots_.in_flight();
}

template <RequestQueue Q> bool RequestLane<Q>::awaits_prompt_reply() noexcept {
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

template <RequestQueue Q> ArmOutcome RequestLane<Q>::arm_burst() noexcept {
    const auto young = static_cast<std::uint16_t>(slots_.in_flight() - slow_);
    const std::uint16_t completions = young > 1 ? young : std::uint16_t{1};
    const bool look = queue_.arm(completions);
    return {completions, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> ArmOutcome RequestLane<Q>::arm_each() noexcept {
    const bool look = queue_.arm(1);
    return {1, look ? ArmOutcome::Next::look_again : ArmOutcome::Next::sleep};
}

template <RequestQueue Q> void RequestLane<Q>::latch(Errc why) noexcept {
    if (error_ == Errc::ok) error_ = why;
    settle_fast_limit();
}

template <RequestQueue Q> void RequestLane<Q>::fail_all(Errc why) noexcept {
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

template <RequestQueue Q> void RequestLane<Q>::fail_line(RequestFifo& line, Errc why) noexcept {
    while (!line.empty()) {
        Request& request = line.pop();
        request.errc = why;
        request.on_done(request);
    }
}

template <RequestQueue Q> void RequestLane<Q>::fail(Token token, LaneSlot& slot, Errc why) noexcept {
    slot.wait = LaneSlot::Wait::expected;
    slot.blocking = wire::Blocking::never;
    slots_.release(token);
    if (slot.kind == LaneSlot::Kind::late) return finish_late(token, slot, why, kOutHeader, 0);
    if (slot.kind != LaneSlot::Kind::request) {
        ++counters_.lost_transfers;
        Transfer& transfer = *slot.transfer;
        transfer.errc = why;
        transfer.error = abi::Errno::none;
        transfer.bytes = 0;
        return transfer.on_done(transfer);
    }
    Request& request = *slot.request;
    request.errc = why;
    operations_.count(*request.op, why, abi::Errno::none);
    if (options_.trace.finished != nullptr) trace_finished(token, request, 0, TraceEnd::over);
    request.on_done(request);
}

template <RequestQueue Q>
TraceEvent RequestLane<Q>::event_of(Token token, const wire::OpInfo& op, std::uint64_t nodeid) noexcept {
    TraceEvent event;
    event.op = &op;
    event.unique = slots_.at(token).unique;
    event.nodeid = nodeid;
    event.slot = token.slot;
    event.lane = options_.index;
    return event;
}

template <RequestQueue Q>
void RequestLane<Q>::trace_started(Token token, const Request& request, std::uint32_t bytes) noexcept {
    TraceEvent event = event_of(token, *request.op, request.nodeid);
    event.sent = bytes;
    event.caller = request.caller;
    event.in = {static_cast<const std::byte*>(request.in), request.in_size};
    event.name = request.name;
    event.name2 = request.name2;
    options_.trace.started(options_.trace.context, event);
}

template <RequestQueue Q>
void RequestLane<Q>::trace_finished(Token token, const Request& request, std::uint32_t bytes, TraceEnd end) noexcept {
    TraceEvent event = event_of(token, *request.op, request.nodeid);
    event.end = end;
    event.received = bytes;
    if (request.out != nullptr) event.out = {static_cast<const std::byte*>(request.out), request.out_bytes};
    if (request.data_out.host != nullptr) event.data = {request.data_out.host, request.bytes};
    event.error = static_cast<std::int32_t>(request.error);
    event.errc = request.errc;
    options_.trace.finished(options_.trace.context, event);
}

} // namespace vfsproto::client
