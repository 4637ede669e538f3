// SPDX-License-Identifier: BSD-2-Clause
// NodeCache: targets of symbolic links.
#include "vfsproto/posix/detail/node_cache.hpp"

#include "clock.hpp"

namespace vfsproto::posix {

// Servers that do not say so may have links that change without a trace; `always` takes that upon itself.
bool NodeCache::keeps_targets() const noexcept {
    if (replies_ == nullptr) return false;
    return replies_->keeps_always() || channel_.params().flags.has(wire::InitFlag::cache_symlinks);
}

client::ContentRead NodeCache::about_to_read(const NodeRef& node) const noexcept {
    if (replies_ == nullptr) return {};
    const MutexLock lock(mutex_);
    const client::CachedNode& of = *cached_or_null(node);
    return replies_->contents.begin_read(of, client::version_of(of.attributes.value));
}

std::shared_ptr<const std::string> NodeCache::find_target(const NodeRef& link) {
    if (!keeps_targets()) return nullptr;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const client::CachedNode& node = *cached_or_null(link);
    if (!replies_->attributes.is_valid(node.attributes, now)) return replies_->find_content(node, nullptr);
    const client::ContentVersion version = client::version_of(node.attributes.value);
    return replies_->find_content(node, &version);
}

void NodeCache::note_target(const NodeRef& link, std::string_view target, const client::ContentRead& read) {
    if (!keeps_targets()) return;
    if (!client::may_keep_target({target.data(), target.size()}, read.version.size)) return;
    auto fresh = std::make_unique<KeptContent>(std::string(target));
    const MutexLock lock(mutex_);
    replies_->keep_content(*cached_or_null(link), std::move(fresh), read);
}

} // namespace vfsproto::posix
