// SPDX-License-Identifier: BSD-2-Clause
// Reads the access control list of a file as the value of its extended attribute "system.posix_acl_access" has it (Linux
// include/uapi/linux/posix_acl_xattr.h), and says what it grants (Linux fs/posix_acl.c, posix_acl_permission()). What a directory has
// for new files in it, "system.posix_acl_default", is the work of the server, which also takes the umask then (DONT_MASK).
#pragma once

#include "vfsproto/abi/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

struct FileOwner;
struct IdMap;
struct Subject;

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

// Replaces the ids in the value of an access list or a default list, on its way to whoever asked for it or to the server.
enum class IdsOf : std::uint8_t { client, server };
// An id without an image becomes kNoId for the client, as Linux has it, and is EINVAL for the server, as is a value that is no list; one
// from the server that is no list is EIO. Then the value is unspecified.
[[nodiscard]] abi::Errno translate_list(std::span<std::byte> value, const IdMap& ids, IdsOf to) noexcept;

} // namespace vfsproto::client
