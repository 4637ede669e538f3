// SPDX-License-Identifier: BSD-2-Clause
// FUSE structures as they lie in memory, with the field names of linux/fuse.h 7.45. Byte order is the driver's own.
#pragma once

#include "vfsproto/abi/attributes.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace vfsproto::wire {

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

inline constexpr u32 kMajor = 7;
inline constexpr u32 kMinor = 45;
// A server that answers INIT below this is refused: every virtiofs server is newer, and the old struct sizes are gone.
inline constexpr u32 kMinorFloor = 27;
inline constexpr u64 kRootNodeId = 1;

// "No struct here" in a row of the op table.
struct None {};

struct InHeader {
    u32 len;
    u32 opcode;
    u64 unique;
    u64 nodeid;
    u32 uid;
    u32 gid;
    u32 pid;
    u16 total_extlen; // in 8-byte units, 7.38
    u16 padding;
};
struct OutHeader {
    u32 len;
    i32 error; // 0 or a negative Linux errno; in a notification the positive code
    u64 unique;
};

using Attr = abi::Attributes;
inline constexpr u32 kAttrSubmount = 1u << 0;
inline constexpr u32 kAttrDax = 1u << 1;

struct EntryOut {
    u64 nodeid;
    u64 generation;
    u64 entry_valid; // seconds
    u64 attr_valid;
    u32 entry_valid_nsec;
    u32 attr_valid_nsec;
    Attr attr;
};
struct AttrOut {
    u64 attr_valid;
    u32 attr_valid_nsec;
    u32 dummy;
    Attr attr;
};

struct ForgetIn {
    u64 nlookup;
};
struct ForgetOne {
    u64 nodeid;
    u64 nlookup;
};
struct BatchForgetIn {
    u32 count;
    u32 dummy;
};

struct GetattrIn {
    u32 getattr_flags;
    u32 dummy;
    u64 fh;
};
inline constexpr u32 kGetattrFh = 1u << 0;

struct SetattrIn {
    u32 valid;
    u32 padding;
    u64 fh;
    u64 size;
    u64 lock_owner;
    u64 atime;
    u64 mtime;
    u64 ctime;
    u32 atimensec;
    u32 mtimensec;
    u32 ctimensec;
    u32 mode;
    u32 unused4;
    u32 uid;
    u32 gid;
    u32 unused5;
};
inline constexpr u32 kSetattrMode = 1u << 0;
inline constexpr u32 kSetattrUid = 1u << 1;
inline constexpr u32 kSetattrGid = 1u << 2;
inline constexpr u32 kSetattrSize = 1u << 3;
inline constexpr u32 kSetattrAtime = 1u << 4;
inline constexpr u32 kSetattrMtime = 1u << 5;
inline constexpr u32 kSetattrFh = 1u << 6;
inline constexpr u32 kSetattrAtimeNow = 1u << 7;
inline constexpr u32 kSetattrMtimeNow = 1u << 8;
inline constexpr u32 kSetattrLockOwner = 1u << 9;
inline constexpr u32 kSetattrCtime = 1u << 10;
inline constexpr u32 kSetattrKillSuidgid = 1u << 11;

struct MknodIn {
    u32 mode;
    u32 rdev;
    u32 umask;
    u32 padding;
};
struct MkdirIn {
    u32 mode;
    u32 umask;
};
struct RenameIn {
    u64 newdir;
};
struct Rename2In {
    u64 newdir;
    u32 flags; // rename flags of abi/
    u32 padding;
};
struct LinkIn {
    u64 oldnodeid;
};

struct OpenIn {
    u32 flags; // Linux O_…
    u32 open_flags;
};
inline constexpr u32 kOpenKillSuidgid = 1u << 0;
struct OpenOut {
    u64 fh;
    u32 open_flags;
    i32 backing_id;
};
inline constexpr u32 kFopenDirectIo = 1u << 0;
inline constexpr u32 kFopenKeepCache = 1u << 1;
inline constexpr u32 kFopenNonseekable = 1u << 2;
inline constexpr u32 kFopenCacheDir = 1u << 3;
inline constexpr u32 kFopenStream = 1u << 4;
inline constexpr u32 kFopenNoflush = 1u << 5;
inline constexpr u32 kFopenParallelDirectWrites = 1u << 6;
inline constexpr u32 kFopenPassthrough = 1u << 7;

struct CreateIn {
    u32 flags;
    u32 mode;
    u32 umask;
    u32 open_flags;
};
struct CreateOut {
    EntryOut entry;
    OpenOut open;
};

struct ReadIn {
    u64 fh;
    u64 offset;
    u32 size;
    u32 read_flags;
    u64 lock_owner;
    u32 flags;
    u32 padding;
};
inline constexpr u32 kReadLockOwner = 1u << 1;
struct WriteIn {
    u64 fh;
    u64 offset;
    u32 size;
    u32 write_flags;
    u64 lock_owner;
    u32 flags;
    u32 padding;
};
inline constexpr u32 kWriteCache = 1u << 0;
inline constexpr u32 kWriteLockOwner = 1u << 1;
inline constexpr u32 kWriteKillSuidgid = 1u << 2;
struct WriteOut {
    u32 size;
    u32 padding;
};

struct Kstatfs {
    u64 blocks;
    u64 bfree;
    u64 bavail;
    u64 files;
    u64 ffree;
    u32 bsize;
    u32 namelen;
    u32 frsize;
    u32 padding;
    u32 spare[6];
};

struct ReleaseIn {
    u64 fh;
    u32 flags;
    u32 release_flags;
    u64 lock_owner;
};
inline constexpr u32 kReleaseFlush = 1u << 0;
inline constexpr u32 kReleaseFlockUnlock = 1u << 1;
struct FlushIn {
    u64 fh;
    u32 unused;
    u32 padding;
    u64 lock_owner;
};
struct FsyncIn {
    u64 fh;
    u32 fsync_flags;
    u32 padding;
};
inline constexpr u32 kFsyncDatasync = 1u << 0;

struct SetxattrIn {
    u32 size;
    u32 flags;
    u32 setxattr_flags; // these last two only with SETXATTR_EXT
    u32 padding;
};
inline constexpr std::size_t kSetxattrInCompatSize = 8;
inline constexpr u32 kSetxattrAclKillSgid = 1u << 0;
struct GetxattrIn {
    u32 size;
    u32 padding;
};
struct GetxattrOut {
    u32 size;
    u32 padding;
};

struct FileLock {
    u64 start;
    u64 end;
    u32 type;
    u32 pid;
};
struct LkIn {
    u64 fh;
    u64 owner;
    FileLock lk;
    u32 lk_flags;
    u32 padding;
};
inline constexpr u32 kLkFlock = 1u << 0;
struct LkOut {
    FileLock lk;
};

struct AccessIn {
    u32 mask;
    u32 padding;
};

struct InitIn {
    u32 major;
    u32 minor;
    u32 max_readahead;
    u32 flags;
    u32 flags2; // from here on only with INIT_EXT
    u32 unused[11];
};
inline constexpr std::size_t kInitInCompatSize = 16;
struct InitOut {
    u32 major;
    u32 minor;
    u32 max_readahead;
    u32 flags;
    u16 max_background;
    u16 congestion_threshold;
    u32 max_write;
    u32 time_gran;
    u16 max_pages;
    u16 map_alignment; // log2
    u32 flags2;
    u32 max_stack_depth;
    u16 request_timeout; // seconds
    u16 unused[11];
};
inline constexpr std::size_t kInitOutCompat22Size = 24; // what a server before 7.23 sends

struct InterruptIn {
    u64 unique;
};
struct BmapIn {
    u64 block;
    u32 blocksize;
    u32 padding;
};
struct BmapOut {
    u64 block;
};
struct IoctlIn {
    u64 fh;
    u32 flags;
    u32 cmd;
    u64 arg;
    u32 in_size;
    u32 out_size;
};
inline constexpr u32 kIoctlCompat = 1u << 0;
inline constexpr u32 kIoctlUnrestricted = 1u << 1;
inline constexpr u32 kIoctlRetry = 1u << 2;
inline constexpr u32 kIoctl32Bit = 1u << 3;
inline constexpr u32 kIoctlDir = 1u << 4;
struct IoctlOut {
    i32 result;
    u32 flags;
    u32 in_iovs;
    u32 out_iovs;
};
struct PollIn {
    u64 fh;
    u64 kh;
    u32 flags;
    u32 events;
};
inline constexpr u32 kPollScheduleNotify = 1u << 0;
struct PollOut {
    u32 revents;
    u32 padding;
};
struct FallocateIn {
    u64 fh;
    u64 offset;
    u64 length;
    u32 mode;
    u32 padding;
};
struct LseekIn {
    u64 fh;
    u64 offset;
    u32 whence;
    u32 padding;
};
struct LseekOut {
    u64 offset;
};
struct CopyFileRangeIn {
    u64 fh_in;
    u64 off_in;
    u64 nodeid_out;
    u64 fh_out;
    u64 off_out;
    u64 len;
    u64 flags;
};
struct CopyFileRangeOut {
    u64 bytes_copied;
};
struct SetupmappingIn {
    u64 fh;
    u64 foffset;
    u64 len;
    u64 flags;
    u64 moffset;
};
inline constexpr u64 kSetupmappingWrite = 1u << 0;
inline constexpr u64 kSetupmappingRead = 1u << 1;
struct RemovemappingIn {
    u32 count;
};
struct RemovemappingOne {
    u64 moffset;
    u64 len;
};
struct SyncfsIn {
    u64 padding;
};

struct SxTime {
    i64 tv_sec;
    u32 tv_nsec;
    i32 reserved;
};
struct Statx {
    u32 mask;
    u32 blksize;
    u64 attributes;
    u32 nlink;
    u32 uid;
    u32 gid;
    u16 mode;
    u16 spare0[1];
    u64 ino;
    u64 size;
    u64 blocks;
    u64 attributes_mask;
    SxTime atime;
    SxTime btime;
    SxTime ctime;
    SxTime mtime;
    u32 rdev_major;
    u32 rdev_minor;
    u32 dev_major;
    u32 dev_minor;
    u64 spare2[14];
};
struct StatxIn {
    u32 getattr_flags;
    u32 reserved;
    u64 fh;
    u32 sx_flags;
    u32 sx_mask;
};
struct StatxOut {
    u64 attr_valid;
    u32 attr_valid_nsec;
    u32 flags;
    u64 spare[2];
    Statx stat;
};

// Directory records: the struct, then the name without NUL, padded to 8.
struct Dirent {
    u64 ino;
    u64 off; // cookie of the next entry, opaque
    u32 namelen;
    u32 type; // DT_… of abi/
};
struct Direntplus {
    EntryOut entry_out;
    Dirent dirent;
};

// Notifications (unique == 0, OutHeader::error = code).
enum class NotifyCode : i32 {
    poll = 1,
    inval_inode = 2,
    inval_entry = 3,
    store = 4,
    retrieve = 5,
    delete_entry = 6,
    resend = 7,
    inc_epoch = 8,
    prune = 9,
};
struct NotifyPollWakeupOut {
    u64 kh;
};
struct NotifyInvalInodeOut {
    u64 ino;
    i64 off;
    i64 len;
};
struct NotifyInvalEntryOut {
    u64 parent;
    u32 namelen;
    u32 flags;
};
inline constexpr u32 kExpireOnly = 1u << 0;
struct NotifyDeleteOut {
    u64 parent;
    u64 child;
    u32 namelen;
    u32 padding;
};
struct NotifyStoreOut {
    u64 nodeid;
    u64 offset;
    u32 size;
    u32 padding;
};
struct NotifyRetrieveOut {
    u64 notify_unique;
    u64 nodeid;
    u64 offset;
    u32 size;
    u32 padding;
};
struct NotifyPruneOut {
    u32 count;
    u32 padding;
    u64 spare;
};
// Precedes the data of NOTIFY_REPLY; overlays ReadIn and WriteIn in the kernel.
struct NotifyRetrieveIn {
    u64 dummy1;
    u64 offset;
    u32 size;
    u32 dummy2;
    u64 dummy3;
    u64 dummy4;
};

// Request extensions (7.36 and 7.38), after the last string of a create-family request.
struct ExtHeader {
    u32 size; // with this header, padded to 8
    u32 type; // up to 31: a security context header's count; kExtGroups
};
inline constexpr u32 kMaxSecurityContexts = 31;
inline constexpr u32 kExtGroups = 32;
struct SecurityContext {
    u32 size;
    u32 padding;
};
struct SuppGroups {
    u32 nr_groups;
};

template <class S> inline constexpr std::size_t kWireSize = std::is_same_v<S, None> ? 0 : sizeof(S);

static_assert(sizeof(InHeader) == 40 && sizeof(OutHeader) == 16);
static_assert(sizeof(Attr) == 88 && sizeof(EntryOut) == 128 && sizeof(AttrOut) == 104);
static_assert(offsetof(Attr, atimensec) == 48 && offsetof(Attr, mode) == 60 && offsetof(Attr, flags) == 84);
static_assert(offsetof(EntryOut, attr) == 40 && offsetof(AttrOut, attr) == 16);
static_assert(sizeof(ForgetIn) == 8 && sizeof(ForgetOne) == 16 && sizeof(BatchForgetIn) == 8);
static_assert(sizeof(GetattrIn) == 16 && sizeof(SetattrIn) == 88 && offsetof(SetattrIn, mode) == 68);
static_assert(sizeof(MknodIn) == 16 && sizeof(MkdirIn) == 8 && sizeof(RenameIn) == 8 && sizeof(Rename2In) == 16);
static_assert(sizeof(LinkIn) == 8 && sizeof(OpenIn) == 8 && sizeof(OpenOut) == 16 && sizeof(CreateIn) == 16);
static_assert(sizeof(CreateOut) == 144 && sizeof(ReadIn) == 40 && sizeof(WriteIn) == 40 && sizeof(WriteOut) == 8);
static_assert(sizeof(Kstatfs) == 80 && sizeof(ReleaseIn) == 24 && sizeof(FlushIn) == 24 && sizeof(FsyncIn) == 16);
static_assert(sizeof(SetxattrIn) == 16 && sizeof(GetxattrIn) == 8 && sizeof(GetxattrOut) == 8);
static_assert(sizeof(LkIn) == 48 && sizeof(LkOut) == 24 && sizeof(AccessIn) == 8);
static_assert(sizeof(InitIn) == 64 && sizeof(InitOut) == 64 && offsetof(InitOut, max_write) == 20);
static_assert(offsetof(InitOut, max_pages) == 28 && offsetof(InitOut, flags2) == 32);
static_assert(sizeof(InterruptIn) == 8 && sizeof(BmapIn) == 16 && sizeof(BmapOut) == 8);
static_assert(sizeof(IoctlIn) == 32 && sizeof(IoctlOut) == 16 && sizeof(PollIn) == 24 && sizeof(PollOut) == 8);
static_assert(sizeof(FallocateIn) == 32 && sizeof(LseekIn) == 24 && sizeof(LseekOut) == 8);
static_assert(sizeof(CopyFileRangeIn) == 56 && sizeof(CopyFileRangeOut) == 8);
static_assert(sizeof(SetupmappingIn) == 40 && sizeof(RemovemappingIn) == 4 && sizeof(RemovemappingOne) == 16);
static_assert(sizeof(SyncfsIn) == 8 && sizeof(Statx) == 256 && sizeof(StatxIn) == 24 && sizeof(StatxOut) == 288);
static_assert(sizeof(Dirent) == 24 && sizeof(Direntplus) == 152);
static_assert(sizeof(NotifyInvalInodeOut) == 24 && sizeof(NotifyInvalEntryOut) == 16 && sizeof(NotifyDeleteOut) == 24);
static_assert(sizeof(NotifyStoreOut) == 24 && sizeof(NotifyRetrieveOut) == 32 && sizeof(NotifyPruneOut) == 16);
static_assert(sizeof(NotifyRetrieveIn) == 40 && sizeof(ExtHeader) == 8);

} // namespace vfsproto::wire
