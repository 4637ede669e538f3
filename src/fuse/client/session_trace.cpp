// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/detail/session_trace.hpp"

#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/base/smaller.hpp"

namespace vfsproto::client {
namespace {

// Returns how much of a struct of `size` bytes lies in a message of `length` bytes with a header of `header`.
std::uint32_t struct_in(std::uint32_t length, std::size_t header, std::uint32_t size) noexcept {
    const auto head = static_cast<std::uint32_t>(header);
    return length < head ? 0 : smaller(length - head, size);
}

} // namespace

TraceEvent SessionTrace::event_of(std::size_t index) const noexcept {
    TraceEvent event;
    event.op = open_[index].op;
    event.unique = open_[index].unique;
    event.nodeid = open_[index].nodeid;
    event.slot = static_cast<std::uint16_t>(index);
    return event;
}

void SessionTrace::submitted(const SessionRequest& request, const Region& memory) noexcept {
    if (hook_.started == nullptr && hook_.finished == nullptr) return;
    const std::size_t index = index_of(request.queue, request.token);
    const wire::OpInfo& op = *request.head.op;
    const Segment& room = request.writable;
    open_[index] = {&op, request.head.unique, request.head.nodeid,
                    room.len != 0 ? memory.at(room.addr, room.len) : nullptr, room.len};
    if (hook_.started == nullptr) return;
    TraceEvent start = event_of(index);
    start.sent = request.readable.len;
    start.caller.pid = request.head.pid;
    const std::byte* const body = memory.at(request.readable.addr, request.readable.len) + sizeof(wire::InHeader);
    std::byte in[wire::kMaxInSize];
    const std::uint32_t in_size = struct_in(request.readable.len, sizeof(wire::InHeader), op.in_size);
    copy_from_peer(in, body, in_size);
    start.in = {in, in_size};
    const std::size_t before = sizeof(wire::InHeader) + in_size;
    if (op.in_tail == wire::InTail::array) start.records = {body + in_size, request.readable.len - before};
    hook_.started(hook_.context, start);
}

void SessionTrace::completed(wire::QueueKind queue, Token token, std::uint32_t written,
                             const Verdict& verdict) noexcept {
    const std::size_t index = index_of(queue, token);
    if (hook_.finished == nullptr || index >= kOpen || open_[index].op == nullptr) return;
    const Open open = open_[index];
    TraceEvent event = event_of(index);
    open_[index].op = nullptr;
    event.received = smaller(written, open.answer_room);
    event.error = static_cast<std::int32_t>(verdict.error);
    event.errc = verdict.errc;
    std::byte out[wire::kMaxOutSize];
    if (event.received >= sizeof(wire::OutHeader)) {
        wire::OutHeader header;
        copy_from_peer(&header, open.answer, sizeof(header));
        if (lengths_ == WrittenLength::upper_bound) event.received = smaller(header.len, event.received);
        // The session looks at the answers of the request queue alone.
        const bool is_judged = queue == wire::QueueKind::request;
        if (!is_judged && header.error < 0 && header.error >= -abi::kMaxErrno) event.error = -header.error;
        const std::uint32_t size = struct_in(event.received, sizeof(header), open.op->out_size);
        if (verdict.succeeded()) {
            copy_from_peer(out, open.answer + sizeof(header), size);
            event.out = {out, size};
        }
    }
    hook_.finished(hook_.context, event);
}

void SessionTrace::lost(Errc why) noexcept {
    for (std::size_t i = 0; i < kOpen; ++i) {
        if (open_[i].op == nullptr) continue;
        TraceEvent event = event_of(i);
        open_[i].op = nullptr;
        event.errc = why;
        if (hook_.finished != nullptr) hook_.finished(hook_.context, event);
    }
}

} // namespace vfsproto::client
