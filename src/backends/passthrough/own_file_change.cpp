// SPDX-License-Identifier: BSD-2-Clause
#include "own_file_change.hpp"

#include "attributes.hpp"

#include <fcntl.h>

namespace vfsproto::backends {

void OwnFileChange::find(HostWatch& watch, int directory, const char* name) noexcept {
    struct statx status{};
    constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (::statx(directory, name, kFlags, kStatxMask, &status) != 0) return;
    found_.emplace(status);
    begin(watch, watch.inodes().find(status));
}

void OwnFileChange::begin(HostWatch& watch, std::uint64_t nodeid) noexcept {
    inode_ = watch.inodes().acquire(nodeid);
    if (!inode_) return;
    inode_->known.begin_change();
    before_ = version_of(inode_->fd.get());
}

} // namespace vfsproto::backends
