// SPDX-License-Identifier: BSD-2-Clause
// A file system behind libfuse's low-level session, for tests of a client: nothing of ours is in it. Beside files it has
// these, all reached through FUSE itself:
//   xattr user.lookups of the root      the lookups the client holds
//   xattr user.interrupts of the root   the reads and waits that were interrupted
//   xattr user.waiting of the root      the requests that wait for a lock
//   xattr user.retrieved of the root    the answers to user.notify.retrieve that came
//   setting user.notify.inode, .entry, .store or .retrieve of a node   sends a notification about it, before the reply
//   setting user.notify.child of a directory   sends INVAL_INODE about the child whose name is the value
//   setting user.change.content, .file or .gone of a directory   changes the child whose name is the value, as somebody else
//                                       would, and tells nobody; .deleted is .gone, and tells
//   reading a file called "blocks"      waits until it is interrupted
#pragma once

#define FUSE_USE_VERSION 312

#include "tree.hpp"

#include <fuse3/fuse_lowlevel.h>

#include <cstdint>
#include <list>
#include <string>

namespace vfsproto::test::libfuse {

// A request that waits for the lock of a whole file.
struct LockWait {
    fuse_req_t request;
    fuse_ino_t id;
    std::uint64_t fh;
};

struct Server {
    Tree tree;
    fuse_session* session = nullptr;
    std::uint64_t interrupts = 0;
    std::uint64_t retrieved = 0;
    std::uint64_t opened = 0; // files and directories
    std::list<LockWait> waiting;
    bool destroyed = false;
};

[[nodiscard]] Server& server_of(fuse_req_t request);

// The operations in the order of the files that have them.
void add_names(fuse_lowlevel_ops& operations);
void add_files(fuse_lowlevel_ops& operations);
void add_directories(fuse_lowlevel_ops& operations);
void add_xattrs(fuse_lowlevel_ops& operations);
void add_locks(fuse_lowlevel_ops& operations);

// Gives up the lock of the whole file, if this handle has it.
void unlock(Server& server, fuse_ino_t id, std::uint64_t fh);

// Counts a lookup and fills in what the client may know of a node; nothing of it may be kept.
[[nodiscard]] fuse_entry_param entry_of(Server& server, Node& node);

} // namespace vfsproto::test::libfuse
