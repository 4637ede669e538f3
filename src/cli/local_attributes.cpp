// SPDX-License-Identifier: BSD-2-Clause
#include "local_attributes.hpp"

#include "vfsproto/fuse/wire/linux_abi.hpp"

#include <sys/sysmacros.h>

namespace vfsproto::cli {

posix::Attributes attributes_of(const struct stat& from) noexcept {
    posix::Attributes a{};
    a.ino = from.st_ino;
    a.size = static_cast<std::uint64_t>(from.st_size);
    a.blocks = static_cast<std::uint64_t>(from.st_blocks);
    a.atime = static_cast<std::uint64_t>(from.st_atim.tv_sec);
    a.mtime = static_cast<std::uint64_t>(from.st_mtim.tv_sec);
    a.ctime = static_cast<std::uint64_t>(from.st_ctim.tv_sec);
    a.atimensec = static_cast<std::uint32_t>(from.st_atim.tv_nsec);
    a.mtimensec = static_cast<std::uint32_t>(from.st_mtim.tv_nsec);
    a.ctimensec = static_cast<std::uint32_t>(from.st_ctim.tv_nsec);
    a.mode = from.st_mode;
    a.nlink = static_cast<std::uint32_t>(from.st_nlink);
    a.uid = from.st_uid;
    a.gid = from.st_gid;
    a.rdev = wire::linux_abi::encode_device(major(from.st_rdev), minor(from.st_rdev));
    return a;
}

} // namespace vfsproto::cli
