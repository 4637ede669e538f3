// SPDX-License-Identifier: BSD-2-Clause
#include "inode_table.hpp"

#include "attributes.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <utility>

namespace vfsproto::backends {

InodeIdentity::InodeIdentity(const struct statx& from) noexcept
    : key{makedev(from.stx_dev_major, from.stx_dev_minor), from.stx_ino, from.stx_mnt_id} {
    if ((from.stx_mask & STATX_BTIME) == 0) return;
    born = static_cast<std::uint64_t>(from.stx_btime.tv_sec) * 1'000'000'000 + from.stx_btime.tv_nsec;
}

bool InodeTable::insert_root(FileDescriptor fd, const struct statx& from) noexcept {
    begin_session();
    return count(std::move(fd), from, session()).nodeid == kRoot;
}

void InodeTable::begin_session() noexcept {
    const std::lock_guard lock(mutex_);
    if (++last_session_ == kNoSession) ++last_session_;
    session_.store(last_session_, std::memory_order_release);
}

std::uint64_t InodeTable::count_known(const struct statx& from, SessionNumber session) noexcept {
    const InodeIdentity identity(from);
    const std::lock_guard lock(mutex_);
    if (!is_current(session)) return 0;
    const auto found = nodeids_.find(identity.key);
    if (found == nodeids_.end()) return 0;
    const Ref inode = slab_.acquire(found->second);
    if (!inode || inode->identity.born != identity.born) return 0;
    ++inode->lookups;
    return found->second;
}

std::uint64_t InodeTable::find(const struct statx& status) noexcept {
    const InodeIdentity identity(status);
    const std::lock_guard lock(mutex_);
    const auto found = nodeids_.find(identity.key);
    return found == nodeids_.end() ? 0 : found->second;
}

// A birth time that differs means that the host gave the number to another file, although our descriptor holds the first one:
// some FUSE and network file systems do. Or the file's birth time itself changed, as overlayfs changes it when it copies a
// file up: then our descriptor tells the new one as well.
bool InodeTable::is_same(Inode& known, const InodeIdentity& found) noexcept {
    if (known.identity.born == found.born) return true;
    struct statx now{};
    if (::statx(known.fd.get(), "", AT_EMPTY_PATH, kStatxMask, &now) != 0) return false;
    if (InodeIdentity(now).born != found.born) return false;
    known.identity.born = found.born;
    return true;
}

InodeTable::Counted InodeTable::count(FileDescriptor fd, const struct statx& from, SessionNumber session) noexcept {
    const InodeIdentity identity(from);
    const std::lock_guard lock(mutex_);
    if (!is_current(session)) return {0, false, ESTALE};
    if (const auto found = nodeids_.find(identity.key); found != nodeids_.end()) {
        const Ref known = slab_.acquire(found->second);
        if (is_same(*known, identity)) {
            ++known->lookups;
            return {found->second, true, 0};
        }
    }
    Inode inode;
    inode.fd = std::move(fd);
    inode.identity = identity;
    inode.type = from.stx_mode & S_IFMT;
    inode.lookups = 1;
    const std::uint64_t nodeid = slab_.insert(std::move(inode));
    if (nodeid == 0) return {0, false, ENOMEM};
    try {
        nodeids_.insert_or_assign(identity.key, nodeid);
    } catch (...) { // std::bad_alloc
        slab_.retire(nodeid);
        return {0, false, ENOMEM};
    }
    return {nodeid, false, 0};
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
    const auto at = nodeids_.find(inode->identity.key);
    if (at != nodeids_.end() && at->second == nodeid) nodeids_.erase(at);
    slab_.retire(nodeid);
}

std::uint64_t InodeTable::lookups_of(std::uint64_t nodeid) noexcept {
    if (nodeid == kRoot) return 0;
    const Ref inode = slab_.acquire(nodeid);
    const std::lock_guard lock(mutex_);
    return inode ? inode->lookups : 0;
}

void InodeTable::end_session() noexcept {
    const std::lock_guard lock(mutex_);
    session_.store(kNoSession, std::memory_order_release);
    for (auto at = nodeids_.begin(); at != nodeids_.end();) {
        if (at->second == kRoot) {
            ++at;
            continue;
        }
        if (const Ref inode = slab_.acquire(at->second)) inode->lookups = 0;
        slab_.retire(at->second);
        at = nodeids_.erase(at);
    }
    slab_.retire_all_but(kRoot); // files whose numbers now name others
}

std::uint64_t InodeTable::over_forgotten() const noexcept {
    const std::lock_guard lock(mutex_);
    return over_forgotten_;
}

} // namespace vfsproto::backends
