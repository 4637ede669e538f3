// SPDX-License-Identifier: BSD-2-Clause
// The flags of FUSE_INIT (linux/fuse.h 7.45): two words on the wire, one set of 64 bits here.
#pragma once

#include "vfsproto/base/flag_set.hpp"

#include <cstdint>

namespace vfsproto::wire {

// The bit number; from 32 on in flags2.
enum class InitFlag : std::uint8_t {
    async_read = 0,            // 7.6: several READs per file may be in flight
    posix_locks = 1,           // 7.7: forward fcntl locks
    file_ops = 2,              // unused
    atomic_o_trunc = 3,        // 7.9: pass O_TRUNC in OPEN
    export_support = 4,        // 7.11: LOOKUP of "." and ".."
    big_writes = 5,            // 7.11: writes above 4096 bytes
    dont_mask = 6,             // 7.12: do not apply the umask to a mode
    splice_write = 7,          // 7.14: /dev/fuse only
    splice_move = 8,           // 7.14: /dev/fuse only
    splice_read = 9,           // 7.14: /dev/fuse only
    flock_locks = 10,          // 7.17: forward flock
    has_ioctl_dir = 11,        // 7.18: ioctl on directories
    auto_inval_data = 12,      // 7.20: drop cached data when mtime or size changed
    do_readdirplus = 13,       // 7.21: READDIRPLUS may be used
    readdirplus_auto = 14,     // 7.21: adaptively; meaningless without the bit before
    async_dio = 15,            // 7.22: split direct I/O asynchronously
    writeback_cache = 16,      // 7.23: the client owns size, mtime and ctime
    no_open_support = 17,      // 7.23: the client tolerates ENOSYS on OPEN
    parallel_dirops = 18,      // 7.25: concurrent LOOKUP and READDIR in one directory
    handle_killpriv = 19,      // 7.26: the server clears suid, sgid and capabilities
    posix_acl = 20,            // 7.26: the client evaluates ACL xattrs
    abort_error = 21,          // 7.27: /dev/fuse only
    max_pages = 22,            // 7.28: InitOut::max_pages is valid
    cache_symlinks = 23,       // 7.28: READLINK may be cached
    no_opendir_support = 24,   // 7.29: the client tolerates ENOSYS on OPENDIR
    explicit_inval_data = 25,  // 7.30: no automatic data invalidation
    map_alignment = 26,        // 7.31: InitOut::map_alignment is valid (DAX)
    submounts = 27,            // 7.32: kAttrSubmount is understood
    handle_killpriv_v2 = 28,   // 7.33: as HANDLE_KILLPRIV, driven by the KILL_SUIDGID flags
    setxattr_ext = 29,         // 7.33: the 16-byte SetxattrIn
    init_ext = 30,             // 7.36: flags2 is present
    init_reserved = 31,        // 7.36: never set
    security_ctx = 32,         // 7.36: security context extension
    has_inode_dax = 33,        // 7.36: kAttrDax
    create_supp_group = 34,    // 7.38: supplementary group extension
    has_expire_only = 35,      // 7.38: kExpireOnly is understood
    direct_io_allow_mmap = 36, // 7.39: shared mmap of direct-I/O files
    passthrough = 37,          // 7.40: no use over virtio
    no_export_support = 38,    // 7.40: file handles cannot be decoded
    has_resend = 39,           // 7.40: the client handles the resend notification
    allow_idmap = 40,          // 7.41: idmapped mounts
    over_io_uring = 41,        // 7.42: /dev/fuse only
    request_timeout = 42,      // 7.43: InitOut::request_timeout is valid
};

// low_word() is InitIn::flags and InitOut::flags, high_word() is flags2. Whoever sets a bit of the second word sets init_ext
// too.
using InitFlags = FlagSet<InitFlag>;

// Returns the flags of a message. The second word counts only when the first has INIT_EXT.
[[nodiscard]] constexpr InitFlags init_flags_from_words(std::uint32_t flags, std::uint32_t flags2) noexcept {
    const InitFlags low{flags};
    return low.has(InitFlag::init_ext) ? InitFlags{std::uint64_t{flags2} << 32 | flags} : low;
}

// "ASYNC_READ" and so on by bit number, nullptr for a bit without a name. Static storage. Any context.
[[nodiscard]] const char* init_flag_name(unsigned bit) noexcept;

} // namespace vfsproto::wire
