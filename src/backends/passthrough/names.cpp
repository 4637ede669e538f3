// SPDX-License-Identifier: BSD-2-Clause
// LOOKUP, FORGET, links, removal and renaming.
#include "own_file_change.hpp"
#include "own_name_change.hpp"
#include "state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace vfsproto::backends {

void Passthrough::handle(const In<Opcode::lookup>& request, Out<Opcode::lookup>& reply) noexcept {
    if (!is_component(request.name)) return reply.error(abi::Errno::einval);
    State::Found found(state_->inodes.session());
    const std::uint64_t nodeid = request.header.nodeid;
    const InodeTable::Ref parent = state_->inodes.acquire(nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    const bool upwards = request.name == wire::Name("..");
    int error = 0;
    if (upwards && nodeid != InodeTable::kRoot) {
        error = state_->ascend(parent->fd.get(), found);
    } else {
        // The root is its own parent, as it is for a process whose root it is.
        error = state_->find(parent->fd.get(), upwards ? "." : request.name.data(), found);
    }
    if (error != 0) return reply.error(to_errno(error));
    return reply.ok(state_->entry_of(found));
}

void Passthrough::handle(const In<Opcode::forget>& request, Out<Opcode::forget>& reply) noexcept {
    state_->inodes.forget(request.header.nodeid, request.in.nlookup);
    return reply.none();
}

void Passthrough::handle(const In<Opcode::batch_forget>& request, Out<Opcode::batch_forget>& reply) noexcept {
    auto list = server::records(request);
    for (wire::ForgetOne one{}; list.next(one);) state_->inodes.forget(one.nodeid, one.nlookup);
    return reply.none();
}

void Passthrough::handle(const In<Opcode::readlink>& request, Out<Opcode::readlink>& reply) noexcept {
    const InodeTable::Ref inode = state_->inodes.acquire(request.header.nodeid);
    if (!inode) return reply.error(abi::Errno::estale);
    if (inode->type != S_IFLNK) return reply.error(abi::Errno::einval);
    std::array<char, abi::kPathMax + 1> target; // NOLINT: filled by the host
    const ssize_t size = ::readlinkat(inode->fd.get(), "", target.data(), target.size());
    if (size < 0) return reply.error(last_error());
    return reply.data(std::as_bytes(std::span<const char>(target.data(), static_cast<std::size_t>(size))));
}

void Passthrough::handle(const In<Opcode::link>& request, Out<Opcode::link>& reply) noexcept {
    if (!is_component(request.name)) return reply.error(abi::Errno::einval);
    if (request.name.is_dot_or_dot_dot()) return reply.error(abi::Errno::eexist);
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    State::Found found(state_->inodes.session());
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    const InodeTable::Ref inode = state_->inodes.acquire(request.in.oldnodeid);
    if (!parent || !inode) return reply.error(abi::Errno::estale);
    if (!state_->can_make(0)) return reply.error(abi::Errno::emfile);
    {
        const OwnFileChange linked(state_->watch, request.in.oldnodeid);
        OwnNameChange made(state_->watch, request.header.nodeid, request.name, IN_CREATE);
        // The path of a descriptor leads to the inode itself, a symlink included: "following" stops there.
        if (made.ended(::linkat(AT_FDCWD, DescriptorPath(inode->fd.get()).text(), parent->fd.get(), request.name.data(),
                                AT_SYMLINK_FOLLOW)) != 0) {
            return reply.error(last_error());
        }
    }
    if (const int error = state_->find_open(inode->fd.get(), found); error != 0) return reply.error(to_errno(error));
    return reply.ok(state_->entry_of(found));
}

void Passthrough::handle(const In<Opcode::unlink>& request, Out<Opcode::unlink>& reply) noexcept {
    if (!is_component(request.name)) return reply.error(abi::Errno::einval);
    if (request.name.is_dot_or_dot_dot()) return reply.error(abi::Errno::eisdir);
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    const OwnFileChange unlinked(state_->watch, parent->fd.get(), request.name.data());
    OwnNameChange removed(state_->watch, request.header.nodeid, request.name, IN_DELETE);
    if (removed.ended(::unlinkat(parent->fd.get(), request.name.data(), 0)) != 0) return reply.error(last_error());
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::rmdir>& request, Out<Opcode::rmdir>& reply) noexcept {
    if (!is_entry_name(request.name)) return reply.error(abi::Errno::einval);
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const InodeTable::Ref parent = state_->inodes.acquire(request.header.nodeid);
    if (!parent) return reply.error(abi::Errno::estale);
    OwnNameChange removed(state_->watch, request.header.nodeid, request.name, IN_DELETE);
    const int done = removed.ended(::unlinkat(parent->fd.get(), request.name.data(), AT_REMOVEDIR));
    if (done != 0) return reply.error(last_error());
    return reply.ok();
}

namespace {

// The kinds of events that a RENAME causes: of its first name, and of its second.
struct RenameEvents {
    std::uint32_t first = IN_MOVED_FROM;
    std::uint32_t second = IN_MOVED_TO;
};

// A rename of a file to itself, by the same name or another of its own, does nothing and causes none.
RenameEvents events_of_rename(const OwnFileChange& moved, const OwnFileChange& other, wire::u32 flags) noexcept {
    if (moved.is_about_file_of(other)) return {0, 0};
    constexpr std::uint32_t kBoth = IN_MOVED_FROM | IN_MOVED_TO;
    return (flags & abi::kRenameExchange) != 0 ? RenameEvents{kBoth, kBoth} : RenameEvents{};
}

// Runs RENAME and RENAME2. Returns Errno::none, or why not.
template <class Request> abi::Errno rename_entry(HostWatch& watch, const Request& request, wire::u32 flags) noexcept {
    static_assert(abi::kRenameNoreplace == RENAME_NOREPLACE && abi::kRenameExchange == RENAME_EXCHANGE &&
                  abi::kRenameWhiteout == RENAME_WHITEOUT);
    constexpr wire::u32 kKnown = abi::kRenameNoreplace | abi::kRenameExchange | abi::kRenameWhiteout;
    const wire::Name name = request.name, new_name = request.second_name;
    if (!is_component(name) || !is_component(new_name) || (flags & ~kKnown) != 0) return abi::Errno::einval;
    if (name.is_dot_or_dot_dot() || new_name.is_dot_or_dot_dot()) return abi::Errno::ebusy;
    const InodeTable::Ref parent = watch.inodes().acquire(request.header.nodeid);
    const InodeTable::Ref new_parent = watch.inodes().acquire(request.in.newdir);
    if (!parent || !new_parent) return abi::Errno::estale;
    const OwnFileChange moved(watch, parent->fd.get(), name.data());
    const OwnFileChange other(watch, new_parent->fd.get(), new_name.data()); // it is replaced or exchanged
    const RenameEvents events = events_of_rename(moved, other, flags);
    OwnNameChange before(watch, request.header.nodeid, name, events.first);
    OwnNameChange after(watch, request.in.newdir, new_name, events.second);
    const int done = ::renameat2(parent->fd.get(), name.data(), new_parent->fd.get(), new_name.data(), flags);
    return before.ended(after.ended(done)) == 0 ? abi::Errno::none : last_error();
}

} // namespace

void Passthrough::handle(const In<Opcode::rename>& request, Out<Opcode::rename>& reply) noexcept {
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const abi::Errno error = rename_entry(state_->watch, request, 0);
    if (error != abi::Errno::none) return reply.error(error);
    return reply.ok();
}

void Passthrough::handle(const In<Opcode::rename2>& request, Out<Opcode::rename2>& reply) noexcept {
    if (state_->read_only()) return reply.error(abi::Errno::erofs);
    const abi::Errno error = rename_entry(state_->watch, request, request.in.flags);
    if (error != abi::Errno::none) return reply.error(error);
    return reply.ok();
}

} // namespace vfsproto::backends
