// SPDX-License-Identifier: BSD-2-Clause
// NodeCache: targets of symbolic links, access control lists, and listings of directories.
#include "vfsproto/posix/detail/node_cache.hpp"

#include "clock.hpp"

#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/posix/file.hpp"

#include <span>
#include <utility>

namespace vfsproto::posix {

// The targets of links may be kept where the server says so (CACHE_SYMLINKS). Elsewhere they may change without a
// trace, which CacheMode::always accepts.
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

client::ContentRead NodeCache::about_to_read(const NodeRef& node, const wire::Attr& known) const noexcept {
    if (replies_ == nullptr) return {};
    const MutexLock lock(mutex_);
    return replies_->contents.begin_read(*cached_or_null(node), client::version_of(known));
}

std::shared_ptr<const std::string> NodeCache::find_locked(const client::CachedNode& node, client::ContentKind kind,
                                                          std::uint64_t now) noexcept {
    if (!replies_->attributes.is_valid(node.attributes, now)) return nullptr;
    const client::ContentVersion version = client::version_of(node.attributes.value);
    return replies_->find_content(node, kind, &version);
}

std::shared_ptr<const std::string> NodeCache::find_target(const NodeRef& link) {
    if (!keeps_targets()) return nullptr;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    auto found = find_locked(*cached_or_null(link), client::ContentKind::target, now);
    replies_->contents.count(client::ContentKind::target, found ? client::Looked::hit : client::Looked::miss);
    return found;
}

void NodeCache::note_target(const NodeRef& link, std::string_view target, const client::ContentRead& read) {
    if (!keeps_targets()) return;
    if (!client::may_keep_target({target.data(), target.size()}, read.version.size)) return;
    auto fresh = std::make_unique<KeptContent>(client::ContentKind::target, std::string(target));
    const MutexLock lock(mutex_);
    replies_->keep_content(*cached_or_null(link), std::move(fresh), read);
}

bool NodeCache::evaluates_lists() const noexcept {
    return permissions_ == Permissions::judged_here && channel_.params().flags.has(wire::InitFlag::posix_acl);
}

AccessListBytes NodeCache::find_access_list(const NodeRef& node) {
    if (replies_ == nullptr) return nullptr;
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    return lists_.find(*cached_or_null(node), replies_->attributes, now);
}

void NodeCache::note_access_list(const NodeRef& node, AccessListBytes bytes, const client::ContentRead& read) {
    if (replies_ == nullptr) return;
    const MutexLock lock(mutex_);
    lists_.put(*cached_or_null(node), std::move(bytes), read);
}

// A server that leaves KEEP_CACHE out wants the directory to be read anew after each OPENDIR (reference: Linux
// fs/fuse/dir.c, fuse_dir_open()). A reading that began before is not kept, because it may show the directory as it was
// then.
bool NodeCache::keeps_listing(const NodeRef& directory, std::uint32_t open_flags,
                              client::ContentRead& opened) noexcept {
    if (replies_ == nullptr) return false;
    if (replies_->keeps_always()) return true;
    if ((open_flags & wire::kFopenKeepCache) == 0) {
        const MutexLock lock(mutex_);
        client::CachedNode& node = *cached_or_null(directory);
        const bool was_changed = replies_->attributes.was_dropped_since(node.attributes, opened.before);
        replies_->attributes.invalidate_content(node.attributes);
        if (!was_changed) opened.before = replies_->changes.now();
        replies_->drop_content(node);
    }
    return (open_flags & wire::kFopenCacheDir) != 0;
}

std::shared_ptr<const std::string> NodeCache::find_listing(const NodeRef& directory,
                                                           const client::ContentVersion* walked) noexcept {
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const client::CachedNode& node = *cached_or_null(directory);
    if (walked != nullptr) return replies_->find_content(node, client::ContentKind::listing, walked);
    return find_locked(node, client::ContentKind::listing, now);
}

void NodeCache::count_listing(client::Looked looked) noexcept {
    const MutexLock lock(mutex_);
    replies_->contents.count(client::ContentKind::listing, looked);
}

void NodeCache::note_listing(const NodeRef& directory, std::string records, const client::ContentRead& read) {
    auto fresh = std::make_unique<KeptContent>(client::ContentKind::listing, std::move(records));
    const MutexLock lock(mutex_);
    replies_->keep_content(*cached_or_null(directory), std::move(fresh), read);
}

std::size_t NodeCache::most_bytes_of_listing() const noexcept { return replies_->contents.most_bytes_of_one(); }

// Names that are looked up here save no LOOKUP, and are not counted.
const wire::Attr* NodeCache::attributes_of_locked(const client::CachedNode& directory, std::string_view name,
                                                  std::uint64_t now) const noexcept {
    const auto found = replies_->names.peek({directory.incarnation, {name.data(), name.size()}}, now);
    if (found.what != client::LookupCache::Found::What::node) return nullptr;
    const client::Node* const node = table_.find(found.target.nodeid, found.target.incarnation);
    if (node == nullptr) return nullptr;
    const client::CachedAttributes& attributes = static_cast<const client::CachedNode*>(node)->attributes;
    return replies_->attributes.is_valid(attributes, now) ? &attributes.value : nullptr;
}

bool NodeCache::knows_attributes(const NodeRef& directory, std::span<const std::byte> records) const noexcept {
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const client::CachedNode& node = *cached_or_null(directory);
    wire::DirentReader reader(records);
    while (reader.next()) {
        const wire::DirEntry& entry = reader.entry();
        if (entry.name.is_dot_or_dot_dot()) continue;
        const wire::Attr* const known = attributes_of_locked(node, {entry.name.data(), entry.name.size()}, now);
        if (known == nullptr) return false;
        // The name leads to another file by now, of which the listing does not know.
        const bool is_typed = entry.type != abi::kDtUnknown;
        if (is_typed && entry.type != abi::dirent_type(known->mode)) return false;
    }
    return true;
}

void NodeCache::add_attributes(const NodeRef& directory, std::vector<DirectoryEntry>& entries) const noexcept {
    const client::CacheTime now = now_ns();
    const MutexLock lock(mutex_);
    const client::CachedNode& node = *cached_or_null(directory);
    for (DirectoryEntry& entry : entries) {
        if (entry.name == "." || entry.name == "..") continue;
        const wire::Attr* const attributes = attributes_of_locked(node, entry.name, now);
        entry.has_attributes = attributes != nullptr;
        if (attributes != nullptr) entry.attributes = ids().shown(*attributes);
    }
}

} // namespace vfsproto::posix
