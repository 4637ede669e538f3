// SPDX-License-Identifier: BSD-2-Clause
// A file system whose handler of GETATTR is written in several ways. handler_form_test.py compiles each; the lines that start
// with "// FORM" say what the compiler must answer: nothing, or an error with these words in it.
#include "vfsproto/fuse/server/file_system.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"

using namespace vfsproto;
using wire::Opcode;

class Files {
public:
    server::ServerOptions options() const noexcept { return {}; }
    void on_init(const server::ServerSession&) noexcept {}
    void on_destroy() noexcept {}

    void handle(const server::RequestOf<Opcode::statfs>&, server::ReplyTo<Opcode::statfs>& reply) noexcept {
        reply.error(abi::Errno::eio);
    }
#if FORM == 0
    // FORM 0: compiles
    void handle(const server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::getattr>&) noexcept {}
#elif FORM == 1
    // FORM 1: compiles (it answers no GETATTR)
#elif FORM == 2
    // FORM 2: compiles (one handler for every row)
    template <class Row> void handle(const server::Request<Row>&, server::Reply<Row>& reply) noexcept {
        reply.error(abi::Errno::eio);
    }
#elif FORM == 3
    // FORM 3: GETATTR | another second parameter
    void handle(const server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::setattr>&) noexcept {}
#elif FORM == 4
    // FORM 4: GETATTR | another first parameter
    void handle(server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::getattr>&) noexcept {}
#elif FORM == 5
    // FORM 5: GETATTR | another second parameter
    void handle(const server::RequestOf<Opcode::getattr>&, wire::AttrOut&) noexcept {}
#elif FORM == 6
    // FORM 6: GETATTR | a handler is noexcept
    void handle(const server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::getattr>&) {}
#elif FORM == 7
    // FORM 7: GETATTR | returns void
    bool handle(const server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::getattr>&) noexcept { return true; }
#elif FORM == 8
private:
    // FORM 8: GETATTR | private
    void handle(const server::RequestOf<Opcode::getattr>&, server::ReplyTo<Opcode::getattr>&) noexcept {}
#endif
};

template <class... Rows> void check_all(wire::RowList<Rows...>) { (server::check_handler<Files, Rows>(), ...); }

int main() { check_all(wire::OpTable{}); }
