// SPDX-License-Identifier: BSD-2-Clause
#include "inode_table.hpp"

#include <sys/sysmacros.h>

#include <utility>

namespace vfsproto::backends {

InodeIdentity::InodeIdentity(const struct statx& from) noexcept
    : key{makedev(from.stx_dev_major, from.stx_dev_minor), from.stx_ino, from.stx_mnt_id} {
    if ((from.stx_mask & STATX_BTIME) == 0) return;
    born = static_cast<std::uint64_t>(from.stx_btime.tv_sec) * 1'000'000'000 + from.stx_btime.tv_nsec;
}

bool InodeTable::insert_root(FileDescriptor fd, const struct statx& from) noexcept {
    return count(std::move(fd), from).nodeid == kRoot;
}

std::uint64_t InodeTable::count_known(const struct statx& from) noexcept {
    const InodeIdentity identity(from);
    const std::lock_guard lock(mutex_);
    const auto found = nodeids_.find(identity.key);
    if (found == nodeids_.end()) return 0;
    const Ref inode = slab_.acquire(found->second);
    if (!inode || inode->identity.born != identity.born) return 0;
    ++inode->lookups;
    return found->second;
}

InodeTable::Counted InodeTable::count(FileDescriptor fd, const struct statx& from) noexcept {
    const InodeIdentity identity(from);
    const std::lock_guard lock(mutex_);
    if (const auto found = nodeids_.find(identity.key); found != nodeids_.end()) {
        ++slab_.acquire(found->second)->lookups;
        return {found->second, true};
    }
    Inode inode;
    inode.fd = std::move(fd);
    inode.identity = identity;
    inode.type = from.stx_mode & S_IFMT;
    inode.lookups = 1;
    const std::uint64_t nodeid = slab_.insert(std::move(inode));
    if (nodeid == 0) return {};
    try {
        nodeids_.emplace(identity.key, nodeid);
    } catch (...) { // std::bad_alloc
        slab_.retire(nodeid);
        return {};
    }
    return {nodeid, false};
}

bool InodeTable::count(std::uint64_t nodeid) noexcept {
    const std::lock_guard lock(mutex_);
    const Ref inode = slab_.acquire(nodeid);
    if (!inode) return false;
    ++inode->lookups;
    return true;
}

void InodeTable::forget(std::uint64_t nodeid, std::uint64_t lookups) noexcept {
    if (nodeid == kRoot) return;
    const Ref inode = slab_.acquire(nodeid); // lives longer than the lock: closing a descriptor may take a while
    const std::lock_guard lock(mutex_);
    if (!inode || inode->lookups == 0) {
        ++over_forgotten_;
        return;
    }
    if (lookups > inode->lookups) {
        ++over_forgotten_;
        lookups = inode->lookups;
    }
    inode->lookups -= lookups;
    if (inode->lookups != 0) return;
    nodeids_.erase(inode->identity.key);
    slab_.retire(nodeid);
}

void InodeTable::clear() noexcept {
    const std::lock_guard lock(mutex_);
    for (auto at = nodeids_.begin(); at != nodeids_.end();) {
        if (at->second == kRoot) {
            ++at;
            continue;
        }
        if (const Ref inode = slab_.acquire(at->second)) inode->lookups = 0;
        slab_.retire(at->second);
        at = nodeids_.erase(at);
    }
}

std::uint64_t InodeTable::over_forgotten() const noexcept {
    const std::lock_guard lock(mutex_);
    return over_forgotten_;
}

} // namespace vfsproto::backends
