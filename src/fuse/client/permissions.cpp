// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/permissions.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

namespace vfsproto::client {

using abi::Errno;
using namespace abi;

namespace {

constexpr std::uint32_t kAnyExecutes = 0111;
constexpr std::uint32_t kMakesNames = kWOk | kXOk; // what a directory has to allow
constexpr std::uint32_t kSetattrAtimeBits = wire::kSetattrAtime | wire::kSetattrAtimeNow;
constexpr std::uint32_t kSetattrMtimeBits = wire::kSetattrMtime | wire::kSetattrMtimeNow;

// True if the one class that this caller belongs to may do all of `wanted`; without privileges. A mode without bits for the group
// hides the list, as in Linux.
bool grants(const Subject& who, const FileOwner& file, std::uint32_t wanted) noexcept {
    constexpr unsigned kOwnerShift = 6;
    constexpr unsigned kGroupShift = 3;
    if (who.caller.uid == file.uid) return (~(file.mode >> kOwnerShift) & wanted) == 0;
    if (!file.list.is_empty() && (file.mode & kSIrwxg) != 0) return file.list.grants(who, file, wanted);
    const std::uint32_t bits = who.is_in_group(file.gid) ? file.mode >> kGroupShift : file.mode;
    return (~bits & wanted) == 0;
}

bool starts_with(const wire::Name& name, const wire::Name& prefix) noexcept {
    if (name.size() < prefix.size()) return false;
    for (std::size_t i = 0; i < prefix.size(); ++i) {
        if (name[i] != prefix[i]) return false;
    }
    return true;
}

// Times that are set to now may be set by whoever may write to the file, all others by its owner alone.
Errno check_times(const Subject& who, const FileOwner& file, std::uint32_t valid) noexcept {
    const bool atime_at = (valid & kSetattrAtimeBits) == wire::kSetattrAtime;
    const bool mtime_at = (valid & kSetattrMtimeBits) == wire::kSetattrMtime;
    if (owns(who, file)) return Errno::none;
    if (atime_at || mtime_at || (valid & wire::kSetattrCtime) != 0) return Errno::eperm;
    // One that is left as it is makes "now" a time of its own choice.
    const bool both_now = (valid & wire::kSetattrAtime) != 0 && (valid & wire::kSetattrMtime) != 0;
    return both_now ? check_access(who, file, kWOk) : Errno::eperm;
}

} // namespace

Errno check_access(const Subject& who, const FileOwner& file, std::uint32_t mask) noexcept {
    const std::uint32_t wanted = mask & kSIrwxo;
    if ((wanted & kWOk) != 0 && !has_image(who, file)) return Errno::eacces;
    if (grants(who, file, wanted)) return Errno::none;
    if (!is_privileged_over(who, file)) return Errno::eacces;
    const bool may_execute = is_directory(file.mode) || (file.mode & kAnyExecutes) != 0;
    return (wanted & kXOk) == 0 || may_execute ? Errno::none : Errno::eacces;
}

Errno check_open(const Subject& who, const FileOwner& file, std::uint32_t flags) noexcept {
    const std::uint32_t access = flags & kOAccmode;
    std::uint32_t mask = access != kOWronly ? kROk : 0;
    if (access != kORdonly || (flags & kOTrunc) != 0) mask |= kWOk;
    if (const Errno error = check_access(who, file, mask); error != Errno::none) return error;
    return (flags & kONoatime) != 0 && !owns(who, file) ? Errno::eperm : Errno::none;
}

Errno check_making(const Subject& who, const FileOwner& directory) noexcept {
    return check_access(who, directory, kMakesNames);
}

Errno check_removal(const Subject& who, const FileOwner& directory, const FileOwner& file) noexcept {
    if (!has_image(who, file)) return Errno::eoverflow;
    if (const Errno error = check_access(who, directory, kMakesNames); error != Errno::none) return error;
    if ((directory.mode & kSIsvtx) == 0 || owns(who, file) || owns(who, directory)) return Errno::none;
    return Errno::eperm;
}

Errno check_new_parent(const Subject& who, const FileOwner& moved) noexcept { return check_access(who, moved, kWOk); }

Errno check_setattr(const Subject& who, const FileOwner& file, const wire::SetattrIn& what,
                    SetThrough through) noexcept {
    const std::uint32_t valid = what.valid;
    const bool owner = owns(who, file);
    if ((valid & wire::kSetattrSize) != 0 && through == SetThrough::path) {
        if (const Errno error = check_access(who, file, kWOk); error != Errno::none) return error;
    }
    const bool keeps_uid = (valid & wire::kSetattrUid) == 0;
    const bool keeps_gid = (valid & wire::kSetattrGid) == 0;
    if (keeps_uid && who.ids.at_client(IdKind::user, file.uid) == kNoId) return Errno::eoverflow;
    if (keeps_gid && who.ids.at_client(IdKind::group, file.gid) == kNoId) return Errno::eoverflow;
    const bool may_give = is_privileged_over(who, file);
    const bool is_own_uid = who.caller.uid == file.uid && what.uid == file.uid;
    if (!keeps_uid && !may_give && !is_own_uid) return Errno::eperm;
    const bool is_own_gid = owner && (what.gid == file.gid || who.is_in_group(what.gid));
    if (!keeps_gid && !may_give && !is_own_gid) return Errno::eperm;
    if ((valid & wire::kSetattrMode) != 0 && !owner) return Errno::eperm;
    constexpr std::uint32_t kTimes = wire::kSetattrAtime | wire::kSetattrMtime | wire::kSetattrCtime;
    return (valid & kTimes) != 0 ? check_times(who, file, valid) : Errno::none;
}

// Regular files and directories have attributes of users, and in a sticky directory its owner alone changes them.
static Errno check_user_xattr(const Subject& who, const FileOwner& file, XattrUse use) noexcept {
    const bool writes = use == XattrUse::write;
    if (!is_regular(file.mode) && !is_directory(file.mode)) return writes ? Errno::eperm : Errno::enodata;
    const bool is_sticky = is_directory(file.mode) && (file.mode & kSIsvtx) != 0;
    return is_sticky && writes && !owns(who, file) ? Errno::eperm : Errno::none;
}

// The order is that of Linux fs/xattr.c, xattr_permission(). What "security." and "system." mean is left to the server, but for who may
// set an access control list, and a capability.
Errno check_xattr(const Subject& who, const FileOwner& file, const wire::Name& name, XattrUse use) noexcept {
    const bool writes = use == XattrUse::write;
    if (writes && !has_image(who, file)) return Errno::eperm;
    if (starts_with(name, "system.")) {
        const bool is_list = starts_with(name, "system.posix_acl_");
        return writes && is_list && !owns(who, file) ? Errno::eperm : Errno::none;
    }
    if (starts_with(name, "security.")) return writes && !who.is_privileged() ? Errno::eperm : Errno::none;
    if (starts_with(name, "trusted.")) {
        if (who.is_privileged()) return Errno::none;
        return writes ? Errno::eperm : Errno::enodata;
    }
    if (const Errno why = starts_with(name, "user.") ? check_user_xattr(who, file, use) : Errno::none;
        why != Errno::none) {
        return why;
    }
    return check_access(who, file, writes ? kWOk : kROk);
}

} // namespace vfsproto::client
