// SPDX-License-Identifier: BSD-2-Clause
// NodeCache: what is kept of answers, and what changes by this mount make of it. The channel's lock is never taken under ours.
#include "vfsproto/posix/detail/node_cache.hpp"

#include "clock.hpp"

namespace vfsproto::posix {

namespace {

client::CachedNode& cached(client::Node& node) noexcept { return static_cast<client::CachedNode&>(node); }

client::LookupCache::Name text(std::string_view name) noexcept { return {name.data(), name.size()}; }

} // namespace

AskedAt NodeCache::about_to_ask() const noexcept {
    if (replies_ == nullptr) return {};
    const MutexLock lock(mutex_);
    return {now_ns(), replies_->changes.now()};
}

NodeCache::Known NodeCache::find(const NodeRef& directory, std::string_view name, Need need) {
    if (replies_ == nullptr) return {};
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const auto found = replies_->names.find({directory.node_->incarnation, text(name)}, now);
    using What = client::LookupCache::Found::What;
    if (found.what == What::nothing) return {};
    if (found.what == What::absent) return {Known::What::absent, {}, {}};
    client::Node* const node = table_.find(found.target.nodeid, found.target.incarnation);
    if (node == nullptr) return {};
    Known known{Known::What::file, {}, {}};
    if (need == Need::attributes) {
        const wire::Attr* const attributes = replies_->attributes.find(cached(*node).attributes, now);
        if (attributes == nullptr) return {};
        known.attributes = *attributes;
    } else {
        known.attributes.mode = node->type;
    }
    table_.use(*node);
    known.node = NodeRef(*this, *node);
    return known;
}

std::optional<wire::Attr> NodeCache::find_attributes(const NodeRef& node) {
    if (replies_ == nullptr) return std::nullopt;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const wire::Attr* const attributes = replies_->attributes.find(cached(*node.node_).attributes, now);
    return attributes != nullptr ? std::optional(*attributes) : std::nullopt;
}

void NodeCache::learn_locked(const Asked& asked, client::Node& node, const wire::EntryOut& entry) {
    replies_->attributes.apply(cached(node).attributes, replies_->fresh(entry, asked.at));
    replies_->names.put({asked.directory.node_->incarnation, text(asked.name)}, {node.nodeid(), node.incarnation},
                        replies_->name_expiry(entry, asked.at), asked.at.before);
}

NodeRef NodeCache::count_found(const Asked& asked, const wire::EntryOut& entry) {
    if (replies_ == nullptr || entry.nodeid == wire::kRootNodeId) return count(entry);
    const MutexLock lock(mutex_);
    client::Node& node = count_locked(entry);
    learn_locked(asked, node, entry);
    return NodeRef(*this, node);
}

NodeRef NodeCache::count_made(const Asked& asked, const wire::EntryOut& entry) {
    if (replies_ == nullptr || entry.nodeid == wire::kRootNodeId) return count(entry);
    const MutexLock lock(mutex_);
    client::Node& node = count_locked(entry);
    replies_->own().made({cached(*asked.directory.node_), text(asked.name)}, cached(node),
                         {replies_->fresh(entry, asked.at), replies_->name_expiry(entry, asked.at)});
    return NodeRef(*this, node);
}

void NodeCache::note_absent(const Asked& asked, const wire::EntryOut& entry) {
    if (replies_ == nullptr) return;
    const client::CacheTime expiry = replies_->name_expiry(entry, asked.at);
    const bool may_be_kept = entry.entry_valid != 0 || entry.entry_valid_nsec != 0;
    const MutexLock lock(mutex_);
    replies_->names.put({asked.directory.node_->incarnation, text(asked.name)}, {0, 0},
                        may_be_kept ? expiry : client::kNeverValid, asked.at.before);
}

void NodeCache::note_attributes(const NodeRef& node, const wire::AttrOut& answer, const AskedAt& asked) {
    if (replies_ == nullptr) return;
    const MutexLock lock(mutex_);
    replies_->attributes.apply(cached(*node.node_).attributes, replies_->fresh(answer, asked));
}

void NodeCache::note_changed(const NodeRef& node, const wire::AttrOut& answer, const AskedAt& asked) {
    if (replies_ == nullptr) return;
    const MutexLock lock(mutex_);
    replies_->attributes.apply_changed(cached(*node.node_).attributes, replies_->fresh(answer, asked));
    lists_.drop_changed(cached(*node.node_), replies_->changes.now());
}

void NodeCache::invalidate(const NodeRef& node) {
    if (replies_ == nullptr || !node) return;
    const MutexLock lock(mutex_);
    replies_->attributes.invalidate(cached(*node.node_).attributes);
}

void NodeCache::invalidate_all() noexcept {
    if (replies_ == nullptr) return;
    const MutexLock lock(mutex_);
    replies_->names.invalidate_all();
    replies_->attributes.invalidate_all();
}

void NodeCache::note_removed(const Asked& asked, const NodeRef& file) {
    if (replies_ == nullptr) return;
    const MutexLock lock(mutex_);
    replies_->own().removed({cached(*asked.directory.node_), text(asked.name)}, cached_or_null(file));
}

void NodeCache::note_renamed(const Asked& from, const Asked& to, const NodeRef& moved, const NodeRef& other) {
    if (replies_ == nullptr) return;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    client::CachedNode* had_name = cached_or_null(other);
    if (had_name == nullptr) had_name = named_locked(to, now); // an exchange looks up the moved file alone
    replies_->own().renamed({cached(*from.directory.node_), text(from.name)},
                            {cached(*to.directory.node_), text(to.name)}, cached_or_null(moved), had_name);
}

void NodeCache::note_failed(const Asked& asked, const Failure& why, const NodeRef& file) {
    if (replies_ == nullptr) return;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    client::CachedNode* about = cached_or_null(file);
    // An exchange may have changed the file that the name is known to lead to, and so may a CREATE that cuts it.
    if (about == nullptr && why.errc != Errc::ok) about = named_locked(asked, now);
    replies_->own().failed({cached(*asked.directory.node_), text(asked.name)}, {why.errc, why.error}, about);
}

client::CachedNode* NodeCache::named_locked(const Asked& asked, client::CacheTime now) noexcept {
    const auto found = replies_->names.peek({asked.directory.node_->incarnation, text(asked.name)}, now);
    client::Node* const node = table_.find(found.target.nodeid, found.target.incarnation);
    return node != nullptr ? &cached(*node) : nullptr;
}

void NodeCache::begin_writing(const NodeRef& node) {
    if (replies_ == nullptr || !node) return;
    const MutexLock lock(mutex_);
    replies_->attributes.begin_writing(cached(*node.node_).attributes);
}

void NodeCache::end_writing(const NodeRef& node) noexcept {
    if (replies_ == nullptr || !node) return;
    const MutexLock lock(mutex_);
    replies_->attributes.end_writing(cached(*node.node_).attributes);
}

void NodeCache::note_read(const NodeRef& node) noexcept {
    if (replies_ == nullptr || !node) return;
    const MutexLock lock(mutex_);
    replies_->attributes.invalidate_atime(cached(*node.node_).attributes);
}

client::CachedNode* NodeCache::cached_or_null(const NodeRef& node) noexcept {
    return node ? &cached(*node.node_) : nullptr;
}

} // namespace vfsproto::posix
