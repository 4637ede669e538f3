// SPDX-License-Identifier: BSD-2-Clause
// GETATTR, SETATTR, STATX, ACCESS and STATFS.
#include "own_file_change.hpp"
#include "state.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace vfsproto::backends {

void Passthrough::handle(const In<Opcode::getattr>& request, Out<Opcode::getattr>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    struct stat status; // NOLINT: filled by the host
    if (::fstat(inode->fd.get(), &status) != 0) return reply.error(last_error());
    return reply.ok(state_->attributes_of(status));
}

namespace {

int change_owner(int fd, const wire::SetattrIn& in) noexcept {
    const uid_t uid = (in.valid & wire::kSetattrUid) != 0 ? in.uid : static_cast<uid_t>(-1);
    const gid_t gid = (in.valid & wire::kSetattrGid) != 0 ? in.gid : static_cast<gid_t>(-1);
    return ::fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int change_times(int fd, const wire::SetattrIn& in) noexcept {
    auto wanted = [&](wire::u32 set, wire::u32 now, wire::u64 seconds, wire::u32 nanoseconds) {
        struct timespec time{};
        if ((in.valid & now) != 0) {
            time.tv_nsec = UTIME_NOW;
        } else if ((in.valid & set) == 0) {
            time.tv_nsec = UTIME_OMIT;
        } else {
            time.tv_sec = static_cast<time_t>(seconds);
            time.tv_nsec = static_cast<long>(nanoseconds);
        }
        return time;
    };
    if (in.atimensec > 999'999'999 || in.mtimensec > 999'999'999) return EINVAL; // UTIME_NOW and UTIME_OMIT hide there
    const struct timespec times[2] = {wanted(wire::kSetattrAtime, wire::kSetattrAtimeNow, in.atime, in.atimensec),
                                      wanted(wire::kSetattrMtime, wire::kSetattrMtimeNow, in.mtime, in.mtimensec)};
    return ::utimensat(AT_FDCWD, DescriptorPath(fd).text(), times, 0) == 0 ? 0 : errno;
}

int change_size(Slab<OpenFile>& files, int fd, const wire::SetattrIn& in) noexcept {
    const auto size = static_cast<off_t>(in.size);
    if ((in.valid & wire::kSetattrFh) != 0) {
        const Slab<OpenFile>::Ref file = files.acquire(in.fh);
        if (!file || file->directory) return EBADF;
        return uninterrupted([&] { return ::ftruncate(file->fd.get(), size); }) == 0 ? 0 : errno;
    }
    const DescriptorPath path(fd);
    return uninterrupted([&] { return ::truncate(path.text(), size); }) == 0 ? 0 : errno;
}

} // namespace

void Passthrough::handle(const In<Opcode::setattr>& request, Out<Opcode::setattr>& reply) noexcept {
    constexpr wire::u32 kTimes =
        wire::kSetattrAtime | wire::kSetattrMtime | wire::kSetattrAtimeNow | wire::kSetattrMtimeNow;
    const wire::SetattrIn& in = request.in;
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    const int fd = inode->fd.get();
    int error = 0;
    {
        const OwnFileChange change(state_->watch, request.header.nodeid);
        // The owner first: changing it clears set-id bits the mode may ask for. The times last: the size touches them.
        if ((in.valid & (wire::kSetattrUid | wire::kSetattrGid)) != 0) error = change_owner(fd, in);
        if (error == 0 && (in.valid & wire::kSetattrMode) != 0) {
            error = ::chmod(DescriptorPath(fd).text(), in.mode & 07777) == 0 ? 0 : errno;
        }
        if (error == 0 && (in.valid & wire::kSetattrSize) != 0) {
            // truncate(2) of a FIFO's or device's path says EINVAL by itself, without opening it.
            error = change_size(state_->files, fd, in);
            if (error == 0 && (in.valid & wire::kSetattrKillSuidgid) != 0) error = State::strip_privileges(fd);
        }
        if (error == 0 && (in.valid & kTimes) != 0) error = change_times(fd, in);
    }
    if (error != 0) return reply.error(to_errno(error));
    // The change is over by now: one that somebody else makes in between is in the reply, or is told.
    struct stat status; // NOLINT: filled by the host
    if (::fstat(fd, &status) != 0) return reply.error(last_error());
    return reply.ok(state_->attributes_of(status));
}

void Passthrough::handle(const In<Opcode::statx>& request, Out<Opcode::statx>& reply) noexcept {
    static_assert(abi::kAtStatxSyncType == AT_STATX_SYNC_TYPE);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    struct statx status{};
    const int flags = AT_EMPTY_PATH | static_cast<int>(request.in.sx_flags & abi::kAtStatxSyncType);
    const unsigned mask = request.in.sx_mask & (STATX_BASIC_STATS | STATX_BTIME);
    if (::statx(inode->fd.get(), "", flags, mask, &status) != 0) return reply.error(last_error());
    wire::StatxOut out{};
    out.attr_valid = state_->attr_valid.seconds;
    out.attr_valid_nsec = state_->attr_valid.nanoseconds;
    out.stat = statx_of(status);
    return reply.ok(out);
}

void Passthrough::handle(const In<Opcode::access>& request, Out<Opcode::access>& reply) noexcept {
    if ((request.in.mask & ~(abi::kROk | abi::kWOk | abi::kXOk)) != 0) return reply.error(abi::Errno::einval);
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (state_->read_only() && (request.in.mask & abi::kWOk) != 0) return reply.error(abi::Errno::erofs);
    const ActingAs caller(state_->process, request.header, {});
    if (caller.error() != 0) return reply.error(to_errno(caller.error()));
    // The check is made with the effective (file system) ids, which are the caller's now.
    if (::syscall(SYS_faccessat2, inode->fd.get(), "", request.in.mask, AT_EMPTY_PATH | AT_EACCESS) != 0) {
        return reply.error(last_error());
    }
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::statfs>& request, Out<Opcode::statfs>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    struct statfs status{};
    if (::fstatfs(inode->fd.get(), &status) != 0) return reply.error(last_error());
    wire::Kstatfs out{};
    out.blocks = status.f_blocks;
    out.bfree = status.f_bfree;
    out.bavail = status.f_bavail;
    out.files = status.f_files;
    out.ffree = status.f_ffree;
    out.bsize = static_cast<wire::u32>(status.f_bsize);
    out.namelen = static_cast<wire::u32>(status.f_namelen);
    out.frsize = static_cast<wire::u32>(status.f_frsize != 0 ? status.f_frsize : status.f_bsize);
    return reply.ok(out);
}

} // namespace vfsproto::backends
