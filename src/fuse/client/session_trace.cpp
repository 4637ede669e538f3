// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/session_trace.hpp"

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

void SessionTrace::submitted(const SessionRequest& request, const Region& memory) noexcept {
    if (hook_.started == nullptr && hook_.finished == nullptr) return;
    const std::byte* const bytes = memory.at(request.readable.addr, request.readable.len);
    const Segment& writable = request.writable;
    wire::InHeader header;
    copy_from_peer(&header, bytes, sizeof(header));
    const std::size_t index = index_of(request.queue, request.token);
    TraceEvent& event = events_[index];
    event = {};
    event.op = wire::find_op(header.opcode);
    if (event.op == nullptr) return; // the device wrote over it
    answers_[index] = writable.len != 0 ? memory.at(writable.addr, writable.len) : nullptr;
    event.unique = header.unique;
    event.nodeid = header.nodeid;
    event.sent = request.readable.len;
    event.slot = static_cast<std::uint16_t>(index);
    if (hook_.started == nullptr) return;
    TraceEvent start = event;
    start.caller = {header.uid, header.gid, header.pid};
    std::byte in[wire::kMaxInSize];
    const std::uint32_t in_size = struct_in(request.readable.len, sizeof(header), event.op->in_size);
    copy_from_peer(in, bytes + sizeof(header), in_size);
    start.in = {in, in_size};
    const std::size_t before = sizeof(header) + in_size;
    if (event.op->in_tail == wire::InTail::array) start.records = {bytes + before, request.readable.len - before};
    hook_.started(hook_.context, start);
}

void SessionTrace::completed(wire::QueueKind queue, Token token, std::uint32_t written,
                             const Verdict& verdict) noexcept {
    const std::size_t index = index_of(queue, token);
    if (hook_.finished == nullptr || index >= kEvents || events_[index].op == nullptr) return;
    TraceEvent event = events_[index];
    events_[index].op = nullptr;
    event.sent = 0;
    event.received = written;
    event.error = static_cast<std::int32_t>(verdict.error);
    event.errc = verdict.errc;
    std::byte out[wire::kMaxOutSize];
    if (answers_[index] != nullptr && written >= sizeof(wire::OutHeader) && verdict.succeeded()) {
        wire::OutHeader header;
        copy_from_peer(&header, answers_[index], sizeof(header));
        if (header.error < 0 && header.error >= -wire::kMaxErrno) event.error = -header.error;
        const std::uint32_t size = struct_in(written, sizeof(header), event.op->out_size);
        copy_from_peer(out, answers_[index] + sizeof(header), size);
        event.out = {out, size};
    }
    hook_.finished(hook_.context, event);
}

} // namespace vfsproto::client
