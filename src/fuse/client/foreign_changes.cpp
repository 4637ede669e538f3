// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/foreign_changes.hpp"

namespace vfsproto::client {

CachedNode* ForeignChanges::find(std::uint64_t nodeid) const noexcept {
    if (nodeid == root_.nodeid()) return &root_;
    return nodeid == 0 ? nullptr : static_cast<CachedNode*>(nodes_.find(nodeid));
}

Heard ForeignChanges::changed(std::uint64_t nodeid) noexcept {
    if (CachedNode* const node = find(nodeid)) {
        attributes_.invalidate(node->attributes);
        return Heard::applied;
    }
    // A reply that is under way may bring the node, with attributes from before.
    attributes_.invalidate_unknown();
    return Heard::unknown_node;
}

// The directory's own times have changed with its names. Where a name is looked up, its directory is in the table.
Heard ForeignChanges::renamed_or_removed(std::uint64_t directory, wire::Name name) noexcept {
    CachedNode* const node = find(directory);
    if (node != nullptr) names_.invalidate({node->incarnation, {name.data(), name.size()}});
    return changed(directory);
}

Heard ForeignChanges::apply(const wire::Notification& told) noexcept {
    using wire::NotifyCode;
    if (told.is(NotifyCode::inval_inode)) return changed(told.inval_inode.ino);
    if (told.is(NotifyCode::inval_entry)) return renamed_or_removed(told.inval_entry.parent, told.name);
    if (told.is(NotifyCode::delete_entry)) {
        static_cast<void>(changed(told.delete_entry.child)); // it has one name less
        return renamed_or_removed(told.delete_entry.parent, told.name);
    }
    if (!told.is(NotifyCode::inc_epoch)) return Heard::not_cached;
    names_.invalidate_all();
    attributes_.invalidate_all();
    return Heard::applied;
}

} // namespace vfsproto::client
