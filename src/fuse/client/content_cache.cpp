// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/content_cache.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::client {

bool may_keep_target(std::span<const char> target, std::uint64_t size) noexcept {
    if (target.empty() || target.size() > abi::kPathMax || target.size() != size) return false;
    for (const char c : target) {
        if (c == '\0') return false;
    }
    return true;
}

bool ContentCache::is_void(const CachedNode& node, const ContentRead& read) const noexcept {
    return node.incarnation != read.incarnation || attributes_->was_dropped_since(node.attributes, read.before);
}

// A server may say of one node that it is a link, and later that it is a directory.
Content* ContentCache::find(const CachedNode& node, ContentKind kind, const ContentVersion* now) noexcept {
    Content* const content = node.content;
    if (content == nullptr || content->kind != kind || is_void(node, content->read)) return nullptr;
    if (now == nullptr || content->read.version != *now) return nullptr;
    leave_order(*content);
    make_newest(*content);
    return content;
}

Content* ContentCache::put(CachedNode& node, Content& fresh, const ContentRead& read) noexcept {
    if (is_void(node, read) || fresh.bytes > most_bytes_of_one()) return &fresh;
    Content* const before = take_out(node);
    fresh.node = &node;
    fresh.read = read;
    node.content = &fresh;
    make_newest(fresh);
    bytes_ += fresh.bytes;
    ++counters_of(fresh.kind).kept;
    ++counters_of(fresh.kind).held;
    return before;
}

Content* ContentCache::take_out(CachedNode& node) noexcept {
    Content* const content = node.content;
    if (content == nullptr) return nullptr;
    node.content = nullptr;
    leave_order(*content);
    bytes_ -= content->bytes;
    --counters_of(content->kind).held;
    return content;
}

Content* ContentCache::evict() noexcept {
    if (bytes_ <= most_bytes_) return nullptr;
    ++counters_of(oldest_->kind).evicted;
    return take_out(*oldest_->node);
}

void ContentCache::make_newest(Content& content) noexcept {
    content.older = newest_;
    content.newer = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &content;
    newest_ = &content;
}

void ContentCache::leave_order(const Content& content) noexcept {
    (content.older == nullptr ? oldest_ : content.older->newer) = content.newer;
    (content.newer == nullptr ? newest_ : content.newer->older) = content.older;
}

} // namespace vfsproto::client
