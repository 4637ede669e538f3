// SPDX-License-Identifier: BSD-2-Clause
// FUSE operation numbers (linux/fuse.h 7.45). What each one carries stands in op_table.hpp.
#pragma once

#include <cstdint>

namespace vfsproto::wire {

enum class Opcode : std::uint32_t {
    lookup = 1,
    forget = 2,
    getattr = 3,
    setattr = 4,
    readlink = 5,
    symlink = 6,
    mknod = 8,
    mkdir = 9,
    unlink = 10,
    rmdir = 11,
    rename = 12,
    link = 13,
    open = 14,
    read = 15,
    write = 16,
    statfs = 17,
    release = 18,
    fsync = 20,
    setxattr = 21,
    getxattr = 22,
    listxattr = 23,
    removexattr = 24,
    flush = 25,
    init = 26,
    opendir = 27,
    readdir = 28,
    releasedir = 29,
    fsyncdir = 30,
    getlk = 31,
    setlk = 32,
    setlkw = 33,
    access = 34,
    create = 35,
    interrupt = 36,
    bmap = 37,
    destroy = 38,
    ioctl = 39,
    poll = 40,
    notify_reply = 41,
    batch_forget = 42,
    fallocate = 43,
    readdirplus = 44,
    rename2 = 45,
    lseek = 46,
    copy_file_range = 47,
    setupmapping = 48,
    removemapping = 49,
    syncfs = 50,
    tmpfile = 51,
    statx = 52,
    copy_file_range_64 = 53,
};

// An INIT whose opcode reads so came from a driver of the other byte order (linux/fuse.h, FUSE_INIT_BSWAP_RESERVED).
inline constexpr std::uint32_t kInitByteSwapped = 26u << 24;

} // namespace vfsproto::wire
