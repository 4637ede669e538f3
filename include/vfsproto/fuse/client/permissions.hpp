// SPDX-License-Identifier: BSD-2-Clause
// Judges by a file's mode and owner who may do what, as Linux does for a FUSE mount with default_permissions, which virtio-fs always
// has (fs/namei.c, fs/attr.c, fs/xattr.c). Nothing here asks a server: a host that knows a file's access list says what is in it.
//
// The functions return Errno::none, or what the system call says. All ids are the server's (abi::IdMap). User 0 of the client has
// CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_FSETID, CAP_MKNOD and CAP_SYS_ADMIN, and nobody else has any of them. Over a file with
// an id that has no image at the client, the first four count for nothing, and nobody changes it.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/abi/caller.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/name.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::wire {
struct SetattrIn;
}

namespace vfsproto::client {

struct FileOwner;
struct Subject;

// Reads the access control list of a file as the value of its extended attribute "system.posix_acl_access" has it (Linux
// include/uapi/linux/posix_acl_xattr.h), and says what it grants (Linux fs/posix_acl.c, posix_acl_permission()). What a directory has
// for new files in it, "system.posix_acl_default", is the work of the server, which also takes the umask then (DONT_MASK).
//
// Refers to a value that was checked, and does not own it.
class AccessList {
public:
    static constexpr std::size_t kMostBytes = 4096; // of a value: 511 entries, as Linux takes them

    constexpr AccessList() noexcept = default;
    // Checks a value whoever it is from: version, length, order and number of the entries, their bits and ids. One without entries is an
    // empty list, as is no value. EIO, and an empty list, for one that is none. The bytes stay where they are as long as the list is used.
    [[nodiscard]] abi::Errno take(std::span<const std::byte> value) noexcept;

    // True if the file has no list: its mode says all.
    [[nodiscard]] constexpr bool is_empty() const noexcept { return entries_.empty(); }
    // True if it lets this caller do all of `wanted` (R_OK, W_OK, X_OK), without privileges. The list is not empty.
    [[nodiscard]] bool grants(const Subject& who, const FileOwner& file, std::uint32_t wanted) const noexcept;

private:
    std::span<const std::byte> entries_{};
};

// Holds who wants something. The groups are the supplementary ones.
struct Subject {
    abi::Caller caller{};
    std::span<const std::uint32_t> groups{};
    abi::IdMap ids{}; // the session's

    [[nodiscard]] constexpr bool is_privileged() const noexcept {
        return ids.at_client(abi::IdKind::user, caller.uid) == 0;
    }
    [[nodiscard]] constexpr bool is_in_group(std::uint32_t gid) const noexcept {
        if (caller.gid == gid) return true;
        for (const std::uint32_t group : groups) {
            if (group == gid) return true;
        }
        return false;
    }
};

// Holds what of a file's attributes decides.
struct FileOwner {
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    AccessList list{}; // where the client evaluates lists: empty for a file without one

    [[nodiscard]] static constexpr FileOwner of(const abi::Attributes& attributes,
                                                const AccessList& list = {}) noexcept {
        return {attributes.mode, attributes.uid, attributes.gid, list};
    }
};

// True if both ids of the file have images at the client.
[[nodiscard]] constexpr bool has_image(const Subject& who, const FileOwner& file) noexcept {
    return who.ids.at_client(abi::IdKind::user, file.uid) != abi::kNoId &&
           who.ids.at_client(abi::IdKind::group, file.gid) != abi::kNoId;
}
[[nodiscard]] constexpr bool is_privileged_over(const Subject& who, const FileOwner& file) noexcept {
    return who.is_privileged() && has_image(who, file);
}
// True if this is the file's owner, or somebody who counts as such.
[[nodiscard]] constexpr bool owns(const Subject& who, const FileOwner& file) noexcept {
    return who.caller.uid == file.uid || is_privileged_over(who, file);
}
// True if the file's access list, if it has one, says what this caller may do: then the host has to ask for it before it judges
// (Linux fs/namei.c, acl_permission_check()). A mode without bits for the group hides a list.
[[nodiscard]] constexpr bool depends_on_list(const Subject& who, const FileOwner& file) noexcept {
    const bool may_have_one = (file.mode & abi::kSIrwxg) != 0 && !abi::is_symlink(file.mode);
    return may_have_one && !owns(who, file);
}

// `mask`: R_OK, W_OK and X_OK as access(2) has them. EACCES.
[[nodiscard]] abi::Errno check_access(const Subject& who, const FileOwner& file, std::uint32_t mask) noexcept;
// Takes the O_… of open(2) of a file that is there. EACCES; EPERM for O_NOATIME by somebody else than the owner.
[[nodiscard]] abi::Errno check_open(const Subject& who, const FileOwner& file, std::uint32_t flags) noexcept;
// Is about a new name in this directory. EACCES.
[[nodiscard]] abi::Errno check_making(const Subject& who, const FileOwner& directory) noexcept;
// Is about mknod(2), in a directory that allows a new name. EPERM for a device, but for the whiteout of an overlay.
[[nodiscard]] constexpr abi::Errno check_node(const Subject& who, std::uint32_t mode, std::uint32_t rdev) noexcept {
    const std::uint32_t type = mode & abi::kSIfmt;
    const bool is_whiteout = type == abi::kSIfchr && rdev == 0;
    const bool is_device = (type == abi::kSIfchr || type == abi::kSIfblk) && !is_whiteout;
    return is_device && !who.is_privileged() ? abi::Errno::eperm : abi::Errno::none;
}
// Is about the name of this file in this directory. EACCES; EPERM for a file of somebody else in a sticky directory of somebody else;
// EOVERFLOW for a file with an id that has no image.
[[nodiscard]] abi::Errno check_removal(const Subject& who, const FileOwner& directory, const FileOwner& file) noexcept;
// Is about a directory that a rename brings under another one: its ".." changes. EACCES.
[[nodiscard]] abi::Errno check_new_parent(const Subject& who, const FileOwner& moved) noexcept;

// Says whether what is set is set through an open file. Then open(2) has judged the size.
enum class SetThrough : std::uint8_t { path, open_file };
// EPERM; EACCES for a size and for times that are set to now; EOVERFLOW where an id without an image would stay.
[[nodiscard]] abi::Errno check_setattr(const Subject& who, const FileOwner& file, const wire::SetattrIn& what,
                                       SetThrough through) noexcept;
// Returns the mode for chmod(2): without the set-group-id bit where the caller is not in the file's group.
[[nodiscard]] constexpr std::uint32_t mode_for_chmod(const Subject& who, const FileOwner& file,
                                                     std::uint32_t mode) noexcept {
    const bool keeps = is_privileged_over(who, file) || who.is_in_group(file.gid);
    return keeps ? mode : mode & ~abi::kSIsgid;
}

enum class XattrUse : std::uint8_t { read, write };
// EACCES and EPERM; ENODATA where Linux hides that there may be one.
[[nodiscard]] abi::Errno check_xattr(const Subject& who, const FileOwner& file, const wire::Name& name,
                                     XattrUse use) noexcept;

// Replaces the ids in the value of an access list or a default list, on its way to whoever asked for it or to the server.
enum class IdsOf : std::uint8_t { client, server };
// An id without an image becomes kNoId for the client, as Linux has it, and is EINVAL for the server, as is a value that is no list; one
// from the server that is no list is EIO. Then the value is unspecified.
[[nodiscard]] abi::Errno translate_list(std::span<std::byte> value, const abi::IdMap& ids, IdsOf to) noexcept;

} // namespace vfsproto::client
