// SPDX-License-Identifier: BSD-2-Clause
// The file system seam: a class with one overload of handle() for every row it answers.
//
// Example (examples/5_own_file_system.cpp):
//
//     void handle(const server::RequestOf<Opcode::getattr>& request, server::ReplyTo<Opcode::getattr>& reply) noexcept {
//         wire::AttrOut out{};
//         out.attr = attributes(request.header.nodeid);
//         reply.ok(out);
//     }
//
// An overload that is absent answers ENOSYS, one that nearly fits its row does not compile (handler_form.hpp); INIT and DESTROY
// never get here. A handler says its reply through `reply` before it returns, or parks the request: `kept = reply.park(room)`
// keeps what is needed to answer it later through ServerLane::complete(). Rows whose reply is never owed (FORGET) need not say
// anything.
//
// Handlers of one file system run on several lanes at once, hiprio's included: a FORGET may pass a LOOKUP. What an entry
// reply counts is counted before the reply is given. Nothing in a request is trusted beyond its framing: names may be
// empty or hold a '/', nodeids and handles may be any number.
#pragma once

#include "vfsproto/fuse/server/detail/handler_form.hpp"
#include "vfsproto/fuse/server/reply_writer.hpp"
#include "vfsproto/fuse/server/request_view.hpp"
#include "vfsproto/fuse/server/server_session.hpp"

#include <concepts>
#include <cstdint>

namespace vfsproto::server {

// Every file system has these three:
//   options     returns what it offers at INIT
//   on_init     a session begins; the agreed parameters are in it
//   on_destroy  it ended (DESTROY, or another INIT): nodes and handles are void. What is parked becomes answerable with
//               ENOTCONN. Other lanes may still be inside a handler.
template <class Fs>
concept FileSystem = requires(Fs& fs, const ServerSession& session) {
    { fs.options() } noexcept -> std::same_as<ServerOptions>;
    { fs.on_init(session) } noexcept;
    { fs.on_destroy() } noexcept;
};

// A file system that parks requests also has these two:
//   answer_parked   completes, through lane.complete(), the requests of lane.id() that can be answered now. Called by the
//                   lane's owner before and after it serves. Where threads share the queue (LockableQueue), others call
//                   it too, with the queue locked and perhaps while a handler of this lane runs. Returns how many.
//                   An answer that no request brings about needs an AnswerSink (answer_sink.hpp).
//   abandon_parked  forgets the requests of this lane: its queue was reset and its chains are gone. Never called while
//                   answer_parked() or a handler of this lane runs.
template <class Fs, class Lane>
concept ParksOn = requires(Fs& fs, Lane& lane, std::uint16_t id) {
    { fs.answer_parked(lane) } noexcept -> std::same_as<std::size_t>;
    { fs.abandon_parked(id) } noexcept;
};

} // namespace vfsproto::server
