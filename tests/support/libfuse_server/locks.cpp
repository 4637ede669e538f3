// SPDX-License-Identifier: BSD-2-Clause
// Locks of whole files. All are exclusive; who has to wait is answered later, or interrupted.
#include "server.hpp"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>

namespace vfsproto::test::libfuse {
namespace {

// Gives a free lock to who has waited longest for it.
void pass_on(Server& server, fuse_ino_t id) {
    Node* const node = server.tree.find(id);
    if (node == nullptr || node->locker != 0) return;
    const auto next = std::find_if(server.waiting.begin(), server.waiting.end(),
                                   [id](const LockWait& wait) { return wait.id == id; });
    if (next == server.waiting.end()) return;
    const LockWait granted = *next;
    server.waiting.erase(next);
    node->locker = granted.fh;
    fuse_reply_err(granted.request, 0);
}

// libfuse calls this on the thread of its loop, when it reads INTERRUPT.
void interrupted(fuse_req_t request, void*) {
    Server& server = server_of(request);
    const auto at = std::find_if(server.waiting.begin(), server.waiting.end(),
                                 [request](const LockWait& wait) { return wait.request == request; });
    if (at == server.waiting.end()) return;
    server.waiting.erase(at);
    ++server.interrupts;
    fuse_reply_err(request, EINTR);
}

void lock_whole(fuse_req_t request, fuse_ino_t id, fuse_file_info* file, int operation) {
    Server& server = server_of(request);
    Node* const node = server.tree.find(id);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
    } else if ((operation & LOCK_UN) != 0) {
        unlock(server, id, file->fh);
        fuse_reply_err(request, 0);
    } else if (node->locker == 0 || node->locker == file->fh) {
        node->locker = file->fh;
        fuse_reply_err(request, 0);
    } else if ((operation & LOCK_NB) != 0) {
        fuse_reply_err(request, EWOULDBLOCK);
    } else {
        server.waiting.push_back({request, id, file->fh});
        fuse_req_interrupt_func(request, interrupted, nullptr);
    }
}

} // namespace

void unlock(Server& server, fuse_ino_t id, std::uint64_t fh) {
    Node* const node = server.tree.find(id);
    if (node == nullptr || node->locker != fh) return;
    node->locker = 0;
    pass_on(server, id);
}

void add_locks(fuse_lowlevel_ops& operations) { operations.flock = lock_whole; }

} // namespace vfsproto::test::libfuse
