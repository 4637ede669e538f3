// SPDX-License-Identifier: BSD-2-Clause
// A lane lets go of requests here: for lane_body.hpp only.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"

namespace vfsproto::client {

// Returns nullptr for a request that is not in flight on this lane.
template <RequestQueue Q> const LaneSlot* RequestLane<Q>::slot_of(const Request& request) const noexcept {
    const LaneSlot* slot = slots_.find(request.slot);
    const bool is_its = slot != nullptr && slot->kind == LaneSlot::Kind::request && slot->request == &request;
    return is_its ? slot : nullptr;
}

template <RequestQueue Q> std::uint64_t RequestLane<Q>::unique_of(const Request& request) const noexcept {
    const LaneSlot* slot = slot_of(request);
    return slot != nullptr ? slot->unique : 0;
}

template <RequestQueue Q> Errc RequestLane<Q>::abandon(Request& request, LateReply& late, Errc why) noexcept {
    if (slot_of(request) == nullptr) {
        if (!waiting_.remove(request) && !waiting_for_another_.remove(request)) return Errc::wrong_state;
        settle_fast_limit();
    } else {
        const bool registered = !request.data_in.segments.empty() || !request.data_out.segments.empty();
        if (registered && late.memory == HeldMemory::none) return Errc::wrong_state;
        LaneSlot& slot = slots_.at(request.slot);
        late.op = request.op;
        late.unique = slot.unique;
        late.nodeid = request.nodeid;
        late.data = slot.out_at == 0 ? request.data_out.host : nullptr;
        late.granted = {};
        slot.late = &late;
        slot.kind = LaneSlot::Kind::late;
        ++counters_.abandoned;
        request.errc = why;
        if (options_.trace.finished != nullptr) trace_finished(request.slot, request, 0, TraceEnd::abandoned);
    }
    request.errc = why;
    request.on_done(request);
    return Errc::ok;
}

// Returns kNoSlot for a transfer that is not on the fast path of this lane. A transfer does not know its slot, which would
// cost each of them a store; letting go is rare, so it may search.
template <RequestQueue Q> Token RequestLane<Q>::token_of(const Transfer& transfer) const noexcept {
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        const Token token{static_cast<std::uint16_t>(i)};
        const LaneSlot* slot = slots_.find(token);
        const bool is_fast =
            slot != nullptr && (slot->kind == LaneSlot::Kind::fast_read || slot->kind == LaneSlot::Kind::fast_write);
        if (is_fast && slot->transfer == &transfer) return token;
    }
    return kNoSlot;
}

template <RequestQueue Q> std::uint64_t RequestLane<Q>::unique_of(const Transfer& transfer) const noexcept {
    if (transfer.slow_ != nullptr) return unique_of(*transfer.slow_);
    const LaneSlot* slot = slots_.find(token_of(transfer));
    return slot != nullptr ? slot->unique : 0;
}

template <RequestQueue Q> Errc RequestLane<Q>::abandon(Transfer& transfer, LateReply& late, Errc why) noexcept {
    if (transfer.slow_ != nullptr) return abandon(*transfer.slow_, late, why);
    const Token token = token_of(transfer);
    if (slots_.find(token) == nullptr || late.memory == HeldMemory::none) return Errc::wrong_state;
    LaneSlot& slot = slots_.at(token);
    const bool reads = slot.kind == LaneSlot::Kind::fast_read;
    late.op = &wire::op_info(reads ? wire::Opcode::read : wire::Opcode::write);
    late.unique = slot.unique;
    late.nodeid = 0; // neither of the two grants anything
    late.data = nullptr;
    late.granted = {};
    slot.late = &late;
    slot.kind = LaneSlot::Kind::late;
    ++counters_.abandoned;
    transfer.errc = why;
    transfer.error = abi::Errno::none;
    transfer.bytes = 0;
    transfer.on_done(transfer);
    return Errc::ok;
}

// A list or a slot may be another's after on_done, so that each one found starts the search anew.
template <RequestQueue Q> std::uint64_t RequestLane<Q>::expire(std::uint64_t now) noexcept {
    std::uint64_t next = 0;
    const auto is_over = [&](Request& request) noexcept {
        if (request.deadline == 0) return false;
        if (request.deadline <= now) return abandon(request, *request.late, Errc::timed_out) == Errc::ok;
        if (next == 0 || request.deadline < next) next = request.deadline;
        return false;
    };
    for (RequestFifo* line : {&waiting_, &waiting_for_another_}) {
        for (Request* at = line->first(); at != nullptr;) at = is_over(*at) ? line->first() : at->next;
    }
    for (std::size_t i = 0; i < slots_.capacity(); ++i) {
        LaneSlot* slot = slots_.find(Token{static_cast<std::uint16_t>(i)});
        if (slot != nullptr && slot->kind == LaneSlot::Kind::request) static_cast<void>(is_over(*slot->request));
    }
    return next;
}

template <RequestQueue Q> void RequestLane<Q>::finish_late(Token token, const LaneSlot& slot, Errc errc,
                                                           std::uint32_t len, std::int32_t error) noexcept {
    LateReply& late = *slot.late;
    late.verdict = {errc, static_cast<abi::Errno>(-error)};
    ++counters_.late;
    operations_.count(*late.op, late.verdict.errc, late.verdict.error);
    const std::uint32_t body = len - kOutHeader;
    if (late.verdict.succeeded() && body >= slot.expected.fixed) {
        const std::byte* const out = slot.block + slot.out_at + kOutHeader;
        late.granted = granted_by(*late.op, late.nodeid, out);
        if (late.op->grants.lookups == wire::Grants::Lookups::each_record) {
            late.granted.records = {late.data != nullptr ? late.data : out + slot.expected.fixed,
                                    body - slot.expected.fixed};
        }
    }
    if (options_.trace.finished != nullptr) trace_late(token, late, len);
    late.on_late(late);
}

template <RequestQueue Q>
void RequestLane<Q>::trace_late(Token token, const LateReply& late, std::uint32_t bytes) noexcept {
    TraceEvent event = event_of(token, *late.op, late.nodeid);
    event.end = TraceEnd::late;
    event.received = late.verdict.errc == Errc::ok ? bytes : 0;
    event.error = static_cast<std::int32_t>(late.verdict.error);
    event.errc = late.verdict.errc;
    options_.trace.finished(options_.trace.context, event);
}

} // namespace vfsproto::client
