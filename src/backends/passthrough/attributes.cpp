// SPDX-License-Identifier: BSD-2-Clause
#include "attributes.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <sys/sysmacros.h>

namespace vfsproto::backends {

wire::Attr attr_of(const struct stat& from) noexcept {
    wire::Attr to{};
    to.ino = from.st_ino;
    to.size = static_cast<wire::u64>(from.st_size);
    to.blocks = static_cast<wire::u64>(from.st_blocks);
    to.atime = static_cast<wire::u64>(from.st_atim.tv_sec);
    to.mtime = static_cast<wire::u64>(from.st_mtim.tv_sec);
    to.ctime = static_cast<wire::u64>(from.st_ctim.tv_sec);
    to.atimensec = static_cast<wire::u32>(from.st_atim.tv_nsec);
    to.mtimensec = static_cast<wire::u32>(from.st_mtim.tv_nsec);
    to.ctimensec = static_cast<wire::u32>(from.st_ctim.tv_nsec);
    to.mode = from.st_mode;
    to.nlink = static_cast<wire::u32>(from.st_nlink);
    to.uid = from.st_uid;
    to.gid = from.st_gid;
    to.rdev = abi::encode_device(major(from.st_rdev), minor(from.st_rdev));
    to.blksize = static_cast<wire::u32>(from.st_blksize);
    return to;
}

wire::Attr attr_of(const struct statx& from) noexcept {
    wire::Attr to{};
    to.ino = from.stx_ino;
    to.size = from.stx_size;
    to.blocks = from.stx_blocks;
    to.atime = static_cast<wire::u64>(from.stx_atime.tv_sec);
    to.mtime = static_cast<wire::u64>(from.stx_mtime.tv_sec);
    to.ctime = static_cast<wire::u64>(from.stx_ctime.tv_sec);
    to.atimensec = from.stx_atime.tv_nsec;
    to.mtimensec = from.stx_mtime.tv_nsec;
    to.ctimensec = from.stx_ctime.tv_nsec;
    to.mode = from.stx_mode;
    to.nlink = from.stx_nlink;
    to.uid = from.stx_uid;
    to.gid = from.stx_gid;
    to.rdev = abi::encode_device(from.stx_rdev_major, from.stx_rdev_minor);
    to.blksize = from.stx_blksize;
    return to;
}

namespace {

wire::SxTime time_of(const struct statx_timestamp& from) noexcept { return {from.tv_sec, from.tv_nsec, 0}; }

} // namespace

wire::Statx statx_of(const struct statx& from) noexcept {
    wire::Statx to{};
    to.mask = from.stx_mask & (STATX_BASIC_STATS | STATX_BTIME);
    to.blksize = from.stx_blksize;
    to.attributes = from.stx_attributes;
    to.nlink = from.stx_nlink;
    to.uid = from.stx_uid;
    to.gid = from.stx_gid;
    to.mode = from.stx_mode;
    to.ino = from.stx_ino;
    to.size = from.stx_size;
    to.blocks = from.stx_blocks;
    to.attributes_mask = from.stx_attributes_mask;
    to.atime = time_of(from.stx_atime);
    to.btime = time_of(from.stx_btime);
    to.ctime = time_of(from.stx_ctime);
    to.mtime = time_of(from.stx_mtime);
    to.rdev_major = from.stx_rdev_major;
    to.rdev_minor = from.stx_rdev_minor;
    to.dev_major = from.stx_dev_major;
    to.dev_minor = from.stx_dev_minor;
    return to;
}

} // namespace vfsproto::backends
