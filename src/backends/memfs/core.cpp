// SPDX-License-Identifier: BSD-2-Clause
#include "core.hpp"

namespace vfsproto::backends {
namespace {

constexpr u64 kNsPerSecond = 1000000000;

} // namespace

Errno check_name(wire::Name name) noexcept {
    if (name.empty()) return Errno::enoent;
    if (name.size() > abi::kNameMax) return Errno::enametoolong;
    return name.contains('/') ? Errno::einval : Errno::none;
}

MemfsCore::MemfsCore(MemfsOptions given) : options(std::move(given)) {
    faults = std::make_shared<const MemfsFaults>(options.faults);
    space.limit = options.capacity / Content::kBlock;
    auto root = std::make_unique<MemfsNode>(space);
    root->ino = root->parent = wire::kRootNodeId;
    root->mode = abi::kSIfdir | 0755;
    root->nlink = 2;
    root->atime = root->mtime = root->ctime = root->btime = now();
    nodes.emplace(wire::kRootNodeId, std::move(root));
}

MemfsTime MemfsCore::now() {
    if (options.clock) return options.clock();
    const u64 us = ticks++;
    return {static_cast<std::int64_t>(1000000000 + us / 1000000), static_cast<u32>(us % 1000000 * 1000)};
}

MemfsNode* MemfsCore::find_node(u64 nodeid) {
    const auto found = nodes.find(nodeid);
    if (found != nodes.end() && (nodeid == wire::kRootNodeId || found->second->nlookup > 0)) return found->second.get();
    ++misuse.stale_nodes;
    return nullptr;
}

Errno MemfsCore::find_directory(u64 nodeid, MemfsNode*& to) {
    to = find_node(nodeid);
    if (to == nullptr) return Errno::estale;
    return abi::is_directory(to->mode) ? Errno::none : Errno::enotdir;
}

Errno MemfsCore::directory_for(u64 nodeid, wire::Name name, MemfsNode*& to) {
    if (const Errno error = find_directory(nodeid, to); error != Errno::none) return error;
    if (const Errno error = check_name(name); error != Errno::none) return error;
    if (name.is_dot_or_dot_dot() || to->names.find(text(name)) != 0) return Errno::eexist;
    return to->nlink == 0 ? Errno::enoent : Errno::none;
}

MemfsNode& MemfsCore::make_node(const wire::InHeader& caller, u32 mode, const MemfsNode& parent) {
    auto node = std::make_unique<MemfsNode>(space);
    node->ino = next_ino++;
    node->mode = mode;
    node->uid = caller.uid;
    node->gid = caller.gid;
    // System V semantics of a set-group-id directory, as Linux has them.
    if ((parent.mode & abi::kSIsgid) != 0) {
        node->gid = parent.gid;
        if (abi::is_directory(mode)) node->mode |= abi::kSIsgid;
    }
    node->atime = node->mtime = node->ctime = node->btime = now();
    return *nodes.emplace(node->ino, std::move(node)).first->second;
}

void MemfsCore::add_name(MemfsNode& parent, wire::Name name, MemfsNode& node) {
    parent.names.put(text(name), node.ino);
    if (abi::is_directory(node.mode)) {
        node.nlink = 2;
        node.parent = parent.ino;
        ++parent.nlink;
    } else {
        ++node.nlink;
    }
    touch(parent);
}

// Takes one link away. The name has been removed before.
void MemfsCore::drop_link(MemfsNode& node) {
    node.ctime = now();
    if (abi::is_directory(node.mode)) {
        --known(node.parent).nlink;
        node.nlink = 0;
        node.parent = wire::kRootNodeId; // the one that was may go before this one does
    } else {
        --node.nlink;
    }
    drop_if_unused(node);
}

void MemfsCore::drop_if_unused(MemfsNode& node) {
    if (node.nlink != 0 || node.nlookup != 0 || node.opens != 0 || node.content.is_mapped()) return;
    for (const auto& item : parked) {
        if (item->lock && item->lock->ino == node.ino) make_ready(*item, Errno::ebadf);
    }
    std::erase(in_files, node.ino);
    nodes.erase(node.ino);
}

void MemfsCore::forget(u64 nodeid, u64 count) {
    const auto found = nodes.find(nodeid);
    if (found == nodes.end() || found->second->nlookup < count) ++misuse.over_forgets;
    if (found == nodes.end()) return;
    MemfsNode& node = *found->second;
    node.nlookup -= std::min(node.nlookup, count);
    drop_if_unused(node);
}

u64 MemfsCore::open(MemfsNode& node, u32 flags) {
    ++node.opens;
    const u64 fh = next_fh++;
    handles[fh] = {node.ino, flags, abi::is_directory(node.mode)};
    return fh;
}

const MemfsHandle* MemfsCore::find_handle(u64 fh, u64 nodeid) {
    const auto found = handles.find(fh);
    if (found != handles.end() && found->second.ino == nodeid) return &found->second;
    ++misuse.bad_handles;
    return nullptr;
}

Errno MemfsCore::close(u64 fh, u64 nodeid) {
    if (find_handle(fh, nodeid) == nullptr) return Errno::ebadf;
    MemfsNode& node = known(nodeid);
    handles.erase(fh);
    --node.opens;
    drop_if_unused(node);
    return Errno::none;
}

wire::Attr MemfsCore::attr(const MemfsNode& node) const {
    wire::Attr to{};
    to.ino = node.ino;
    to.size = node.content.size();
    if (abi::is_directory(node.mode)) to.size = Content::kBlock;
    if (abi::is_symlink(node.mode)) to.size = node.target.size();
    to.blocks = node.content.blocks() * (Content::kBlock / 512);
    to.atime = static_cast<u64>(node.atime.sec);
    to.mtime = static_cast<u64>(node.mtime.sec);
    to.ctime = static_cast<u64>(node.ctime.sec);
    to.atimensec = node.atime.nsec;
    to.mtimensec = node.mtime.nsec;
    to.ctimensec = node.ctime.nsec;
    to.mode = node.mode;
    to.nlink = node.nlink;
    to.uid = node.uid;
    to.gid = node.gid;
    to.rdev = node.rdev;
    to.blksize = Content::kBlock;
    return to;
}

wire::AttrOut MemfsCore::attr_out(const MemfsNode& node) const {
    wire::AttrOut to{};
    to.attr_valid = options.attr_valid / kNsPerSecond;
    to.attr_valid_nsec = static_cast<u32>(options.attr_valid % kNsPerSecond);
    to.attr = attr(node);
    return to;
}

wire::EntryOut MemfsCore::entry(const MemfsNode& node) const {
    wire::EntryOut to{};
    to.nodeid = node.ino;
    to.entry_valid = options.entry_valid / kNsPerSecond;
    to.entry_valid_nsec = static_cast<u32>(options.entry_valid % kNsPerSecond);
    to.attr_valid = options.attr_valid / kNsPerSecond;
    to.attr_valid_nsec = static_cast<u32>(options.attr_valid % kNsPerSecond);
    to.attr = attr(node);
    return to;
}

Errno MemfsCore::truncate(MemfsNode& node, u64 size) {
    if (!node.content.resize(size)) return Errno::enospc;
    touch(node);
    return Errno::none;
}

// Clears the privileges of a file whose content or owner changes, as Linux does.
void MemfsCore::kill_privileges(MemfsNode& node) noexcept {
    if (!abi::is_regular(node.mode)) return;
    node.mode &= ~abi::kSIsuid;
    if ((node.mode & abi::kSIxgrp) != 0) node.mode &= ~abi::kSIsgid;
}

MemfsFault MemfsCore::ask(const MemfsQuestion& question) {
    std::shared_ptr<const MemfsFaults> hook;
    {
        const std::lock_guard lock(mutex);
        hook = faults;
    }
    return *hook ? (*hook)(question) : MemfsFault{};
}

void MemfsCore::make_ready(MemfsParked& item, Errno error) {
    item.ready = true;
    item.lock.reset();
    if (error != Errno::none) item.error = error;
    ready.fetch_add(1);
    to_wake.push_back(item.request.lane);
}

void MemfsCore::end_waits(u64 fh) {
    for (const auto& item : parked) {
        if (item->lock && item->lock->lock.fh == fh) make_ready(*item, Errno::ebadf);
    }
}

void MemfsCore::retry_locks(u64 ino) {
    for (const auto& item : parked) {
        if (!item->lock || item->lock->ino != ino) continue;
        LockTable& locks = locks_of(known(ino), item->lock->flock);
        if (locks.conflict(item->lock->lock)) continue;
        locks.set(item->lock->lock);
        make_ready(*item, Errno::none);
    }
}

void MemfsCore::wake_lanes() {
    std::vector<std::uint16_t> lanes;
    {
        const std::lock_guard lock(mutex);
        lanes.swap(to_wake);
    }
    if (!options.wake) return;
    for (const std::uint16_t lane : lanes) options.wake(lane);
}

} // namespace vfsproto::backends
