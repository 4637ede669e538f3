// SPDX-License-Identifier: BSD-2-Clause
// NodeCache: what the server tells unasked.
#include "vfsproto/posix/detail/node_cache.hpp"

#include "vfsproto/fuse/client/foreign_changes.hpp"

namespace vfsproto::posix {

// A file in use is given back when its last use ends, if it has lost its name.
void NodeCache::give_back_locked(std::uint64_t nodeid, client::Linked linked) {
    client::Node* const node = nodeid <= wire::kRootNodeId ? nullptr : table_.find(nodeid);
    if (node == nullptr) return;
    if (linked == client::Linked::no) node->unlinked = true;
    if (node->uses != 0) return;
    table_.use(*node);
    if (client::Node* const idle = table_.drop(*node, client::Linked::no)) leave_table_locked(*idle);
}

// Contents of files are not kept, and nobody waits for POLL: STORE and POLL change nothing here. RESEND is for requests that a
// server lost when it crashed, which the queue would lose with it.
void NodeCache::take(const wire::Notification& told) {
    using wire::NotifyCode;
    if (told.is(NotifyCode::retrieve)) return channel_.answer_retrieve(told.retrieve);
    std::vector<client::Node*> idle;
    {
        const MutexLock lock(mutex_);
        if (replies_ != nullptr) {
            client::ForeignChanges changes(table_, root_, replies_->names, replies_->attributes);
            static_cast<void>(changes.apply(told));
        }
        if (told.is(NotifyCode::delete_entry)) give_back_locked(told.delete_entry.child, client::Linked::no);
        if (told.is(NotifyCode::prune)) {
            for (std::size_t i = 0; i < told.prune.count; ++i) give_back_locked(told.node_id(i), client::Linked::yes);
        }
        idle.swap(evicted_);
    }
    if (idle.empty() || channel_.forget_now(idle)) return;
    static_cast<void>(channel_.detached().call_late(late_sending()));
}

} // namespace vfsproto::posix
