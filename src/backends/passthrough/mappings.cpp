// SPDX-License-Identifier: BSD-2-Clause
// Files of the host in the shared memory window of the device.
#include "../mapping_request.hpp"
#include "state.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

// The file is opened by its node, whatever the handle: Linux names none. What a client maps it could open as well.
void Passthrough::handle(const In<Opcode::setupmapping>& request, Out<Opcode::setupmapping>& reply) noexcept {
    MappingSink* const window = state_->window.get();
    if (window == nullptr) return reply.error(abi::Errno::enosys);
    const wire::SetupmappingIn& in = request.in;
    if (!is_sound(*window, in)) return reply.error(abi::Errno::einval);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type != S_IFREG) return reply.error(abi::Errno::ebadf); // opening it could block, or reach a device
    const WindowAccess access = access_of(in);
    const bool writes = access == WindowAccess::write;
    if (writes && state_->read_only()) return reply.error(abi::Errno::erofs);
    const FileDescriptor fd = state_->reopen(inode->fd.get(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (!fd) return reply.error(last_error());
    const int error = window->map(fd.get(), in.foffset, {in.moffset, in.len}, access);
    return error == 0 ? reply.ok() : reply.error(to_errno(error));
}

void Passthrough::handle(const In<Opcode::removemapping>& request, Out<Opcode::removemapping>& reply) noexcept {
    MappingSink* const window = state_->window.get();
    if (window == nullptr) return reply.error(abi::Errno::enosys);
    const int error = remove_mappings(*window, request, [&](const WindowPiece& piece) { return window->unmap(piece); });
    return error == 0 ? reply.ok() : reply.error(to_errno(error));
}

} // namespace vfsproto::backends
