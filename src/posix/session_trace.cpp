// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/session_trace.hpp"

#include <cstring>

namespace vfsproto::posix {

void SessionTrace::submitted(const client::SessionRequest& request, const std::byte* bytes) noexcept {
    if (hook_.started == nullptr) return;
    wire::InHeader header;
    std::memcpy(&header, bytes, sizeof(header));
    client::TraceEvent& event = events_[place(request.queue, request.token)];
    event = {};
    event.op = wire::find_op(header.opcode);
    if (event.op == nullptr) return; // the device wrote over it
    event.unique = header.unique;
    event.nodeid = header.nodeid;
    event.sent = request.readable.len;
    event.slot = static_cast<std::uint16_t>(place(request.queue, request.token));
    hook_.started(hook_.context, event);
}

void SessionTrace::completed(wire::QueueKind queue, Token token, std::uint32_t written, wire::Errno answered) noexcept {
    const std::size_t at = place(queue, token);
    if (hook_.finished == nullptr || at >= std::size(events_) || events_[at].op == nullptr) return;
    client::TraceEvent& event = events_[at];
    event.received = written;
    event.error = static_cast<std::int32_t>(answered);
    hook_.finished(hook_.context, event);
    event.op = nullptr;
}

} // namespace vfsproto::posix
