// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes, by the path of the inode's descriptor: that reaches symlinks themselves as well.
#include "own_file_change.hpp"
#include "state.hpp"

#include <sys/xattr.h>

#include <memory>
#include <new>

namespace vfsproto::backends {

namespace {

constexpr wire::u32 kAclKillSgid = 1u << 0; // fuse.h, FUSE_SETXATTR_ACL_KILL_SGID

using Buffer = std::unique_ptr<char[]>;

// The value in one piece: where the driver put it, or gathered in `room`. nullptr when there is no memory.
const void* in_one_piece(const server::ByteView& data, Buffer& room) noexcept {
    if (data.segments.empty()) return "";
    if (data.segments.size() == 1) return data.segments[0].data;
    room.reset(new (std::nothrow) char[data.size]);
    if (!room) return nullptr;
    std::size_t at = 0;
    for (const HostSegment& segment : data.segments) {
        __builtin_memcpy(room.get() + at, segment.data, segment.len);
        at += segment.len;
    }
    return room.get();
}

// GETXATTR and LISTXATTR: `call(buffer, size)` is the system call. Size 0 asks how much there is.
template <class ReplyType, class Call> void answer_with(ReplyType& reply, wire::u32 size, Call&& call) noexcept {
    if (size == 0) {
        const ssize_t length = call(nullptr, std::size_t{0});
        if (length < 0) return reply.error(last_error());
        return reply.ok({static_cast<wire::u32>(length), 0});
    }
    const std::size_t most = size < abi::kXattrSizeMax ? size : abi::kXattrSizeMax;
    const server::ByteView area = reply.data_area(most);
    if (area.size == most && area.segments.size() == 1) {
        const ssize_t length = call(area.segments[0].data, most);
        return length < 0 ? reply.error(last_error()) : reply.ok_written(static_cast<std::uint64_t>(length));
    }
    const Buffer room(new (std::nothrow) char[most]);
    if (!room) return reply.error(abi::Errno::enomem);
    const ssize_t length = call(room.get(), most);
    if (length < 0) return reply.error(last_error());
    return reply.data(std::as_bytes(std::span<const char>(room.get(), static_cast<std::size_t>(length))));
}

// An ACL set by somebody outside the group takes the set-group-id bit away.
int drop_set_group_id(int fd) noexcept {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return errno;
    if ((status.st_mode & S_ISGID) == 0) return 0;
    return ::chmod(DescriptorPath(fd).text(), status.st_mode & 07777 & ~static_cast<mode_t>(S_ISGID)) == 0 ? 0 : errno;
}

} // namespace

void Passthrough::handle(const In<Opcode::setxattr>& request, Out<Opcode::setxattr>& reply) noexcept {
    static_assert(abi::kXattrCreate == XATTR_CREATE && abi::kXattrReplace == XATTR_REPLACE);
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (request.data.size > abi::kXattrSizeMax) return reply.error(abi::Errno::e2big);
    Buffer room;
    const void* value = in_one_piece(request.data, room);
    if (value == nullptr) return reply.error(abi::Errno::enomem);
    const int fd = inode->fd.get();
    const OwnFileChange change(state_->watch, request.header.nodeid);
    if (::setxattr(DescriptorPath(fd).text(), request.name.data(), value, request.data.size,
                   static_cast<int>(request.in.flags)) != 0) {
        return reply.error(last_error());
    }
    if ((request.in.setxattr_flags & kAclKillSgid) != 0) {
        if (const int error = drop_set_group_id(fd); error != 0) return reply.error(to_errno(error));
    }
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::getxattr>& request, Out<Opcode::getxattr>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    const DescriptorPath path(inode->fd.get());
    return answer_with(reply, request.in.size, [&](void* buffer, std::size_t size) {
        return ::getxattr(path.text(), request.name.data(), buffer, size);
    });
}

void Passthrough::handle(const In<Opcode::listxattr>& request, Out<Opcode::listxattr>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    const DescriptorPath path(inode->fd.get());
    return answer_with(reply, request.in.size, [&](void* buffer, std::size_t size) {
        return ::listxattr(path.text(), static_cast<char*>(buffer), size);
    });
}

void Passthrough::handle(const In<Opcode::removexattr>& request, Out<Opcode::removexattr>& reply) noexcept {
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    const OwnFileChange change(state_->watch, request.header.nodeid);
    if (::removexattr(DescriptorPath(inode->fd.get()).text(), request.name.data()) != 0) {
        return reply.error(last_error());
    }
    return reply.ok();
}

} // namespace vfsproto::backends
