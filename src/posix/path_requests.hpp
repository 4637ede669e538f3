// SPDX-License-Identifier: BSD-2-Clause
// Makes the requests that a walk wants, and hands it their answers.
#pragma once

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vfsproto::posix {

inline constexpr std::string_view kAccessListName = "system.posix_acl_access";

// READLINK with room for the longest target.
struct ReadTarget {
    ReadTarget() { operation.call.data_out = {bytes, sizeof(bytes), {}}; }

    [[nodiscard]] std::string_view target() const noexcept {
        return {reinterpret_cast<const char*>(bytes), operation.call.bytes};
    }

    client::ReadLink operation;
    std::byte bytes[abi::kPathMax + 1];
};

// GETXATTR with room for the longest access control list.
struct ReadAccessList {
    // `most`: bytes that a reply can carry.
    explicit ReadAccessList(std::uint32_t most) {
        const std::uint32_t room = most < sizeof bytes ? most : static_cast<std::uint32_t>(sizeof bytes);
        operation.call.args = {room, 0};
        operation.call.name = kAccessListName;
        operation.call.data_out = {bytes, room, {}};
    }

    [[nodiscard]] std::span<const std::byte> value() const noexcept { return {bytes, operation.call.bytes}; }

    client::GetXattr operation;
    std::byte bytes[client::AccessList::kMostBytes];
};

inline void take(PathSteps& steps, const client::Lookup& lookup) {
    if (lookup.succeeded()) return steps.handle_entry(lookup.call.reply);
    // An entry with the nodeid 0 says that the name does not exist, and for how long that may be kept.
    if (lookup.call.succeeded() && lookup.errc() == Errc::ok) return steps.handle_absent(lookup.call.reply);
    steps.handle_failure(failure_of(lookup));
}
inline void take(PathSteps& steps, const ReadTarget& read) {
    read.operation.succeeded() ? steps.handle_target(read.target()) : steps.handle_failure(failure_of(read.operation));
}
inline void take(PathSteps& steps, const ReadAccessList& read) {
    if (!read.operation.succeeded()) return steps.handle_failure(failure_of(read.operation));
    const std::span<const std::byte> value = read.value();
    steps.handle_access_list({reinterpret_cast<const char*>(value.data()), value.size()});
}
inline void take(PathSteps& steps, const client::GetAttributes& get) {
    get.succeeded() ? steps.handle_attributes(get.call.reply) : steps.handle_failure(failure_of(get));
}

} // namespace vfsproto::posix
