// SPDX-License-Identifier: BSD-2-Clause
// Numbers with Linux' meaning, whatever the host: open flags, modes and so on. They are the generic (x86) values; what a
// port's own headers say never reaches a peer. FUSE, 9P and the C interface speak them alike.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto::abi {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

// open(2) flags (asm-generic/fcntl.h).
inline constexpr u32 kORdonly = 0;
inline constexpr u32 kOWronly = 01;
inline constexpr u32 kORdwr = 02;
inline constexpr u32 kOAccmode = 03;
inline constexpr u32 kOCreat = 0100;
inline constexpr u32 kOExcl = 0200;
inline constexpr u32 kONoctty = 0400;
inline constexpr u32 kOTrunc = 01000;
inline constexpr u32 kOAppend = 02000;
inline constexpr u32 kONonblock = 04000;
inline constexpr u32 kODsync = 010000;
inline constexpr u32 kODirect = 040000;
inline constexpr u32 kOLargefile = 0100000;
inline constexpr u32 kODirectory = 0200000;
inline constexpr u32 kONofollow = 0400000;
inline constexpr u32 kONoatime = 01000000;
inline constexpr u32 kOCloexec = 02000000;
inline constexpr u32 kOSync = 04000000 | kODsync;
inline constexpr u32 kOPath = 010000000;
inline constexpr u32 kOTmpfile = 020000000 | kODirectory;

// File modes (uapi/linux/stat.h).
inline constexpr u32 kSIfmt = 0170000;
inline constexpr u32 kSIfsock = 0140000;
inline constexpr u32 kSIflnk = 0120000;
inline constexpr u32 kSIfreg = 0100000;
inline constexpr u32 kSIfblk = 0060000;
inline constexpr u32 kSIfdir = 0040000;
inline constexpr u32 kSIfchr = 0020000;
inline constexpr u32 kSIfifo = 0010000;
inline constexpr u32 kSIsuid = 0004000;
inline constexpr u32 kSIsgid = 0002000;
inline constexpr u32 kSIsvtx = 0001000;
inline constexpr u32 kSIrwxu = 0700;
inline constexpr u32 kSIrwxg = 0070;
inline constexpr u32 kSIxgrp = 0010;
inline constexpr u32 kSIrwxo = 0007;
inline constexpr u32 kSIallugo = 07777; // all that chmod(2) may change

[[nodiscard]] constexpr u32 file_type(u32 mode) noexcept { return mode & kSIfmt; }
[[nodiscard]] constexpr bool is_directory(u32 mode) noexcept { return file_type(mode) == kSIfdir; }
[[nodiscard]] constexpr bool is_regular(u32 mode) noexcept { return file_type(mode) == kSIfreg; }
[[nodiscard]] constexpr bool is_symlink(u32 mode) noexcept { return file_type(mode) == kSIflnk; }

// Dirent::type: the file type bits of a mode, shifted.
inline constexpr u32 kDtUnknown = 0;
inline constexpr u32 kDtFifo = 1;
inline constexpr u32 kDtChr = 2;
inline constexpr u32 kDtDir = 4;
inline constexpr u32 kDtBlk = 6;
inline constexpr u32 kDtReg = 8;
inline constexpr u32 kDtLnk = 10;
inline constexpr u32 kDtSock = 12;
inline constexpr u32 kDtWht = 14;
[[nodiscard]] constexpr u32 dirent_type(u32 mode) noexcept { return file_type(mode) >> 12; }

// Linux new_encode_dev: what Attr::rdev and MknodIn::rdev hold.
[[nodiscard]] constexpr u32 encode_device(u32 major, u32 minor) noexcept {
    return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xffu) << 12);
}
[[nodiscard]] constexpr u32 device_major(u32 rdev) noexcept { return (rdev & 0xfff00) >> 8; }
[[nodiscard]] constexpr u32 device_minor(u32 rdev) noexcept { return (rdev & 0xff) | ((rdev >> 12) & 0xfff00); }

// renameat2(2).
inline constexpr u32 kRenameNoreplace = 1u << 0;
inline constexpr u32 kRenameExchange = 1u << 1;
inline constexpr u32 kRenameWhiteout = 1u << 2;

// fallocate(2).
inline constexpr u32 kFallocKeepSize = 0x01;
inline constexpr u32 kFallocPunchHole = 0x02;
inline constexpr u32 kFallocNoHideStale = 0x04;
inline constexpr u32 kFallocCollapseRange = 0x08;
inline constexpr u32 kFallocZeroRange = 0x10;
inline constexpr u32 kFallocInsertRange = 0x20;
inline constexpr u32 kFallocUnshareRange = 0x40;

// lseek(2).
inline constexpr u32 kSeekSet = 0;
inline constexpr u32 kSeekCur = 1;
inline constexpr u32 kSeekEnd = 2;
inline constexpr u32 kSeekData = 3;
inline constexpr u32 kSeekHole = 4;

// setxattr(2).
inline constexpr u32 kXattrCreate = 1;
inline constexpr u32 kXattrReplace = 2;
inline constexpr std::size_t kXattrNameMax = 255;
inline constexpr std::size_t kXattrSizeMax = 65536;
inline constexpr std::size_t kXattrListMax = 65536;

// access(2).
inline constexpr u32 kFOk = 0;
inline constexpr u32 kXOk = 1;
inline constexpr u32 kWOk = 2;
inline constexpr u32 kROk = 4;

// statx(2): flags of the call, then the mask.
inline constexpr u32 kAtSymlinkNofollow = 0x100;
inline constexpr u32 kAtNoAutomount = 0x800;
inline constexpr u32 kAtEmptyPath = 0x1000;
inline constexpr u32 kAtStatxSyncType = 0x6000;
inline constexpr u32 kAtStatxForceSync = 0x2000;
inline constexpr u32 kAtStatxDontSync = 0x4000;
inline constexpr u32 kStatxType = 0x001;
inline constexpr u32 kStatxMode = 0x002;
inline constexpr u32 kStatxNlink = 0x004;
inline constexpr u32 kStatxUid = 0x008;
inline constexpr u32 kStatxGid = 0x010;
inline constexpr u32 kStatxAtime = 0x020;
inline constexpr u32 kStatxMtime = 0x040;
inline constexpr u32 kStatxCtime = 0x080;
inline constexpr u32 kStatxIno = 0x100;
inline constexpr u32 kStatxSize = 0x200;
inline constexpr u32 kStatxBlocks = 0x400;
inline constexpr u32 kStatxBasicStats = 0x7ff;
inline constexpr u32 kStatxBtime = 0x800;

// FileLock::type (fcntl(2)).
inline constexpr u32 kLockRead = 0;
inline constexpr u32 kLockWrite = 1;
inline constexpr u32 kLockUnlock = 2;
inline constexpr u64 kLockToEof = 0x7fffffffffffffff; // FileLock::end of a lock without an end

// poll(2) events.
inline constexpr u32 kPollIn = 0x001;
inline constexpr u32 kPollPri = 0x002;
inline constexpr u32 kPollOut = 0x004;
inline constexpr u32 kPollErr = 0x008;
inline constexpr u32 kPollHup = 0x010;
inline constexpr u32 kPollNval = 0x020;
inline constexpr u32 kPollRdnorm = 0x040;
inline constexpr u32 kPollWrnorm = 0x100;

// Lengths, without the NUL.
inline constexpr std::size_t kNameMax = 255;
inline constexpr std::size_t kPathMax = 4095;

} // namespace vfsproto::abi
