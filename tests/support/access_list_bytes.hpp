// SPDX-License-Identifier: BSD-2-Clause
// Writes access control lists as Linux has them in extended attributes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vfsproto::test {

// The tags of Linux include/uapi/linux/posix_acl.h.
enum class AclTag : std::uint16_t { owner = 1, user = 2, group = 4, named_group = 8, mask = 0x10, other = 0x20 };

inline constexpr std::uint32_t kUnnamed = 0xffff'ffff; // the id of an entry that names nobody

struct AclEntry {
    AclTag tag{};
    std::uint16_t bits = 0;
    std::uint32_t id = kUnnamed;
};

inline void append_little(std::vector<std::byte>& to, std::uint32_t number, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) to.push_back(static_cast<std::byte>(number >> (8 * i)));
}

[[nodiscard]] inline std::vector<std::byte> acl_bytes(const std::vector<AclEntry>& entries, std::uint32_t version = 2) {
    std::vector<std::byte> bytes;
    append_little(bytes, version, 4);
    for (const AclEntry& entry : entries) {
        append_little(bytes, static_cast<std::uint32_t>(entry.tag), 2);
        append_little(bytes, entry.bits, 2);
        append_little(bytes, entry.id, 4);
    }
    return bytes;
}

} // namespace vfsproto::test
