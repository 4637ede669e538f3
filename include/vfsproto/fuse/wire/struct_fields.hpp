// SPDX-License-Identifier: BSD-2-Clause
// Describes the fields of FUSE structs, for whoever shows messages to people or to programs: names, places, and how each is
// best read. fields_of() finds those of an operation by its row.
#pragma once

#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace vfsproto::wire {

// A name for a number: it stands for `value` among the bits of `mask`.
struct BitName {
    u32 mask;
    u32 value;
    const char* name;
};

enum class FieldForm : std::uint8_t {
    number,
    negative, // may be
    octal,    // a mode
    hex,
    bits,  // names of bits; those without a name as a number
    node,  // the id of a node
    unused // says nothing
};

struct Field {
    const char* name;
    u16 offset;
    std::uint8_t size; // bytes: 2, 4 or 8; any for an unused one
    FieldForm form;
    std::span<const BitName> bits;
};

// Returns the value of a field of the struct at `from`, which holds the field. One below 0 is sign-extended. Any context.
[[nodiscard]] inline u64 field_value(const Field& field, const std::byte* from) noexcept {
    const auto read = [at = from + field.offset]<class T>(T value) noexcept {
        __builtin_memcpy(&value, at, sizeof(value));
        return value;
    };
    if (field.size == sizeof(u64)) return read(u64{});
    if (field.size == sizeof(u16)) return read(u16{});
    const u32 value = read(u32{});
    return field.form == FieldForm::negative ? static_cast<u64>(static_cast<i64>(static_cast<i32>(value))) : value;
}

// These names are of flags that several structs share.
inline constexpr std::array kOpenFlagNames{
    BitName{abi::kOAccmode, abi::kORdonly, "O_RDONLY"},
    BitName{abi::kOAccmode, abi::kOWronly, "O_WRONLY"},
    BitName{abi::kOAccmode, abi::kORdwr, "O_RDWR"},
    BitName{abi::kOCreat, abi::kOCreat, "O_CREAT"},
    BitName{abi::kOExcl, abi::kOExcl, "O_EXCL"},
    BitName{abi::kONoctty, abi::kONoctty, "O_NOCTTY"},
    BitName{abi::kOTrunc, abi::kOTrunc, "O_TRUNC"},
    BitName{abi::kOAppend, abi::kOAppend, "O_APPEND"},
    BitName{abi::kONonblock, abi::kONonblock, "O_NONBLOCK"},
    BitName{abi::kOSync, abi::kOSync, "O_SYNC"},
    BitName{abi::kOSync, abi::kODsync, "O_DSYNC"},
    BitName{abi::kODirect, abi::kODirect, "O_DIRECT"},
    BitName{abi::kOLargefile, abi::kOLargefile, "O_LARGEFILE"},
    BitName{abi::kOTmpfile, abi::kOTmpfile, "O_TMPFILE"},
    BitName{abi::kOTmpfile, abi::kODirectory, "O_DIRECTORY"},
    BitName{abi::kONofollow, abi::kONofollow, "O_NOFOLLOW"},
    BitName{abi::kONoatime, abi::kONoatime, "O_NOATIME"},
    BitName{abi::kOCloexec, abi::kOCloexec, "O_CLOEXEC"},
    BitName{abi::kOPath, abi::kOPath, "O_PATH"},
};
inline constexpr std::array kFopenNames{
    BitName{kFopenDirectIo, kFopenDirectIo, "FOPEN_DIRECT_IO"},
    BitName{kFopenKeepCache, kFopenKeepCache, "FOPEN_KEEP_CACHE"},
    BitName{kFopenNonseekable, kFopenNonseekable, "FOPEN_NONSEEKABLE"},
    BitName{kFopenCacheDir, kFopenCacheDir, "FOPEN_CACHE_DIR"},
    BitName{kFopenStream, kFopenStream, "FOPEN_STREAM"},
    BitName{kFopenNoflush, kFopenNoflush, "FOPEN_NOFLUSH"},
    BitName{kFopenParallelDirectWrites, kFopenParallelDirectWrites, "FOPEN_PARALLEL_DIRECT_WRITES"},
    BitName{kFopenPassthrough, kFopenPassthrough, "FOPEN_PASSTHROUGH"},
};
inline constexpr std::array kSetattrNames{
    BitName{kSetattrMode, kSetattrMode, "FATTR_MODE"},
    BitName{kSetattrUid, kSetattrUid, "FATTR_UID"},
    BitName{kSetattrGid, kSetattrGid, "FATTR_GID"},
    BitName{kSetattrSize, kSetattrSize, "FATTR_SIZE"},
    BitName{kSetattrAtime, kSetattrAtime, "FATTR_ATIME"},
    BitName{kSetattrMtime, kSetattrMtime, "FATTR_MTIME"},
    BitName{kSetattrFh, kSetattrFh, "FATTR_FH"},
    BitName{kSetattrAtimeNow, kSetattrAtimeNow, "FATTR_ATIME_NOW"},
    BitName{kSetattrMtimeNow, kSetattrMtimeNow, "FATTR_MTIME_NOW"},
    BitName{kSetattrLockOwner, kSetattrLockOwner, "FATTR_LOCKOWNER"},
    BitName{kSetattrCtime, kSetattrCtime, "FATTR_CTIME"},
    BitName{kSetattrKillSuidgid, kSetattrKillSuidgid, "FATTR_KILL_SUIDGID"},
};
inline constexpr std::array kRenameNames{
    BitName{abi::kRenameNoreplace, abi::kRenameNoreplace, "RENAME_NOREPLACE"},
    BitName{abi::kRenameExchange, abi::kRenameExchange, "RENAME_EXCHANGE"},
    BitName{abi::kRenameWhiteout, abi::kRenameWhiteout, "RENAME_WHITEOUT"},
};
inline constexpr std::array kSeekNames{
    BitName{~0u, abi::kSeekSet, "SEEK_SET"},   BitName{~0u, abi::kSeekCur, "SEEK_CUR"},
    BitName{~0u, abi::kSeekEnd, "SEEK_END"},   BitName{~0u, abi::kSeekData, "SEEK_DATA"},
    BitName{~0u, abi::kSeekHole, "SEEK_HOLE"},
};
inline constexpr std::array kLockTypeNames{
    BitName{~0u, abi::kLockRead, "F_RDLCK"},
    BitName{~0u, abi::kLockWrite, "F_WRLCK"},
    BitName{~0u, abi::kLockUnlock, "F_UNLCK"},
};

// The name is the member's, so that the two cannot differ. Undefined again below.
#define VFSPROTO_FIELD(type, member, form)                                                                             \
    Field {                                                                                                            \
        #member, offsetof(type, member), sizeof(type::member), FieldForm::form, {}                                     \
    }
#define VFSPROTO_BITS(type, member, names)                                                                             \
    Field { #member, offsetof(type, member), sizeof(type::member), FieldForm::bits, names }

namespace detail {

// Returns `outer` followed by the fields of a struct inside it, which begins at `offset`.
template <std::size_t N, std::size_t M>
consteval auto with_inner(const std::array<Field, N>& outer, std::size_t offset, const std::array<Field, M>& inner) {
    std::array<Field, N + M> all{};
    for (std::size_t i = 0; i < N; ++i) all[i] = outer[i];
    for (std::size_t i = 0; i < M; ++i) {
        all[N + i] = inner[i];
        all[N + i].offset = static_cast<u16>(offset + inner[i].offset);
    }
    return all;
}

} // namespace detail

// Lists the fields of a struct. Each byte of it lies in one of them.
template <class S> inline constexpr std::array<Field, 0> kFields{};
template <> inline constexpr std::array kFields<Attr>{
    VFSPROTO_FIELD(Attr, ino, number),       VFSPROTO_FIELD(Attr, size, number),
    VFSPROTO_FIELD(Attr, blocks, number),    VFSPROTO_FIELD(Attr, atime, negative),
    VFSPROTO_FIELD(Attr, mtime, negative),   VFSPROTO_FIELD(Attr, ctime, negative),
    VFSPROTO_FIELD(Attr, atimensec, number), VFSPROTO_FIELD(Attr, mtimensec, number),
    VFSPROTO_FIELD(Attr, ctimensec, number), VFSPROTO_FIELD(Attr, mode, octal),
    VFSPROTO_FIELD(Attr, nlink, number),     VFSPROTO_FIELD(Attr, uid, number),
    VFSPROTO_FIELD(Attr, gid, number),       VFSPROTO_FIELD(Attr, rdev, hex),
    VFSPROTO_FIELD(Attr, blksize, number),   VFSPROTO_FIELD(Attr, flags, hex),
};
template <> inline constexpr auto kFields<EntryOut> = detail::with_inner(
    std::array{VFSPROTO_FIELD(EntryOut, nodeid, node), VFSPROTO_FIELD(EntryOut, generation, number),
               VFSPROTO_FIELD(EntryOut, entry_valid, number), VFSPROTO_FIELD(EntryOut, attr_valid, number),
               VFSPROTO_FIELD(EntryOut, entry_valid_nsec, number), VFSPROTO_FIELD(EntryOut, attr_valid_nsec, number)},
    offsetof(EntryOut, attr), kFields<Attr>);
template <> inline constexpr auto kFields<AttrOut> = detail::with_inner(
    std::array{VFSPROTO_FIELD(AttrOut, attr_valid, number), VFSPROTO_FIELD(AttrOut, attr_valid_nsec, number),
               VFSPROTO_FIELD(AttrOut, dummy, unused)},
    offsetof(AttrOut, attr), kFields<Attr>);
template <> inline constexpr std::array kFields<ForgetIn>{VFSPROTO_FIELD(ForgetIn, nlookup, number)};
template <> inline constexpr std::array kFields<BatchForgetIn>{VFSPROTO_FIELD(BatchForgetIn, count, number),
                                                               VFSPROTO_FIELD(BatchForgetIn, dummy, unused)};
template <> inline constexpr std::array kFields<GetattrIn>{VFSPROTO_FIELD(GetattrIn, getattr_flags, hex),
                                                           VFSPROTO_FIELD(GetattrIn, dummy, unused),
                                                           VFSPROTO_FIELD(GetattrIn, fh, number)};
template <> inline constexpr std::array kFields<SetattrIn>{
    VFSPROTO_BITS(SetattrIn, valid, kSetattrNames), VFSPROTO_FIELD(SetattrIn, padding, unused),
    VFSPROTO_FIELD(SetattrIn, fh, number),          VFSPROTO_FIELD(SetattrIn, size, number),
    VFSPROTO_FIELD(SetattrIn, lock_owner, hex),     VFSPROTO_FIELD(SetattrIn, atime, negative),
    VFSPROTO_FIELD(SetattrIn, mtime, negative),     VFSPROTO_FIELD(SetattrIn, ctime, negative),
    VFSPROTO_FIELD(SetattrIn, atimensec, number),   VFSPROTO_FIELD(SetattrIn, mtimensec, number),
    VFSPROTO_FIELD(SetattrIn, ctimensec, number),   VFSPROTO_FIELD(SetattrIn, mode, octal),
    VFSPROTO_FIELD(SetattrIn, unused4, unused),     VFSPROTO_FIELD(SetattrIn, uid, number),
    VFSPROTO_FIELD(SetattrIn, gid, number),         VFSPROTO_FIELD(SetattrIn, unused5, unused),
};
template <> inline constexpr std::array kFields<MknodIn>{
    VFSPROTO_FIELD(MknodIn, mode, octal), VFSPROTO_FIELD(MknodIn, rdev, hex), VFSPROTO_FIELD(MknodIn, umask, octal),
    VFSPROTO_FIELD(MknodIn, padding, unused)};
template <> inline constexpr std::array kFields<MkdirIn>{VFSPROTO_FIELD(MkdirIn, mode, octal),
                                                         VFSPROTO_FIELD(MkdirIn, umask, octal)};
template <> inline constexpr std::array kFields<RenameIn>{VFSPROTO_FIELD(RenameIn, newdir, node)};
template <> inline constexpr std::array kFields<Rename2In>{VFSPROTO_FIELD(Rename2In, newdir, node),
                                                           VFSPROTO_BITS(Rename2In, flags, kRenameNames),
                                                           VFSPROTO_FIELD(Rename2In, padding, unused)};
template <> inline constexpr std::array kFields<LinkIn>{VFSPROTO_FIELD(LinkIn, oldnodeid, node)};
template <> inline constexpr std::array kFields<OpenIn>{VFSPROTO_BITS(OpenIn, flags, kOpenFlagNames),
                                                        VFSPROTO_FIELD(OpenIn, open_flags, hex)};
template <> inline constexpr std::array kFields<OpenOut>{VFSPROTO_FIELD(OpenOut, fh, number),
                                                         VFSPROTO_BITS(OpenOut, open_flags, kFopenNames),
                                                         VFSPROTO_FIELD(OpenOut, backing_id, negative)};
template <> inline constexpr std::array kFields<CreateIn>{
    VFSPROTO_BITS(CreateIn, flags, kOpenFlagNames), VFSPROTO_FIELD(CreateIn, mode, octal),
    VFSPROTO_FIELD(CreateIn, umask, octal), VFSPROTO_FIELD(CreateIn, open_flags, hex)};
template <> inline constexpr auto kFields<CreateOut> =
    detail::with_inner(kFields<EntryOut>, offsetof(CreateOut, open), kFields<OpenOut>);
template <> inline constexpr std::array kFields<ReadIn>{
    VFSPROTO_FIELD(ReadIn, fh, number),      VFSPROTO_FIELD(ReadIn, offset, number),
    VFSPROTO_FIELD(ReadIn, size, number),    VFSPROTO_FIELD(ReadIn, read_flags, hex),
    VFSPROTO_FIELD(ReadIn, lock_owner, hex), VFSPROTO_BITS(ReadIn, flags, kOpenFlagNames),
    VFSPROTO_FIELD(ReadIn, padding, unused)};
template <> inline constexpr std::array kFields<WriteIn>{
    VFSPROTO_FIELD(WriteIn, fh, number),      VFSPROTO_FIELD(WriteIn, offset, number),
    VFSPROTO_FIELD(WriteIn, size, number),    VFSPROTO_FIELD(WriteIn, write_flags, hex),
    VFSPROTO_FIELD(WriteIn, lock_owner, hex), VFSPROTO_BITS(WriteIn, flags, kOpenFlagNames),
    VFSPROTO_FIELD(WriteIn, padding, unused)};
template <> inline constexpr std::array kFields<WriteOut>{VFSPROTO_FIELD(WriteOut, size, number),
                                                          VFSPROTO_FIELD(WriteOut, padding, unused)};
template <> inline constexpr std::array kFields<Kstatfs>{
    VFSPROTO_FIELD(Kstatfs, blocks, number),  VFSPROTO_FIELD(Kstatfs, bfree, number),
    VFSPROTO_FIELD(Kstatfs, bavail, number),  VFSPROTO_FIELD(Kstatfs, files, number),
    VFSPROTO_FIELD(Kstatfs, ffree, number),   VFSPROTO_FIELD(Kstatfs, bsize, number),
    VFSPROTO_FIELD(Kstatfs, namelen, number), VFSPROTO_FIELD(Kstatfs, frsize, number),
    VFSPROTO_FIELD(Kstatfs, padding, unused), VFSPROTO_FIELD(Kstatfs, spare, unused)};
template <> inline constexpr std::array kFields<ReleaseIn>{
    VFSPROTO_FIELD(ReleaseIn, fh, number), VFSPROTO_BITS(ReleaseIn, flags, kOpenFlagNames),
    VFSPROTO_FIELD(ReleaseIn, release_flags, hex), VFSPROTO_FIELD(ReleaseIn, lock_owner, hex)};
template <> inline constexpr std::array kFields<FlushIn>{
    VFSPROTO_FIELD(FlushIn, fh, number), VFSPROTO_FIELD(FlushIn, unused, unused),
    VFSPROTO_FIELD(FlushIn, padding, unused), VFSPROTO_FIELD(FlushIn, lock_owner, hex)};
template <> inline constexpr std::array kFields<FsyncIn>{VFSPROTO_FIELD(FsyncIn, fh, number),
                                                         VFSPROTO_FIELD(FsyncIn, fsync_flags, hex),
                                                         VFSPROTO_FIELD(FsyncIn, padding, unused)};
template <> inline constexpr std::array kFields<SetxattrIn>{
    VFSPROTO_FIELD(SetxattrIn, size, number), VFSPROTO_FIELD(SetxattrIn, flags, hex),
    VFSPROTO_FIELD(SetxattrIn, setxattr_flags, hex), VFSPROTO_FIELD(SetxattrIn, padding, unused)};
template <> inline constexpr std::array kFields<GetxattrIn>{VFSPROTO_FIELD(GetxattrIn, size, number),
                                                            VFSPROTO_FIELD(GetxattrIn, padding, unused)};
template <> inline constexpr std::array kFields<GetxattrOut>{VFSPROTO_FIELD(GetxattrOut, size, number),
                                                             VFSPROTO_FIELD(GetxattrOut, padding, unused)};
template <> inline constexpr std::array kFields<FileLock>{
    VFSPROTO_FIELD(FileLock, start, number), VFSPROTO_FIELD(FileLock, end, number),
    VFSPROTO_BITS(FileLock, type, kLockTypeNames), VFSPROTO_FIELD(FileLock, pid, number)};
template <> inline constexpr auto kFields<LkIn> =
    detail::with_inner(std::array{VFSPROTO_FIELD(LkIn, fh, number), VFSPROTO_FIELD(LkIn, owner, hex),
                                  VFSPROTO_FIELD(LkIn, lk_flags, hex), VFSPROTO_FIELD(LkIn, padding, unused)},
                       offsetof(LkIn, lk), kFields<FileLock>);
template <> inline constexpr auto kFields<LkOut> =
    detail::with_inner(std::array<Field, 0>{}, offsetof(LkOut, lk), kFields<FileLock>);
template <> inline constexpr std::array kFields<AccessIn>{VFSPROTO_FIELD(AccessIn, mask, hex),
                                                          VFSPROTO_FIELD(AccessIn, padding, unused)};
template <> inline constexpr std::array kFields<InitIn>{
    VFSPROTO_FIELD(InitIn, major, number),         VFSPROTO_FIELD(InitIn, minor, number),
    VFSPROTO_FIELD(InitIn, max_readahead, number), VFSPROTO_FIELD(InitIn, flags, hex),
    VFSPROTO_FIELD(InitIn, flags2, hex),           VFSPROTO_FIELD(InitIn, unused, unused)};
template <> inline constexpr std::array kFields<InitOut>{VFSPROTO_FIELD(InitOut, major, number),
                                                         VFSPROTO_FIELD(InitOut, minor, number),
                                                         VFSPROTO_FIELD(InitOut, max_readahead, number),
                                                         VFSPROTO_FIELD(InitOut, flags, hex),
                                                         VFSPROTO_FIELD(InitOut, max_background, number),
                                                         VFSPROTO_FIELD(InitOut, congestion_threshold, number),
                                                         VFSPROTO_FIELD(InitOut, max_write, number),
                                                         VFSPROTO_FIELD(InitOut, time_gran, number),
                                                         VFSPROTO_FIELD(InitOut, max_pages, number),
                                                         VFSPROTO_FIELD(InitOut, map_alignment, number),
                                                         VFSPROTO_FIELD(InitOut, flags2, hex),
                                                         VFSPROTO_FIELD(InitOut, max_stack_depth, number),
                                                         VFSPROTO_FIELD(InitOut, request_timeout, number),
                                                         VFSPROTO_FIELD(InitOut, unused, unused)};
// `unique` names the request to be interrupted. The unique of the INTERRUPT itself is in the header.
template <> inline constexpr std::array kFields<InterruptIn>{
    Field{"interrupted", offsetof(InterruptIn, unique), sizeof(u64), FieldForm::hex, {}}};
template <> inline constexpr std::array kFields<BmapIn>{VFSPROTO_FIELD(BmapIn, block, number),
                                                        VFSPROTO_FIELD(BmapIn, blocksize, number),
                                                        VFSPROTO_FIELD(BmapIn, padding, unused)};
template <> inline constexpr std::array kFields<BmapOut>{VFSPROTO_FIELD(BmapOut, block, number)};
template <> inline constexpr std::array kFields<IoctlIn>{
    VFSPROTO_FIELD(IoctlIn, fh, number),      VFSPROTO_FIELD(IoctlIn, flags, hex),
    VFSPROTO_FIELD(IoctlIn, cmd, hex),        VFSPROTO_FIELD(IoctlIn, arg, hex),
    VFSPROTO_FIELD(IoctlIn, in_size, number), VFSPROTO_FIELD(IoctlIn, out_size, number)};
template <> inline constexpr std::array kFields<IoctlOut>{
    VFSPROTO_FIELD(IoctlOut, result, negative), VFSPROTO_FIELD(IoctlOut, flags, hex),
    VFSPROTO_FIELD(IoctlOut, in_iovs, number), VFSPROTO_FIELD(IoctlOut, out_iovs, number)};
template <>
inline constexpr std::array kFields<PollIn>{VFSPROTO_FIELD(PollIn, fh, number), VFSPROTO_FIELD(PollIn, kh, number),
                                            VFSPROTO_FIELD(PollIn, flags, hex), VFSPROTO_FIELD(PollIn, events, hex)};
template <> inline constexpr std::array kFields<PollOut>{VFSPROTO_FIELD(PollOut, revents, hex),
                                                         VFSPROTO_FIELD(PollOut, padding, unused)};
template <> inline constexpr std::array kFields<FallocateIn>{
    VFSPROTO_FIELD(FallocateIn, fh, number), VFSPROTO_FIELD(FallocateIn, offset, number),
    VFSPROTO_FIELD(FallocateIn, length, number), VFSPROTO_FIELD(FallocateIn, mode, hex),
    VFSPROTO_FIELD(FallocateIn, padding, unused)};
template <> inline constexpr std::array kFields<LseekIn>{
    VFSPROTO_FIELD(LseekIn, fh, number), VFSPROTO_FIELD(LseekIn, offset, negative),
    VFSPROTO_BITS(LseekIn, whence, kSeekNames), VFSPROTO_FIELD(LseekIn, padding, unused)};
template <> inline constexpr std::array kFields<LseekOut>{VFSPROTO_FIELD(LseekOut, offset, number)};
template <> inline constexpr std::array kFields<CopyFileRangeIn>{
    VFSPROTO_FIELD(CopyFileRangeIn, fh_in, number),    VFSPROTO_FIELD(CopyFileRangeIn, off_in, number),
    VFSPROTO_FIELD(CopyFileRangeIn, nodeid_out, node), VFSPROTO_FIELD(CopyFileRangeIn, fh_out, number),
    VFSPROTO_FIELD(CopyFileRangeIn, off_out, number),  VFSPROTO_FIELD(CopyFileRangeIn, len, number),
    VFSPROTO_FIELD(CopyFileRangeIn, flags, hex)};
template <>
inline constexpr std::array kFields<CopyFileRangeOut>{VFSPROTO_FIELD(CopyFileRangeOut, bytes_copied, number)};
template <> inline constexpr std::array kFields<SetupmappingIn>{
    VFSPROTO_FIELD(SetupmappingIn, fh, number), VFSPROTO_FIELD(SetupmappingIn, foffset, number),
    VFSPROTO_FIELD(SetupmappingIn, len, number), VFSPROTO_FIELD(SetupmappingIn, flags, hex),
    VFSPROTO_FIELD(SetupmappingIn, moffset, number)};
template <> inline constexpr std::array kFields<RemovemappingIn>{VFSPROTO_FIELD(RemovemappingIn, count, number)};
template <> inline constexpr std::array kFields<SyncfsIn>{VFSPROTO_FIELD(SyncfsIn, padding, unused)};
template <> inline constexpr std::array kFields<NotifyRetrieveIn>{
    VFSPROTO_FIELD(NotifyRetrieveIn, dummy1, unused), VFSPROTO_FIELD(NotifyRetrieveIn, offset, number),
    VFSPROTO_FIELD(NotifyRetrieveIn, size, number),   VFSPROTO_FIELD(NotifyRetrieveIn, dummy2, unused),
    VFSPROTO_FIELD(NotifyRetrieveIn, dummy3, unused), VFSPROTO_FIELD(NotifyRetrieveIn, dummy4, unused)};
template <> inline constexpr std::array kFields<StatxIn>{
    VFSPROTO_FIELD(StatxIn, getattr_flags, hex), VFSPROTO_FIELD(StatxIn, reserved, unused),
    VFSPROTO_FIELD(StatxIn, fh, number), VFSPROTO_FIELD(StatxIn, sx_flags, hex), VFSPROTO_FIELD(StatxIn, sx_mask, hex)};
template <> inline constexpr std::array kFields<Statx>{
    VFSPROTO_FIELD(Statx, mask, hex),
    VFSPROTO_FIELD(Statx, blksize, number),
    VFSPROTO_FIELD(Statx, attributes, hex),
    VFSPROTO_FIELD(Statx, nlink, number),
    VFSPROTO_FIELD(Statx, uid, number),
    VFSPROTO_FIELD(Statx, gid, number),
    VFSPROTO_FIELD(Statx, mode, octal),
    VFSPROTO_FIELD(Statx, spare0, unused),
    VFSPROTO_FIELD(Statx, ino, number),
    VFSPROTO_FIELD(Statx, size, number),
    VFSPROTO_FIELD(Statx, blocks, number),
    VFSPROTO_FIELD(Statx, attributes_mask, hex),
    VFSPROTO_FIELD(Statx, atime.tv_sec, negative),
    VFSPROTO_FIELD(Statx, atime.tv_nsec, number),
    VFSPROTO_FIELD(Statx, atime.reserved, unused),
    VFSPROTO_FIELD(Statx, btime.tv_sec, negative),
    VFSPROTO_FIELD(Statx, btime.tv_nsec, number),
    VFSPROTO_FIELD(Statx, btime.reserved, unused),
    VFSPROTO_FIELD(Statx, ctime.tv_sec, negative),
    VFSPROTO_FIELD(Statx, ctime.tv_nsec, number),
    VFSPROTO_FIELD(Statx, ctime.reserved, unused),
    VFSPROTO_FIELD(Statx, mtime.tv_sec, negative),
    VFSPROTO_FIELD(Statx, mtime.tv_nsec, number),
    VFSPROTO_FIELD(Statx, mtime.reserved, unused),
    VFSPROTO_FIELD(Statx, rdev_major, number),
    VFSPROTO_FIELD(Statx, rdev_minor, number),
    VFSPROTO_FIELD(Statx, dev_major, number),
    VFSPROTO_FIELD(Statx, dev_minor, number),
    VFSPROTO_FIELD(Statx, spare2, unused),
};
template <> inline constexpr auto kFields<StatxOut> = detail::with_inner(
    std::array{VFSPROTO_FIELD(StatxOut, attr_valid, number), VFSPROTO_FIELD(StatxOut, attr_valid_nsec, number),
               VFSPROTO_FIELD(StatxOut, flags, hex), VFSPROTO_FIELD(StatxOut, spare, unused)},
    offsetof(StatxOut, stat), kFields<Statx>);

#undef VFSPROTO_FIELD
#undef VFSPROTO_BITS

namespace detail {

// True if the fields lie in a struct of `size` bytes and fill it, none over another.
template <std::size_t N> consteval bool fill(const std::array<Field, N>& fields, std::size_t size) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < N; ++i) {
        const auto end = [&](std::size_t at) { return std::size_t{fields[at].offset} + fields[at].size; };
        for (std::size_t j = 0; j < i; ++j) {
            if (fields[i].offset < end(j) && fields[j].offset < end(i)) return false;
        }
        sum += fields[i].size;
        if (end(i) > size) return false;
    }
    return sum == size;
}

} // namespace detail

// Holds the fields of an operation's two structs.
struct RowFields {
    std::span<const Field> in;
    std::span<const Field> out;
};

template <class... Rows> constexpr auto make_row_fields(RowList<Rows...>) noexcept {
    static_assert((detail::fill(kFields<typename Rows::In>, Rows::in_size) && ...), "a request's struct lacks a field");
    static_assert((detail::fill(kFields<typename Rows::Out>, Rows::out_size) && ...), "a reply's struct lacks a field");
    return std::array<RowFields, sizeof...(Rows)>{
        RowFields{kFields<typename Rows::In>, kFields<typename Rows::Out>}...};
}
inline constexpr auto kRowFields = make_row_fields(OpTable{});

[[nodiscard]] constexpr const RowFields& fields_of(const OpInfo& op) noexcept { return kRowFields[op.row]; }

} // namespace vfsproto::wire
