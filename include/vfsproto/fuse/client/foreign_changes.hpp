// SPDX-License-Identifier: BSD-2-Clause
// The caches learn here from changes that others made and the server told of (reference: Linux fs/fuse/dev.c, fuse_notify(),
// and fs/fuse/dir.c, fuse_reverse_inval_entry()). Own changes are in own_changes.hpp.
#pragma once

#include "vfsproto/fuse/client/attribute_cache.hpp"
#include "vfsproto/fuse/client/lookup_cache.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

#include <cstdint>

namespace vfsproto::client {

// Tells what a notification was to the caches.
enum class Heard : std::uint8_t {
    applied,
    unknown_node, // this client holds no lookup of the node: nothing is kept of it
    not_cached,   // it is not about names or attributes: STORE, RETRIEVE, POLL, RESEND, PRUNE
};

// One owner at a time, that of the caches.
class ForeignChanges {
public:
    // Every node of the table is a CachedNode. The root is in no table.
    ForeignChanges(NodeTable& nodes, CachedNode& root, LookupCache& names, AttributeCache& attributes) noexcept
        : nodes_(nodes), root_(root), names_(names), attributes_(attributes) {}

    Heard apply(const wire::Notification& told) noexcept;

private:
    [[nodiscard]] CachedNode* find(std::uint64_t nodeid) const noexcept;
    [[nodiscard]] Heard changed(std::uint64_t nodeid) noexcept;
    [[nodiscard]] Heard renamed_or_removed(std::uint64_t directory, wire::Name name) noexcept;

    NodeTable& nodes_;
    CachedNode& root_;
    LookupCache& names_;
    AttributeCache& attributes_;
};

} // namespace vfsproto::client
