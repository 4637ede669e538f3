// SPDX-License-Identifier: BSD-2-Clause
// A file system tells here that it can answer what it parked, where no other request made it so: a timer did, or a thread.
#pragma once

#include <concepts>
#include <cstdint>

namespace vfsproto::server {

class AnswerSink {
public:
    // Has answer_parked() called for this lane. Any thread, but not from inside a handler, and with no lock held that
    // answer_parked() takes. Never waits for a handler or for the client.
    virtual void can_answer(std::uint16_t lane) noexcept = 0;

protected:
    ~AnswerSink() = default;
};

// A file system whose parked requests become answerable by themselves has this besides what ParksOn asks for:
//   tell_answers_to   called with a sink before a client begins, if somebody listens; with nullptr when that client has ended.
//                     When it returns, the sink it had before is not called any more. Without a sink nothing may be parked that
//                     only time or the host can end: nobody would answer it.
template <class Fs>
concept AnswersUnasked = requires(Fs& fs, AnswerSink* sink) {
    { fs.tell_answers_to(sink) } noexcept;
};

} // namespace vfsproto::server
