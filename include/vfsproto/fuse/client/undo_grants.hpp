// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/client/late_reply.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <cstdint>
#include <utility>

namespace vfsproto::client {

// Tells `undo` everything that has to be given back: undo.release(opcode, nodeid, fh) for a handle, with the opcode of the
// request that closes it, then undo.forget(nodeid) for each lookup. A FORGET travels on another queue and can overtake: the
// FORGET of the node whose handle is closed must wait until the release was answered. Where the records of a listing break off,
// those before that place are told. Takes 1.3 KiB of stack.
template <class Undo> void undo_grants(const Granted& granted, Undo&& undo) {
    if (granted.gives_back != wire::Opcode{}) undo.release(granted.gives_back, granted.handle_node, granted.handle);
    if (granted.nodeid != 0) undo.forget(granted.nodeid);
    if (!granted.records.empty()) {
        wire::DirentplusReader reader(granted.records);
        while (reader.next()) {
            const auto& record = reader.entry();
            const bool counts = record.entry.nodeid != 0 && !record.dirent.name.is_dot_or_dot_dot();
            if (counts) undo.forget(record.entry.nodeid);
        }
    }
}

} // namespace vfsproto::client
