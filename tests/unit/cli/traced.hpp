// SPDX-License-Identifier: BSD-2-Clause
// Requests and answers for the tests of what writes them down.
#pragma once

#include "../../../src/cli/traced_request.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <cstring>
#include <string>

namespace vfsproto::test {

// Any bytes at all may be in a name that comes from a server: the end of a quotation, a line of its own, an escape of a
// terminal, no UTF-8.
inline const std::string kHostileName = "a\"\\\n\x1b[2J\x01\xff\xc3(";

// A trace that began at 2026-11-29 14:23:08.5 UTC.
inline const cli::TraceClock kClock{
    std::chrono::system_clock::time_point{std::chrono::milliseconds{1'795'962'188'500}}};

// Returns a request of this row, as the server gets it: started 1 us after the trace.
template <wire::Opcode Op> cli::TracedRequest request(const wire::InOf<Op>& in = {}) {
    cli::TracedRequest request;
    request.op = &wire::op_info(Op);
    request.unique = 0x20040;
    request.nodeid = 5;
    request.caller = {1000, 1001, 77};
    request.sent = 48;
    request.slot = 2;
    request.lane = 1;
    request.in_size = request.op->in_size;
    if (request.in_size != 0) std::memcpy(request.in.data(), &in, request.in_size);
    request.start = std::chrono::microseconds{1};
    return request;
}

// Returns an answer that came 12.345 us later. `out` outlives it.
template <class Out> cli::TracedAnswer answer(const Out& out) {
    cli::TracedAnswer answer;
    answer.moment = std::chrono::nanoseconds{13'345};
    answer.received = 16 + sizeof(out);
    answer.out = std::as_bytes(std::span(&out, 1));
    return answer;
}
inline cli::TracedAnswer failure(abi::Errno error) {
    cli::TracedAnswer answer;
    answer.moment = std::chrono::nanoseconds{13'345};
    answer.received = 16;
    answer.error = static_cast<std::int32_t>(error);
    return answer;
}

} // namespace vfsproto::test
