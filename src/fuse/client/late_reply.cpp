// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/late_reply.hpp"

#include "vfsproto/base/peer_memory.hpp"

namespace vfsproto::client {

Granted granted_by(const wire::OpInfo& op, std::uint64_t nodeid, const std::byte* out) noexcept {
    Granted granted;
    granted.handle_node = nodeid;
    if (op.grants.node_at != wire::Grants::kNone) {
        copy_from_peer(&granted.nodeid, out + op.grants.node_at, sizeof(granted.nodeid));
        granted.handle_node = granted.nodeid;
    }
    if (op.grants.handle_at != wire::Grants::kNone) {
        copy_from_peer(&granted.handle, out + op.grants.handle_at, sizeof(granted.handle));
        granted.gives_back = op.traits.gives_back;
    }
    return granted;
}

} // namespace vfsproto::client
