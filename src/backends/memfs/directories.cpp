// SPDX-License-Identifier: BSD-2-Clause
#include "core.hpp"

#include "vfsproto/fuse/server/dirent_writer.hpp"

namespace vfsproto::backends {
namespace {

Errno find_open_directory(MemfsCore& core, u64 nodeid, u64 fh, MemfsNode*& to) {
    if (const Errno error = core.find_directory(nodeid, to); error != Errno::none) return error;
    return core.find_handle(fh, nodeid) != nullptr ? Errno::none : Errno::ebadf;
}

// Calls add(name, node, cookie) for each entry after the offset until it says false. Returns how many it took.
template <class Add> std::size_t list(MemfsCore& core, MemfsNode& directory, u64 offset, Add&& add) {
    std::size_t taken = 0;
    const auto dots = [&](const char* name, u64 ino, u64 cookie) {
        if (offset >= cookie) return true;
        if (!add(wire::Name(std::string_view(name)), core.known(ino), cookie)) return false;
        ++taken;
        return true;
    };
    if (!dots(".", directory.ino, Directory::kDotCookie)) return taken;
    if (!dots("..", directory.parent, Directory::kDotDotCookie)) return taken;
    for (const auto* at = directory.names.after(offset); at != nullptr; at = directory.names.after(at->second.cookie)) {
        if (!add(wire::Name(at->first), core.known(at->second.ino), at->second.cookie)) return taken;
        ++taken;
    }
    return taken;
}

// True if not even one entry fits. An empty reply would look like the end, so the room is called too small instead.
bool too_small(MemfsCore& core, MemfsNode& directory, u64 offset, std::size_t taken) {
    if (taken > 0) return false;
    bool more = false;
    list(core, directory, offset, [&](auto&&...) {
        more = true;
        return false;
    });
    return more;
}

wire::DirEntry record(wire::Name name, const MemfsNode& node, u64 cookie) {
    return {node.ino, cookie, abi::dirent_type(node.mode), name};
}

} // namespace

void Memfs::handle(In<Op::opendir> request, Out<Op::opendir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = nullptr;
        const Errno error = core_->find_directory(request.header.nodeid, node);
        if (error != Errno::none) return to.error(error);
        return to.ok({core_->open(*node, request.in.flags), core_->options.opendir_flags, 0});
    });
}

void Memfs::handle(In<Op::readdir> request, Out<Op::readdir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = nullptr;
        const Errno error = find_open_directory(*core_, request.header.nodeid, request.in.fh, node);
        if (error != Errno::none) return to.error(error);
        if (node->nlink == 0) return to.error(Errno::enoent);
        server::DirentWriter records(to, request.in.size);
        const auto add = [&](wire::Name name, const MemfsNode& entry, u64 cookie) {
            return records.add(record(name, entry, cookie));
        };
        const std::size_t taken = list(*core_, *node, request.in.offset, add);
        if (too_small(*core_, *node, request.in.offset, taken)) return to.error(Errno::einval);
        return to.ok();
    });
}

void Memfs::handle(In<Op::readdirplus> request, Out<Op::readdirplus> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = nullptr;
        const Errno error = find_open_directory(*core_, request.header.nodeid, request.in.fh, node);
        if (error != Errno::none) return to.error(error);
        if (node->nlink == 0) return to.error(Errno::enoent);
        server::DirentWriter records(to, request.in.size);
        const auto add = [&](wire::Name name, MemfsNode& entry, u64 cookie) {
            if (!records.fits(name.size())) return false;
            // The names "." and ".." are listed without a lookup.
            const auto found = name.is_dot_or_dot_dot() ? wire::EntryOut{} : core_->counted_entry(entry);
            return records.add(record(name, entry, cookie), found);
        };
        const std::size_t taken = list(*core_, *node, request.in.offset, add);
        if (too_small(*core_, *node, request.in.offset, taken)) return to.error(Errno::einval);
        return to.ok();
    });
}

void Memfs::handle(In<Op::releasedir> request, Out<Op::releasedir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = nullptr;
        const Errno error = find_open_directory(*core_, request.header.nodeid, request.in.fh, node);
        if (error != Errno::none) return to.error(error);
        static_cast<void>(core_->close(request.in.fh, request.header.nodeid));
        return to.ok();
    });
}

void Memfs::handle(In<Op::fsyncdir> request, Out<Op::fsyncdir> reply) noexcept {
    serve(*core_, request, reply, [&](auto& to) {
        MemfsNode* node = nullptr;
        const Errno error = find_open_directory(*core_, request.header.nodeid, request.in.fh, node);
        error == Errno::none ? to.ok() : to.error(error);
    });
}

} // namespace vfsproto::backends
