// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/session_trace.hpp"

namespace vfsproto::client {

void SessionTrace::submitted(const SessionRequest& request, const std::byte* bytes) noexcept {
    if (hook_.started == nullptr) return;
    wire::InHeader header;
    __builtin_memcpy(&header, bytes, sizeof(header));
    TraceEvent& event = events_[index_of(request.queue, request.token)];
    event = {};
    event.op = wire::find_op(header.opcode);
    if (event.op == nullptr) return; // the device wrote over it
    event.unique = header.unique;
    event.nodeid = header.nodeid;
    event.sent = request.readable.len;
    event.slot = static_cast<std::uint16_t>(index_of(request.queue, request.token));
    hook_.started(hook_.context, event);
}

void SessionTrace::completed(wire::QueueKind queue, Token token, std::uint32_t written, wire::Errno answered) noexcept {
    const std::size_t index = index_of(queue, token);
    if (hook_.finished == nullptr || index >= kEvents || events_[index].op == nullptr) return;
    TraceEvent& event = events_[index];
    event.received = written;
    event.error = static_cast<std::int32_t>(answered);
    hook_.finished(hook_.context, event);
    event.op = nullptr;
}

} // namespace vfsproto::client
