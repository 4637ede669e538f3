// SPDX-License-Identifier: BSD-2-Clause
// Handles the operations on open files and their bytes.
#include "core.hpp"

#include <algorithm>

namespace vfsproto::backends {
namespace {

constexpr u64 kMaxSize = 0x7fffffffffffffff;

struct OpenFile {
    MemfsNode* node = nullptr;
    const MemfsHandle* handle = nullptr;
};

Errno find_open(MemfsCore& core, u64 nodeid, u64 fh, OpenFile& to) {
    to.node = core.find_node(nodeid);
    if (to.node == nullptr) return Errno::estale;
    to.handle = core.find_handle(fh, nodeid);
    if (to.handle == nullptr || to.handle->directory) return Errno::ebadf;
    return Errno::none;
}

// False if the host cannot give the bytes.
bool read_into(const Content& content, u64 offset, const server::ByteView& area) {
    for (const HostSegment& segment : area.segments) {
        if (!content.read(offset, segment.data, segment.len)) return false;
        offset += segment.len;
    }
    return true;
}

u64 write_from(Content& content, u64 offset, const server::ByteView& data, u64 at_most) {
    u64 done = 0;
    for (const HostSegment& segment : data.segments) {
        const u64 now = std::min<u64>(segment.len, at_most - done);
        const u64 written = content.write(offset + done, segment.data, now);
        done += written;
        if (written < segment.len) break;
    }
    return done;
}

// True if the WRITE goes to the end of the file. A page of the client's cache (WRITE_CACHE) has its place.
bool appends(const wire::WriteIn& in) noexcept {
    return (in.flags & abi::kOAppend) != 0 && (in.write_flags & wire::kWriteCache) == 0;
}

Errno allocate(MemfsCore& core, MemfsNode& node, const wire::FallocateIn& in) {
    const u64 end = in.offset + in.length;
    const u32 kind = in.mode & ~abi::kFallocKeepSize;
    if (kind == abi::kFallocPunchHole) {
        if ((in.mode & abi::kFallocKeepSize) == 0) return Errno::eopnotsupp;
        if (!node.content.punch(in.offset, end)) return Errno::eio;
        core.touch(node);
        return Errno::none;
    }
    if (kind != 0 && kind != abi::kFallocZeroRange) return Errno::eopnotsupp;
    if (kind == abi::kFallocZeroRange && !node.content.punch(in.offset, end)) return Errno::eio;
    if (!node.content.reserve(in.offset, end)) return Errno::enospc;
    const bool grows = (in.mode & abi::kFallocKeepSize) == 0 && end > node.content.size();
    if (grows && !node.content.resize(end)) return Errno::enospc;
    core.touch(node);
    return Errno::none;
}

Errno seek(const Content& content, const wire::LseekIn& in, u64& to) {
    const u64 size = content.size();
    switch (in.whence) {
    case abi::kSeekSet: to = in.offset; return in.offset > kMaxSize ? Errno::einval : Errno::none;
    case abi::kSeekEnd: to = size + in.offset; return to > kMaxSize ? Errno::einval : Errno::none;
    case abi::kSeekData:
    case abi::kSeekHole:
        if (in.offset >= size) return Errno::enxio;
        to = in.whence == abi::kSeekData ? content.next_data(in.offset) : content.next_hole(in.offset);
        return in.whence == abi::kSeekData && to == size ? Errno::enxio : Errno::none;
    default: return Errno::einval;
    }
}

// Copies a range whose holes stay holes where the target has none either. Returns the bytes copied: fewer when space runs out, or
// the host fails.
u64 copy_bytes(const Content& from, u64 from_at, Content& to, u64 to_at, u64 count) {
    std::array<std::byte, Content::kBlock> buffer;
    u64 done = 0;
    while (done < count) {
        const u64 now = std::min(count - done, Content::kBlock - (from_at + done) % Content::kBlock);
        if (from.next_data(from_at + done) >= from_at + done + now) {
            if (!to.punch(to_at + done, to_at + done + now)) break;
            if (to.size() < to_at + done + now && !to.resize(to_at + done + now)) break;
            done += now;
            continue;
        }
        if (!from.read(from_at + done, buffer.data(), now)) break;
        const u64 written = to.write(to_at + done, buffer.data(), now);
        done += written;
        if (written < now) break;
    }
    return done;
}

Errno copy_range(MemfsCore& core, const wire::InHeader& header, const wire::CopyFileRangeIn& in, u64 most,
                 u64& copied) {
    OpenFile from, to;
    if (const Errno error = find_open(core, header.nodeid, in.fh_in, from); error != Errno::none) return error;
    if (const Errno error = find_open(core, in.nodeid_out, in.fh_out, to); error != Errno::none) return error;
    if (in.flags != 0) return Errno::einval;
    if (!from.handle->may_read() || !to.handle->may_write()) return Errno::ebadf;
    if ((to.handle->flags & abi::kOAppend) != 0) return Errno::ebadf;
    const u64 size = from.node->content.size();
    if (in.off_in > kMaxSize || in.off_out > kMaxSize) return Errno::einval;
    u64 count = in.off_in >= size ? 0 : std::min(in.len, size - in.off_in);
    count = std::min({count, most, core.at_most});
    if (count > kMaxSize - in.off_out) return Errno::efbig;
    const bool overlap = in.off_in < in.off_out + count && in.off_out < in.off_in + count;
    if (from.node == to.node && overlap) return Errno::einval;
    copied = copy_bytes(from.node->content, in.off_in, to.node->content, in.off_out, count);
    if (copied > 0) core.touch(*to.node);
    return copied == 0 && count > 0 ? Errno::enospc : Errno::none;
}

} // namespace

void Memfs::handle(In<Op::open> request, Out<Op::open> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        if (abi::is_directory(node->mode)) return to.error(Errno::eisdir);
        if (abi::is_symlink(node->mode)) return to.error(Errno::eloop);
        if (!abi::is_regular(node->mode)) return to.error(Errno::enxio);
        if ((request.in.open_flags & wire::kOpenKillSuidgid) != 0) MemfsCore::kill_privileges(*node);
        if ((request.in.flags & abi::kOTrunc) != 0) {
            if (const Errno error = core_->truncate(*node, 0); error != Errno::none) return to.error(error);
        }
        return to.ok({core_->open(*node, request.in.flags), 0, 0});
    });
}

void Memfs::handle(In<Op::read> request, Out<Op::read> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        if (!file.handle->may_read()) return to.error(Errno::ebadf);
        const u64 size = file.node->content.size();
        const u64 left = request.in.offset < size ? size - request.in.offset : 0;
        const auto area = to.data_area(std::min({u64{request.in.size}, left, core_->at_most}));
        return read_into(file.node->content, request.in.offset, area) ? to.ok_written(area.size) : to.error(Errno::eio);
    });
}

void Memfs::handle(In<Op::write> request, Out<Op::write> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        if (!file.handle->may_write()) return to.error(Errno::ebadf);
        const u64 offset = appends(request.in) ? file.node->content.size() : request.in.offset;
        if (offset > kMaxSize || request.data.size > kMaxSize - offset) return to.error(Errno::efbig);
        const u64 done = write_from(file.node->content, offset, request.data, core_->at_most);
        if (done == 0 && request.data.size > 0 && core_->at_most > 0) return to.error(Errno::enospc);
        if ((request.in.write_flags & wire::kWriteKillSuidgid) != 0) MemfsCore::kill_privileges(*file.node);
        if (done > 0) core_->touch(*file.node);
        return to.ok({static_cast<u32>(done), 0});
    });
}

void Memfs::handle(In<Op::flush> request, Out<Op::flush> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        // close(2) drops the record locks of its owner, whichever descriptor took them.
        file.node->posix_locks.drop_owner(request.in.lock_owner);
        core_->retry_locks(file.node->ino);
        return to.ok();
    });
}

void Memfs::handle(In<Op::release> request, Out<Op::release> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        // The handle tells which locks end: a client may have given the number of the owner to another handle meanwhile.
        file.node->flocks.drop_handle(request.in.fh);
        file.node->posix_locks.drop_handle(request.in.fh);
        core_->end_waits(request.in.fh);
        const std::uint64_t ino = file.node->ino;
        static_cast<void>(core_->close(request.in.fh, request.header.nodeid));
        core_->retry_locks(ino);
        return to.ok();
    });
}

void Memfs::handle(In<Op::fsync> request, Out<Op::fsync> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::fallocate> request, Out<Op::fallocate> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        if (!file.handle->may_write()) return to.error(Errno::ebadf);
        if (request.in.length == 0 || request.in.offset > kMaxSize) return to.error(Errno::einval);
        if (request.in.length > kMaxSize - request.in.offset) return to.error(Errno::efbig);
        error = allocate(*core_, *file.node, request.in);
        return error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::lseek> request, Out<Op::lseek> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        u64 offset = 0;
        error = seek(file.node->content, request.in, offset);
        return error == Errno::none ? to.ok({offset}) : to.error(error);
    });
}

void Memfs::handle(In<Op::copy_file_range> request, Out<Op::copy_file_range> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        u64 copied = 0;
        const u64 most = 0xffffffff & ~(Content::kBlock - 1); // the reply counts in 32 bits
        const Errno error = copy_range(*core_, request.header, request.in, most, copied);
        error == Errno::none ? to.ok({static_cast<u32>(copied), 0}) : to.error(error);
    });
}

void Memfs::handle(In<Op::copy_file_range_64> request, Out<Op::copy_file_range_64> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        u64 copied = 0;
        const Errno error = copy_range(*core_, request.header, request.in, kMaxSize, copied);
        error == Errno::none ? to.ok({copied}) : to.error(error);
    });
}

// Answers with numbers of blocks that do not exist: the place in the file plus 1, or 0 for a hole.
void Memfs::handle(In<Op::bmap> request, Out<Op::bmap> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        if (!abi::is_regular(node->mode) || request.in.blocksize != Content::kBlock) return to.error(Errno::einval);
        const bool there = node->content.has_block(request.in.block);
        return to.ok({there ? request.in.block + 1 : 0});
    });
}

void Memfs::handle(In<Op::ioctl> request, Out<Op::ioctl> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) { to.error(Errno::enotty); });
}

void Memfs::handle(In<Op::poll> request, Out<Op::poll> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        OpenFile file;
        const Errno error = find_open(*core_, request.header.nodeid, request.in.fh, file);
        if (error != Errno::none) return to.error(error);
        constexpr u32 always = abi::kPollIn | abi::kPollOut | abi::kPollRdnorm | abi::kPollWrnorm;
        return to.ok({request.in.events & always, 0});
    });
}

void Memfs::handle(In<Op::syncfs> request, Out<Op::syncfs> reply) noexcept {
    serve(*core_, request, reply,
          [&](auto& to) { core_->find_node(request.header.nodeid) != nullptr ? to.ok() : to.error(Errno::estale); });
}

} // namespace vfsproto::backends
