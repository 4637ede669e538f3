// SPDX-License-Identifier: BSD-2-Clause
// Notifications as a server writes them, good or bad.
#pragma once

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace vfsproto::test {

using NotificationBytes = std::vector<std::byte>;

// A sound one. Throws if its struct contradicts what follows.
template <class S> [[nodiscard]] NotificationBytes
notification(wire::NotifyCode code, const S& fixed, std::string_view name = {}, std::span<const std::byte> data = {}) {
    constexpr std::size_t kHeadroom = 64; // the header, the longest struct, and the zero behind a name
    NotificationBytes bytes(kHeadroom + name.size() + data.size());
    const auto size = wire::encode_notification(bytes, code, wire::bytes_of(fixed), name, data);
    if (!size) throw std::runtime_error("no such notification can be made");
    bytes.resize(*size);
    return bytes;
}

[[nodiscard]] inline NotificationBytes inval_inode(std::uint64_t nodeid) {
    return notification(wire::NotifyCode::inval_inode, wire::NotifyInvalInodeOut{nodeid, 0, 0});
}
[[nodiscard]] inline NotificationBytes inval_entry(std::uint64_t parent, std::string_view name) {
    return notification(wire::NotifyCode::inval_entry,
                        wire::NotifyInvalEntryOut{parent, static_cast<std::uint32_t>(name.size()), 0}, name);
}
[[nodiscard]] inline NotificationBytes deletion(std::uint64_t parent, std::uint64_t child, std::string_view name) {
    return notification(wire::NotifyCode::delete_entry,
                        wire::NotifyDeleteOut{parent, child, static_cast<std::uint32_t>(name.size()), 0}, name);
}
[[nodiscard]] inline NotificationBytes inc_epoch() { return notification(wire::NotifyCode::inc_epoch, wire::None{}); }
[[nodiscard]] inline NotificationBytes prune(std::initializer_list<std::uint64_t> nodeids) {
    return notification(wire::NotifyCode::prune, wire::NotifyPruneOut{static_cast<std::uint32_t>(nodeids.size()), 0, 0},
                        {}, std::as_bytes(std::span(nodeids.begin(), nodeids.size())));
}
[[nodiscard]] inline NotificationBytes retrieve(std::uint64_t unique, std::uint64_t nodeid) {
    return notification(wire::NotifyCode::retrieve, wire::NotifyRetrieveOut{unique, nodeid, 0, 4096, 0});
}

// Any bytes behind a header that is true of their number.
[[nodiscard]] inline NotificationBytes framed(std::int32_t code, std::span<const std::byte> body,
                                              std::uint64_t unique = 0) {
    const wire::OutHeader header{static_cast<std::uint32_t>(sizeof(wire::OutHeader) + body.size()), code, unique};
    NotificationBytes bytes(header.len);
    std::memcpy(bytes.data(), &header, sizeof header);
    if (!body.empty()) std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
    return bytes;
}
// INVAL_ENTRY of a name that no file can have.
[[nodiscard]] inline NotificationBytes inval_entry_of_any_name(std::uint64_t parent, std::string_view name) {
    const wire::NotifyInvalEntryOut fixed{parent, static_cast<std::uint32_t>(name.size()), 0};
    NotificationBytes body(sizeof fixed + name.size() + 1);
    std::memcpy(body.data(), &fixed, sizeof fixed);
    if (!name.empty()) std::memcpy(body.data() + sizeof fixed, name.data(), name.size());
    return framed(static_cast<std::int32_t>(wire::NotifyCode::inval_entry), body);
}

} // namespace vfsproto::test
