// SPDX-License-Identifier: BSD-2-Clause
// Files of the host in the shared memory window of the device.
#include "state.hpp"

#include "vfsproto/backends/mapping_sink.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

// The file is opened by its node, whatever the handle: Linux names none. What a client maps it could open as well.
void Passthrough::handle(const In<Opcode::setupmapping>& request, Out<Opcode::setupmapping>& reply) noexcept {
    MappingSink* const window = state_->window.get();
    if (window == nullptr) return reply.error(wire::Errno::enosys);
    const wire::SetupmappingIn& in = request.in;
    constexpr wire::u64 kKnown = wire::kSetupmappingRead | wire::kSetupmappingWrite;
    const WindowPiece piece{in.moffset, in.len};
    if ((in.flags & kKnown) == 0 || (in.flags & ~kKnown) != 0 || !window->fits(piece)) {
        return reply.error(wire::Errno::einval);
    }
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(wire::Errno::estale);
    if (inode->type != S_IFREG) return reply.error(wire::Errno::ebadf); // opening it could block, or reach a device
    const bool writes = (in.flags & wire::kSetupmappingWrite) != 0;
    if (writes && state_->read_only()) return reply.error(wire::Errno::erofs);
    const FileDescriptor fd = state_->reopen(inode->fd.get(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (!fd) return reply.error(last_error());
    const WindowAccess access = writes ? WindowAccess::write : WindowAccess::read;
    const int error = window->map(fd.get(), in.foffset, piece, access);
    return error == 0 ? reply.ok() : reply.error(to_errno(error));
}

// Entries that make no sense are found before any is removed.
void Passthrough::handle(const In<Opcode::removemapping>& request, Out<Opcode::removemapping>& reply) noexcept {
    MappingSink* const window = state_->window.get();
    if (window == nullptr) return reply.error(wire::Errno::enosys);
    if (request.in.count == 0) return reply.error(wire::Errno::einval);
    wire::RemovemappingOne one{};
    for (auto reader = server::records(request); reader.next(one);) {
        if (!window->fits({one.moffset, one.len})) return reply.error(wire::Errno::einval);
    }
    // Memory of a client that changes meanwhile is checked once more by the window.
    int error = 0;
    for (auto reader = server::records(request); reader.next(one);) {
        const int failed = window->unmap({one.moffset, one.len});
        if (failed != 0) error = failed;
    }
    return error == 0 ? reply.ok() : reply.error(to_errno(error));
}

} // namespace vfsproto::backends
