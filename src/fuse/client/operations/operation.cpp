// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

Errc Operation::check_entry(const wire::EntryOut& entry) noexcept {
    const Errc errc = wire::check_new_entry(entry);
    // The server counted a lookup, usable or not.
    if (errc != Errc::ok && entry.nodeid > wire::kRootNodeId) surplus_lookup_ = entry.nodeid;
    return errc;
}

Errc Operation::check_entry(const wire::EntryOut& entry, std::uint32_t type) noexcept {
    const Errc errc = check_entry(entry);
    if (errc != Errc::ok || abi::file_type(entry.attr.mode) == type) return errc;
    surplus_lookup_ = entry.nodeid;
    return Errc::protocol_violation;
}

} // namespace vfsproto::client
