// SPDX-License-Identifier: BSD-2-Clause
#include "core.hpp"

namespace vfsproto::backends {
namespace {

Errno check_setattr(MemfsCore& core, const MemfsNode& node, const wire::SetattrIn& in) {
    if ((in.valid & wire::kSetattrFh) != 0) {
        const MemfsHandle* handle = core.find_handle(in.fh, node.ino);
        if (handle == nullptr) return Errno::ebadf;
        if ((in.valid & wire::kSetattrSize) != 0 && !handle->may_write()) return Errno::einval;
    }
    if ((in.valid & wire::kSetattrSize) == 0) return Errno::none;
    if (abi::is_directory(node.mode)) return Errno::eisdir;
    if (!abi::is_regular(node.mode)) return Errno::einval;
    return in.size > abi::kLockToEof ? Errno::efbig : Errno::none; // the same 2^63 - 1
}

void set_times(MemfsCore& core, MemfsNode& node, const wire::SetattrIn& in) {
    const auto given = [&](u32 set, u32 set_now, u64 sec, u32 nsec, MemfsTime& to) {
        if ((in.valid & set_now) != 0)
            to = core.now();
        else if ((in.valid & set) != 0)
            to = {static_cast<std::int64_t>(sec), nsec};
    };
    node.ctime = core.now();
    given(wire::kSetattrAtime, wire::kSetattrAtimeNow, in.atime, in.atimensec, node.atime);
    given(wire::kSetattrMtime, wire::kSetattrMtimeNow, in.mtime, in.mtimensec, node.mtime);
    given(wire::kSetattrCtime, 0, in.ctime, in.ctimensec, node.ctime);
}

// Sets the size first, because nothing else can fail.
Errno set_attributes(MemfsCore& core, MemfsNode& node, const wire::SetattrIn& in) {
    if ((in.valid & wire::kSetattrSize) != 0) {
        if (const Errno error = core.truncate(node, in.size); error != Errno::none) return error;
    }
    if ((in.valid & wire::kSetattrUid) != 0) node.uid = in.uid;
    if ((in.valid & wire::kSetattrGid) != 0) node.gid = in.gid;
    const bool chown = (in.valid & (wire::kSetattrUid | wire::kSetattrGid)) != 0;
    if (chown || (in.valid & wire::kSetattrKillSuidgid) != 0) MemfsCore::kill_privileges(node);
    if ((in.valid & wire::kSetattrMode) != 0) {
        node.mode = (node.mode & abi::kSIfmt) | (in.mode & abi::kSIallugo);
    }
    set_times(core, node, in);
    return Errno::none;
}

u32 granted(const MemfsNode& node, const wire::InHeader& caller) noexcept {
    if (caller.uid == 0) {
        const bool execute = abi::is_directory(node.mode) || (node.mode & 0111) != 0;
        return abi::kROk | abi::kWOk | (execute ? abi::kXOk : 0);
    }
    if (caller.uid == node.uid) return node.mode >> 6 & 7;
    return caller.gid == node.gid ? node.mode >> 3 & 7 : node.mode & 7;
}

wire::SxTime statx_time(const MemfsTime& time) noexcept { return {time.sec, time.nsec, 0}; }

wire::Statx statx(const MemfsNode& node, const wire::Attr& attr) noexcept {
    wire::Statx to{};
    to.mask = abi::kStatxBasicStats | abi::kStatxBtime;
    to.blksize = attr.blksize;
    to.nlink = node.nlink;
    to.uid = node.uid;
    to.gid = node.gid;
    to.mode = static_cast<wire::u16>(node.mode);
    to.ino = node.ino;
    to.size = attr.size;
    to.blocks = attr.blocks;
    to.atime = statx_time(node.atime);
    to.btime = statx_time(node.btime);
    to.ctime = statx_time(node.ctime);
    to.mtime = statx_time(node.mtime);
    to.rdev_major = abi::device_major(node.rdev);
    to.rdev_minor = abi::device_minor(node.rdev);
    return to;
}

} // namespace

void Memfs::handle(In<Op::getattr> request, Out<Op::getattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        const bool by_handle = (request.in.getattr_flags & wire::kGetattrFh) != 0;
        if (by_handle && core_->find_handle(request.in.fh, node->ino) == nullptr) return to.error(Errno::ebadf);
        return to.ok(core_->attr_out(*node));
    });
}

void Memfs::handle(In<Op::setattr> request, Out<Op::setattr> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        Errno error = check_setattr(*core_, *node, request.in);
        if (error == Errno::none) error = set_attributes(*core_, *node, request.in);
        return error == Errno::none ? to.ok(core_->attr_out(*node)) : to.error(error);
    });
}

void Memfs::handle(In<Op::statx> request, Out<Op::statx> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        wire::StatxOut out{};
        const wire::AttrOut valid = core_->attr_out(*node);
        out.attr_valid = valid.attr_valid;
        out.attr_valid_nsec = valid.attr_valid_nsec;
        out.stat = statx(*node, valid.attr);
        return to.ok(out);
    });
}

void Memfs::handle(In<Op::access> request, Out<Op::access> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        const u32 missing = request.in.mask & (abi::kROk | abi::kWOk | abi::kXOk) & ~granted(*node, request.header);
        return missing == 0 ? to.ok() : to.error(Errno::eacces);
    });
}

void Memfs::handle(In<Op::statfs> request, Out<Op::statfs> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        if (core_->find_node(request.header.nodeid) == nullptr) return to.error(Errno::estale);
        constexpr u64 files = 1u << 30;
        wire::Kstatfs out{};
        out.blocks = core_->space.limit;
        out.bfree = out.bavail = core_->space.limit - core_->space.used;
        out.files = files;
        out.ffree = files - core_->nodes.size();
        out.bsize = out.frsize = Content::kBlock;
        out.namelen = abi::kNameMax;
        return to.ok(out);
    });
}

} // namespace vfsproto::backends
