// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/attribute_cache.hpp"

namespace vfsproto::client {

bool AttributeCache::may_be_of_forgotten(const CachedAttributes& to, ChangeCount::Moment before) const noexcept {
    return to.changed == 0 && last_forgotten_ > before;
}

bool AttributeCache::apply(CachedAttributes& to, const FreshAttributes& fresh) noexcept {
    if (to.changed > fresh.before || all_changed_ > fresh.before) return false;
    const bool is_doubtful = may_be_of_forgotten(to, fresh.before);
    take(to, fresh);
    if (is_doubtful) to.expiry = kNeverValid;
    return true;
}

void AttributeCache::apply_changed(CachedAttributes& to, const FreshAttributes& fresh) noexcept {
    const bool is_overtaken = to.changed > fresh.before || all_changed_ > fresh.before;
    const bool is_doubtful = is_overtaken || may_be_of_forgotten(to, fresh.before);
    take(to, fresh);
    if (is_doubtful) to.expiry = kNeverValid;
}

void AttributeCache::invalidate(CachedAttributes& attributes) noexcept {
    attributes.expiry = kNeverValid;
    attributes.changed = attributes.dropped = changes_->next();
}

void AttributeCache::begin_writing(CachedAttributes& attributes) noexcept {
    ++attributes.writers;
    invalidate(attributes);
}

void AttributeCache::end_writing(CachedAttributes& attributes) noexcept {
    --attributes.writers;
    invalidate(attributes);
}

void AttributeCache::note_counted(CachedNode& node) noexcept {
    if (node.attributes_of == node.incarnation) return;
    note_forgotten(node.attributes);
    node.attributes_of = node.incarnation;
}

void AttributeCache::note_forgotten(CachedAttributes& attributes) noexcept {
    if (attributes.changed > last_forgotten_) last_forgotten_ = attributes.changed;
    const std::uint32_t writers = attributes.writers; // which may have another file open than they think
    attributes = {};
    attributes.writers = writers;
}

void AttributeCache::take(CachedAttributes& to, const FreshAttributes& fresh) noexcept {
    to.value = fresh.value;
    to.expiry = fresh.expiry;
    to.changed = changes_->next();
    to.is_atime_stale = false;
}

} // namespace vfsproto::client
