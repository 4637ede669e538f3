// SPDX-License-Identifier: BSD-2-Clause
// Handles the operations that find, make, move and remove names.
#include "core.hpp"

namespace vfsproto::backends {
namespace {

u32 masked(u32 mode, u32 umask) noexcept { return mode & ~(umask & 0777); }

Errno unlink_name(MemfsCore& core, u64 nodeid, wire::Name name) {
    MemfsNode* parent = nullptr;
    if (const Errno error = core.find_directory(nodeid, parent); error != Errno::none) return error;
    if (const Errno error = check_name(name); error != Errno::none) return error;
    if (name.is_dot_or_dot_dot()) return Errno::eisdir;
    const u64 ino = parent->names.find(text(name));
    if (ino == 0) return Errno::enoent;
    if (abi::is_directory(core.known(ino).mode)) return Errno::eisdir;
    parent->names.erase(text(name));
    core.touch(*parent);
    core.drop_link(core.known(ino));
    return Errno::none;
}

Errno remove_directory(MemfsCore& core, u64 nodeid, wire::Name name) {
    MemfsNode* parent = nullptr;
    if (const Errno error = core.find_directory(nodeid, parent); error != Errno::none) return error;
    if (const Errno error = check_name(name); error != Errno::none) return error;
    if (name == ".") return Errno::einval;
    if (name == "..") return Errno::enotempty;
    const u64 ino = parent->names.find(text(name));
    if (ino == 0) return Errno::enoent;
    MemfsNode& node = core.known(ino);
    if (!abi::is_directory(node.mode)) return Errno::enotdir;
    if (!node.names.empty()) return Errno::enotempty;
    parent->names.erase(text(name));
    core.touch(*parent);
    core.drop_link(node);
    return Errno::none;
}

// True if `ino` is the directory `below` or one above it.
bool is_above(MemfsCore& core, u64 ino, u64 below) {
    while (below != ino) {
        if (below == wire::kRootNodeId) return false;
        below = core.known(below).parent;
    }
    return true;
}

struct Move {
    MemfsNode* from = nullptr;
    MemfsNode* to = nullptr;
    wire::Name old_name{};
    wire::Name new_name{};
    u32 flags = 0;
};

// Gives a directory that was moved its new parent.
void adopt(MemfsNode& node, MemfsNode& from, MemfsNode& to) {
    if (!abi::is_directory(node.mode) || &from == &to) return;
    --from.nlink, ++to.nlink;
    node.parent = to.ino;
}

Errno check_replaced(const MemfsNode& source, const MemfsNode& target) {
    const bool source_directory = abi::is_directory(source.mode);
    const bool target_directory = abi::is_directory(target.mode);
    if (source_directory && !target_directory) return Errno::enotdir;
    if (!source_directory && target_directory) return Errno::eisdir;
    return target_directory && !target.names.empty() ? Errno::enotempty : Errno::none;
}

// rename(2) in the order Linux finds errors in (do_renameat2, vfs_rename).
Errno check_move(MemfsCore& core, const Move& move, u64 source, u64 target) {
    if (source == 0) return Errno::enoent;
    if (target != 0 && (move.flags & abi::kRenameNoreplace) != 0) return Errno::eexist;
    const bool exchange = (move.flags & abi::kRenameExchange) != 0;
    if (target == 0 && exchange) return Errno::enoent;
    if (abi::is_directory(core.known(source).mode) && is_above(core, source, move.to->ino)) return Errno::einval;
    if (target != 0 && is_above(core, target, move.from->ino)) return exchange ? Errno::einval : Errno::enotempty;
    if (target == 0 && move.to->nlink == 0) return Errno::enoent;
    if (target == 0 || exchange || source == target) return Errno::none;
    return check_replaced(core.known(source), core.known(target));
}

Errno do_move(MemfsCore& core, const Move& move, const wire::InHeader& caller) {
    const u64 source = move.from->names.find(text(move.old_name));
    const u64 target = move.to->names.find(text(move.new_name));
    if (const Errno error = check_move(core, move, source, target); error != Errno::none) return error;
    if (source == target) return Errno::none;

    MemfsNode& node = core.known(source);
    core.touch(*move.from);
    core.touch(*move.to);
    node.ctime = core.now();
    move.to->names.put(text(move.new_name), source);
    if ((move.flags & abi::kRenameExchange) != 0) {
        MemfsNode& other = core.known(target);
        move.from->names.put(text(move.old_name), target);
        other.ctime = core.now();
        adopt(node, *move.from, *move.to);
        adopt(other, *move.to, *move.from);
        return Errno::none;
    }
    if (target != 0) core.drop_link(core.known(target));
    adopt(node, *move.from, *move.to);
    move.from->names.erase(text(move.old_name));
    if ((move.flags & abi::kRenameWhiteout) != 0) {
        core.add_name(*move.from, move.old_name, core.make_node(caller, abi::kSIfchr, *move.from));
    }
    return Errno::none;
}

// Runs RENAME and RENAME2.
template <class Request> Errno move_name(MemfsCore& core, const Request& request, u32 flags) {
    constexpr u32 known = abi::kRenameNoreplace | abi::kRenameExchange | abi::kRenameWhiteout;
    const bool exchange = (flags & abi::kRenameExchange) != 0;
    if ((flags & ~known) != 0 || (exchange && flags != abi::kRenameExchange)) return Errno::einval;
    Move move{nullptr, nullptr, request.name, request.second_name, flags};
    if (const Errno error = core.find_directory(request.header.nodeid, move.from); error != Errno::none) return error;
    if (const Errno error = core.find_directory(request.in.newdir, move.to); error != Errno::none) return error;
    if (const Errno error = check_name(move.old_name); error != Errno::none) return error;
    if (const Errno error = check_name(move.new_name); error != Errno::none) return error;
    if (move.old_name.is_dot_or_dot_dot()) return Errno::ebusy;
    if (move.new_name.is_dot_or_dot_dot()) return (flags & abi::kRenameNoreplace) != 0 ? Errno::eexist : Errno::ebusy;
    return do_move(core, move, request.header);
}

bool may_be_made(u32 mode) noexcept {
    const u32 type = abi::file_type(mode);
    return type == abi::kSIfreg || type == abi::kSIfchr || type == abi::kSIfblk || type == abi::kSIfifo ||
           type == abi::kSIfsock;
}

// Opens a file that a CREATE has found.
Errno open_existing(MemfsCore& core, MemfsNode& node, const wire::CreateIn& in) {
    if ((in.flags & abi::kOExcl) != 0) return Errno::eexist;
    if (abi::is_directory(node.mode)) return Errno::eisdir;
    if (abi::is_symlink(node.mode)) return Errno::eloop;
    if (!abi::is_regular(node.mode)) return Errno::enxio;
    if ((in.open_flags & wire::kOpenKillSuidgid) != 0) MemfsCore::kill_privileges(node);
    return (in.flags & abi::kOTrunc) != 0 ? core.truncate(node, 0) : Errno::none;
}

wire::CreateOut opened(MemfsCore& core, MemfsNode& node, u32 flags) {
    wire::CreateOut out{};
    out.open.fh = core.open(node, flags);
    out.entry = core.counted_entry(node);
    return out;
}

} // namespace

void Memfs::handle(In<Op::lookup> request, Out<Op::lookup> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        if (const Errno error = core_->find_directory(request.header.nodeid, parent); error != Errno::none) {
            return to.error(error);
        }
        if (const Errno error = check_name(request.name); error != Errno::none) return to.error(error);
        u64 ino = parent->names.find(text(request.name));
        if (request.name == ".") ino = parent->ino;
        if (request.name == "..") ino = parent->nlink != 0 ? parent->parent : 0;
        if (ino != 0) return to.ok(core_->counted_entry(core_->known(ino)));
        if (core_->options.negative_valid == 0) return to.error(Errno::enoent);
        wire::EntryOut negative{};
        negative.entry_valid = core_->options.negative_valid / 1000000000;
        negative.entry_valid_nsec = static_cast<u32>(core_->options.negative_valid % 1000000000);
        return to.ok(negative);
    });
}

void Memfs::handle(In<Op::forget> request, Out<Op::forget> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        core_->forget(request.header.nodeid, request.in.nlookup);
        to.none();
    });
}

void Memfs::handle(In<Op::batch_forget> request, Out<Op::batch_forget> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        auto list = server::records(request);
        for (wire::ForgetOne one{}; list.next(one);) core_->forget(one.nodeid, one.nlookup);
        to.none();
    });
}

void Memfs::handle(In<Op::readlink> request, Out<Op::readlink> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const MemfsNode* node = core_->find_node(request.header.nodeid);
        if (node == nullptr) return to.error(Errno::estale);
        if (!abi::is_symlink(node->mode)) return to.error(Errno::einval);
        return to.data(std::as_bytes(std::span(node->target)));
    });
}

void Memfs::handle(In<Op::symlink> request, Out<Op::symlink> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        const Errno error = core_->directory_for(request.header.nodeid, request.name, parent);
        if (error != Errno::none) return to.error(error);
        if (request.second_name.empty()) return to.error(Errno::enoent);
        MemfsNode& node = core_->make_node(request.header, abi::kSIflnk | 0777, *parent);
        node.target = text(request.second_name);
        core_->add_name(*parent, request.name, node);
        return to.ok(core_->counted_entry(node));
    });
}

void Memfs::handle(In<Op::mknod> request, Out<Op::mknod> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        const Errno error = core_->directory_for(request.header.nodeid, request.name, parent);
        if (error != Errno::none) return to.error(error);
        u32 mode = request.in.mode & (abi::kSIfmt | abi::kSIallugo);
        if (abi::file_type(mode) == 0) mode |= abi::kSIfreg;
        if (abi::is_directory(mode)) return to.error(Errno::eperm);
        if (!may_be_made(mode)) return to.error(Errno::einval);
        MemfsNode& node = core_->make_node(request.header, masked(mode, request.in.umask), *parent);
        const u32 type = abi::file_type(mode);
        if (type == abi::kSIfchr || type == abi::kSIfblk) node.rdev = request.in.rdev;
        core_->add_name(*parent, request.name, node);
        return to.ok(core_->counted_entry(node));
    });
}

void Memfs::handle(In<Op::mkdir> request, Out<Op::mkdir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        const Errno error = core_->directory_for(request.header.nodeid, request.name, parent);
        if (error != Errno::none) return to.error(error);
        const u32 mode = abi::kSIfdir | masked(request.in.mode & (0777 | abi::kSIsvtx), request.in.umask);
        MemfsNode& node = core_->make_node(request.header, mode, *parent);
        core_->add_name(*parent, request.name, node);
        return to.ok(core_->counted_entry(node));
    });
}

void Memfs::handle(In<Op::unlink> request, Out<Op::unlink> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const Errno error = unlink_name(*core_, request.header.nodeid, request.name);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::rmdir> request, Out<Op::rmdir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const Errno error = remove_directory(*core_, request.header.nodeid, request.name);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::rename> request, Out<Op::rename> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const Errno error = move_name(*core_, request, 0);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::rename2> request, Out<Op::rename2> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        const Errno error = move_name(*core_, request, request.in.flags);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

void Memfs::handle(In<Op::link> request, Out<Op::link> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        MemfsNode* node = core_->find_node(request.in.oldnodeid);
        if (node == nullptr) return to.error(Errno::estale);
        const Errno error = core_->directory_for(request.header.nodeid, request.name, parent);
        if (error != Errno::none) return to.error(error);
        if (abi::is_directory(node->mode)) return to.error(Errno::eperm);
        if (node->nlink == 0 && !node->linkable) return to.error(Errno::enoent);
        node->linkable = false;
        node->ctime = core_->now();
        core_->add_name(*parent, request.name, *node);
        return to.ok(core_->counted_entry(*node));
    });
}

void Memfs::handle(In<Op::create> request, Out<Op::create> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        Errno error = core_->directory_for(request.header.nodeid, request.name, parent);
        const u64 ino = parent != nullptr ? parent->names.find(text(request.name)) : 0;
        if (error == Errno::eexist && ino != 0) {
            MemfsNode& found = core_->known(ino);
            error = open_existing(*core_, found, request.in);
            return error == Errno::none ? to.ok(opened(*core_, found, request.in.flags)) : to.error(error);
        }
        if (error != Errno::none) return to.error(error);
        const u32 mode = abi::kSIfreg | masked(request.in.mode & abi::kSIallugo, request.in.umask);
        MemfsNode& node = core_->make_node(request.header, mode, *parent);
        core_->add_name(*parent, request.name, node);
        return to.ok(opened(*core_, node, request.in.flags));
    });
}

void Memfs::handle(In<Op::tmpfile> request, Out<Op::tmpfile> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* parent = nullptr;
        const Errno error = core_->find_directory(request.header.nodeid, parent);
        if (error != Errno::none) return to.error(error);
        if ((request.in.flags & abi::kOAccmode) == abi::kORdonly) return to.error(Errno::einval);
        const u32 mode = abi::kSIfreg | masked(request.in.mode & abi::kSIallugo, request.in.umask);
        MemfsNode& node = core_->make_node(request.header, mode, *parent);
        node.linkable = (request.in.flags & abi::kOExcl) == 0;
        return to.ok(opened(*core_, node, request.in.flags));
    });
}

} // namespace vfsproto::backends
