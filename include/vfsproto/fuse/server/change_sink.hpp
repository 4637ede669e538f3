// SPDX-License-Identifier: BSD-2-Clause
// A file system tells here what others than its client have changed, so that the client drops what it keeps of it.
#pragma once

#include "vfsproto/fuse/wire/name.hpp"

#include <concepts>
#include <cstdint>

namespace vfsproto::server {

struct Change {
    enum class What : std::uint8_t {
        file, // attributes or contents of the file `nodeid` (INVAL_INODE)
        name, // `name` in the directory `nodeid`: made, removed or renamed (INVAL_ENTRY)
        // Nobody knows what (INC_EPOCH). This engine's clients drop all that they keep. Linux looks each name up anew, which brings
        // attributes as well, but goes on with attributes and contents of files that it holds open.
        anything,
    } what = What::anything;
    std::uint64_t nodeid = 0;
    wire::Name name{}; // valid during the call
};

class ChangeSink {
public:
    // Any thread, but not from inside a handler. Never waits for the client, and holds locks only while it writes: what the client
    // has no room for is told later as `anything`.
    virtual void tell(const Change& change) noexcept = 0;

protected:
    ~ChangeSink() = default;
};

// A file system that can tell of changes has these two:
//   can_tell_changes   true if it is going to; fixed for its lifetime
//   tell_changes_to    called with a sink when a client that takes notifications begins, before its INIT; with nullptr when that
//                      client has ended. When it returns, the sink it had before is not called any more.
template <class Fs>
concept TellsChanges = requires(Fs& fs, ChangeSink* sink) {
    { fs.can_tell_changes() } noexcept -> std::same_as<bool>;
    { fs.tell_changes_to(sink) } noexcept;
};

} // namespace vfsproto::server
