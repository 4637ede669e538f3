// SPDX-License-Identifier: BSD-2-Clause
#include "changed_directories.hpp"

#include "inode_table.hpp"

#include <algorithm>
#include <new>

namespace vfsproto::backends {

void ChangedDirectories::note(std::uint64_t nodeid) noexcept {
    const auto is_same = [&](const Noted& one) { return one.nodeid == nodeid; };
    if (noted_.size() >= kMost || std::any_of(noted_.begin(), noted_.end(), is_same)) return;
    try {
        noted_.push_back({nodeid});
    } catch (const std::bad_alloc&) {}
}

void ChangedDirectories::look() noexcept {
    for (Noted& one : noted_) {
        const InodeTable::Ref inode = inodes_.acquire(one.nodeid);
        if (!inode) continue;
        one.requests = inode->known.requests();
        one.known = inode->known.version();
        one.now = version_of(inode->fd.get());
    }
}

bool ChangedDirectories::has_settled(const Noted& one) const noexcept {
    const InodeTable::Ref inode = inodes_.acquire(one.nodeid);
    if (!inode) return true; // the client has forgotten it
    if (one.requests.are_under_way() || inode->known.requests() != one.requests) return false;
    inode->known.replace(one.known, one.now);
    return true;
}

} // namespace vfsproto::backends
