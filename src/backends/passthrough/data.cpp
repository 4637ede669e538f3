// SPDX-License-Identifier: BSD-2-Clause
// Open files: OPEN, READ, WRITE and what else works on a handle.
#include "open_flags.hpp"
#include "own_file_change.hpp"
#include "segment_io.hpp"
#include "state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace vfsproto::backends {

namespace {

using FileRef = Slab<OpenFile>::Ref;

// A handle of a file, not of a directory.
FileRef file_of(Slab<OpenFile>& files, std::uint64_t fh) noexcept {
    FileRef file = files.acquire(fh);
    if (file && file->directory) return {};
    return file;
}

} // namespace

void Passthrough::handle(const In<Opcode::open>& request, Out<Opcode::open>& reply) noexcept {
    const SessionNumber session = state_->inodes.session();
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type == S_IFDIR) return reply.error(abi::Errno::eisdir);
    if (inode->type == S_IFLNK) return reply.error(abi::Errno::eloop);
    if (inode->type != S_IFREG) return reply.error(abi::Errno::ebadf); // opening it could block, or reach a device
    const OpenFlags flags = open_flags_of(request.in.flags);
    if (flags.writes && state_->read_only()) return reply.error(abi::Errno::erofs);
    if (!state_->has_room(1)) return reply.error(abi::Errno::emfile);
    const bool truncated = (request.in.flags & abi::kOTrunc) != 0;
    const OwnFileChange truncation(state_->watch, truncated ? request.header.nodeid : 0);
    OpenFile file{state_->reopen(inode->fd.get(), flags.host), nullptr, flags.writes, request.header.nodeid};
    if (!file.fd) return reply.error(last_error());
    if (truncated && (request.in.open_flags & wire::kOpenKillSuidgid) != 0) {
        if (const int error = State::strip_privileges(file.fd.get()); error != 0) return reply.error(to_errno(error));
    }
    std::uint64_t fh = 0;
    if (const int error = state_->add_handle(std::move(file), session, fh); error != 0) {
        return reply.error(to_errno(error));
    }
    return reply.ok({fh, 0, 0});
}

void Passthrough::handle(const In<Opcode::read>& request, Out<Opcode::read>& reply) noexcept {
    const FileRef file = file_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    const server::ByteView area = reply.data_area(request.in.size);
    const Transferred done = read_segments(file->fd.get(), area, request.in.offset);
    if (done.error != 0) return reply.error(to_errno(done.error));
    return reply.ok_written(done.bytes);
}

void Passthrough::handle(const In<Opcode::write>& request, Out<Opcode::write>& reply) noexcept {
    const FileRef file = file_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    const OwnFileChange written(state_->watch, file->nodeid);
    const int fd = file->fd.get();
    const Transferred done =
        appends(request.in) ? append_segments(fd, request.data) : write_segments(fd, request.data, request.in.offset);
    if (done.error != 0) return reply.error(to_errno(done.error));
    if ((request.in.write_flags & wire::kWriteKillSuidgid) != 0 && done.bytes != 0) {
        // The bytes are written: an error here is not one of the WRITE.
        static_cast<void>(State::strip_privileges(fd));
    }
    return reply.ok({static_cast<wire::u32>(done.bytes), 0});
}

// Closes a duplicate: file systems that report errors late (quotas, networks) do it in close(2). A process at its limit of
// descriptors cannot have one, and asks nothing: the data is safe, and the client's close(2) must not fail for that.
void Passthrough::handle(const In<Opcode::flush>& request, Out<Opcode::flush>& reply) noexcept {
    const FileRef file = state_->files.acquire(request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    state_->drop_records(request.header.nodeid, request.in.lock_owner);
    if (!file->writable) return reply.ok();
    const int duplicate = ::fcntl(file->fd.get(), F_DUPFD_CLOEXEC, 0);
    if (duplicate >= 0 && ::close(duplicate) != 0) return reply.error(last_error());
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::release>& request, Out<Opcode::release>& reply) noexcept {
    std::uint64_t nodeid = 0;
    {
        const FileRef file = file_of(state_->files, request.in.fh);
        if (!file) return reply.error(abi::Errno::ebadf);
        nodeid = file->nodeid;
    }
    if (!state_->files.retire(request.in.fh)) return reply.error(abi::Errno::ebadf);
    state_->parked_locks.end_handle(request.in.fh);
    state_->end_records(nodeid, request.in.fh);
    state_->parked_locks.try_again(nodeid); // its lock of the whole file ended with it
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::fsync>& request, Out<Opcode::fsync>& reply) noexcept {
    const FileRef file = state_->files.acquire(request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    if (sync_file(file->fd.get(), request.in.fsync_flags) != 0) return reply.error(last_error());
    return reply.ok();
}

// May answer EINTR, as fallocate(2) may: a file system that begins anew each time would never end if it were repeated.
void Passthrough::handle(const In<Opcode::fallocate>& request, Out<Opcode::fallocate>& reply) noexcept {
    const FileRef file = file_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    const OwnFileChange allocated(state_->watch, file->nodeid);
    if (::fallocate(file->fd.get(), static_cast<int>(request.in.mode), static_cast<off_t>(request.in.offset),
                    static_cast<off_t>(request.in.length)) != 0) {
        return reply.error(last_error());
    }
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::lseek>& request, Out<Opcode::lseek>& reply) noexcept {
    static_assert(abi::kSeekData == SEEK_DATA && abi::kSeekHole == SEEK_HOLE);
    const FileRef file = file_of(state_->files, request.in.fh);
    if (!file) return reply.error(abi::Errno::ebadf);
    // A handle has no position of its own: READ and WRITE bring theirs.
    if (request.in.whence == SEEK_CUR) return reply.error(abi::Errno::einval);
    const off_t found =
        ::lseek(file->fd.get(), static_cast<off_t>(request.in.offset), static_cast<int>(request.in.whence));
    if (found < 0) return reply.error(last_error());
    return reply.ok({static_cast<wire::u64>(found)});
}

namespace {

Transferred copy_range(HostWatch& watch, Slab<OpenFile>& files, const wire::CopyFileRangeIn& in,
                       std::uint64_t most) noexcept {
    const FileRef from = file_of(files, in.fh_in);
    const FileRef to = file_of(files, in.fh_out);
    if (!from || !to) return {0, EBADF};
    const OwnFileChange written(watch, to->nodeid);
    auto from_offset = static_cast<off_t>(in.off_in);
    auto to_offset = static_cast<off_t>(in.off_out);
    const std::uint64_t length = in.len < most ? in.len : most;
    const ssize_t done = uninterrupted([&] {
        return ::copy_file_range(from->fd.get(), &from_offset, to->fd.get(), &to_offset, length,
                                 static_cast<unsigned>(in.flags));
    });
    if (done < 0) return {0, errno};
    return {static_cast<std::uint64_t>(done), 0};
}

} // namespace

void Passthrough::handle(const In<Opcode::copy_file_range>& request, Out<Opcode::copy_file_range>& reply) noexcept {
    constexpr std::uint64_t kMost = 0xfffff000; // the reply counts in 32 bits
    const Transferred done = copy_range(state_->watch, state_->files, request.in, kMost);
    if (done.error != 0) return reply.error(to_errno(done.error));
    return reply.ok({static_cast<wire::u32>(done.bytes), 0});
}

void Passthrough::handle(const In<Opcode::copy_file_range_64>& request,
                         Out<Opcode::copy_file_range_64>& reply) noexcept {
    constexpr std::uint64_t kMost = 0x7ffffffffffff000;
    const Transferred done = copy_range(state_->watch, state_->files, request.in, kMost);
    if (done.error != 0) return reply.error(to_errno(done.error));
    return reply.ok({done.bytes});
}

} // namespace vfsproto::backends
