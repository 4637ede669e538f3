// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/node_cache.hpp"

#include "vfsproto/config.hpp"
#include "vfsproto/fuse/wire/validate.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <algorithm>
#include <thread>

namespace vfsproto::posix {

namespace {

constexpr std::size_t kFirstBuckets = 4096; // doubled as nodes come
// This many nodes are evicted at once, and share one BATCH_FORGET.
constexpr std::size_t kEvictionBatch = 128;
// Unlinked nodes are sent when there are kUnlinkedBatch of them, or when none has followed for kGatherTime.
constexpr std::size_t kUnlinkedBatch = 64;
constexpr std::chrono::milliseconds kGatherTime{10};
// A request that a server without descriptors refused is made again this often, because other threads may take what was
// given back first.
constexpr unsigned kMostTries = 32;
// The late call looks this often whether a server that is behind has made room, for 10 s in all.
constexpr unsigned kLateLooks = 1000;

} // namespace

std::uint64_t NodeRef::nodeid() const noexcept { return node_->nodeid(); }

NodeRef NodeRef::clone() const {
    if (node_ == nullptr) return {};
    if (node_ != &cache_->root_) {
        const MutexLock lock(cache_->mutex_);
        cache_->table_.use(*node_);
    }
    return NodeRef(*cache_, *node_);
}

Held NodeRef::hold() const {
    if (node_ == nullptr) return {};
    Held held = cache_->hold();
    held.nodes.push_back(clone());
    return held;
}

void NodeRef::begin_writing() const {
    if (cache_ != nullptr) cache_->begin_writing(*this);
}
void NodeRef::end_writing() const noexcept {
    if (cache_ != nullptr) cache_->end_writing(*this);
}
void NodeRef::note_read() const noexcept {
    if (cache_ != nullptr) cache_->note_read(*this);
}

void NodeRef::reset() noexcept {
    if (client::Node* node = std::exchange(node_, nullptr)) cache_->drop(*node, client::Linked::yes);
}

void NodeRef::reset_unlinked() noexcept {
    if (client::Node* node = std::exchange(node_, nullptr)) cache_->drop(*node, client::Linked::no);
}

NodeCache::NodeCache(Channel& channel, std::size_t max_idle, const CacheOptions& options, Permissions permissions)
    : channel_(channel), max_idle_(max_idle), permissions_(permissions), buckets_(kFirstBuckets), table_(buckets_) {
    if (options.mode != CacheMode::none && options.names != 0) {
        max_idle_ = std::max(max_idle, options.names);
        replies_ = std::make_unique<CachedReplies>(options);
    }
    root_.forget.nodeid = wire::kRootNodeId;
}

NodeCache::~NodeCache() {
    channel_.end_notifications();
    channel_.detached().end_late_call();
    if (replies_ != nullptr) replies_->drop_contents();
    for (client::Node* node : evicted_) Channel::delete_node(node); // DESTROY gives them back
    while (client::Node* node = table_.evict(0)) Channel::delete_node(node);
    VFSPROTO_RULE(table_.size() == 0, "a File, a Directory or a call outlived its Mount");
    if (spare_ != nullptr) Channel::delete_node(spare_);
}

client::Node& NodeCache::count_locked(const wire::EntryOut& entry) {
    if (spare_ == nullptr) spare_ = Channel::new_node();
    if (table_.is_crowded()) grow_locked();
    const std::uint32_t type = entry.attr.mode & abi::kSIfmt;
    client::Node& node = table_.count_lookup(entry.nodeid, entry.generation, type, *spare_);
    if (&node == spare_) spare_ = nullptr;
    if (replies_ != nullptr) replies_->attributes.note_counted(static_cast<client::CachedNode&>(node));
    node.unlinked = entry.attr.nlink == 0; // O_TMPFILE; or it has a name, after all
    return node;
}

NodeRef NodeCache::count(const wire::EntryOut& entry) {
    // The root has no count to give back, whether ".." led to it or a server handed it out again.
    if (entry.nodeid == wire::kRootNodeId) return root();
    const MutexLock lock(mutex_);
    return NodeRef(*this, count_locked(entry));
}

void NodeCache::count_idle(const std::vector<Listed>& entries, const NodeRef& directory, const AskedAt& asked) {
    {
        const MutexLock lock(mutex_);
        for (const auto& [entry, name] : entries) {
            if (entry.nodeid <= wire::kRootNodeId) continue;
            client::Node& node = count_locked(entry);
            const bool is_sound = wire::check_attr(entry.attr) == Errc::ok;
            if (replies_ != nullptr && is_sound) learn_locked({directory, name, asked}, node, entry);
            [[maybe_unused]] client::Node* none = table_.drop(node, client::Linked::yes);
        }
        if (table_.idle() > max_idle_ + kEvictionBatch) evict_locked(max_idle_);
    }
    send_evicted();
}

void NodeCache::drop(client::Node& node, client::Linked linked) noexcept {
    if (&node == &root_) return;
    bool gathers = false;
    {
        const MutexLock lock(mutex_);
        // The thread that removed the name may not be the last to use the file.
        if (linked == client::Linked::no) node.unlinked = true;
        if (client::Node* unlinked = table_.drop(node, node.unlinked ? client::Linked::no : client::Linked::yes)) {
            leave_table_locked(*unlinked);
            gathers = may_gather_locked();
        } else if (table_.idle() > max_idle_ + kEvictionBatch) {
            evict_locked(max_idle_);
        } else {
            return;
        }
    }
    if (gathers && channel_.detached().call_late(late_sending())) return;
    send_evicted();
}

bool NodeCache::may_gather_locked() noexcept {
    const auto now = std::chrono::steady_clock::now();
    const bool follows = now - std::exchange(last_unlinked_, now) < kGatherTime;
    return follows && evicted_.size() < kUnlinkedBatch;
}

void NodeCache::grow_locked() {
    std::vector<client::Node*> larger(2 * buckets_.size());
    static_cast<void>(table_.rehash(larger)); // these are buckets_
    buckets_.swap(larger);
}

void NodeCache::evict_locked(std::size_t keep) {
    while (client::Node* node = table_.evict(keep)) leave_table_locked(*node);
}

// The node is out of the table and is to be sent.
void NodeCache::leave_table_locked(client::Node& node) {
    if (replies_ != nullptr) {
        auto& cached = static_cast<client::CachedNode&>(node);
        replies_->attributes.note_forgotten(cached.attributes);
        replies_->drop_content(cached);
        lists_.drop(cached);
    }
    evicted_.push_back(&node);
}

std::vector<client::Node*> NodeCache::take_evicted() noexcept {
    const MutexLock lock(mutex_);
    return std::exchange(evicted_, {});
}

// The channel's lock is never taken under ours.
void NodeCache::send_evicted() { channel_.forget(take_evicted()); }

LateCall NodeCache::late_sending() noexcept {
    return {[](void* cache) noexcept { return static_cast<NodeCache*>(cache)->send_late(); }, this, kGatherTime};
}

LateCall::Next NodeCache::send_late() noexcept {
    const std::vector<client::Node*> nodes = take_evicted();
    late_looks_ = nodes.empty() ? late_looks_ + 1 : 0;
    if (channel_.forget_now(nodes) || late_looks_ >= kLateLooks) return LateCall::Next::nothing;
    return LateCall::Next::again;
}

Held NodeCache::hold() { return Held{.cache = shared_from_this()}; }

void NodeCache::prune() {
    {
        const MutexLock lock(mutex_);
        evict_locked(0);
    }
    channel_.detached().end_late_call(); // what it has taken has been sent then
    send_evicted();
}

bool NodeCache::make_room(const Failure& why, unsigned& tries) {
    if (!is_exhausted(why) || tries++ == kMostTries) return false;
    const std::lock_guard until_others_have_sent(making_room_);
    idle() != 0 ? prune() : std::this_thread::yield();
    return true;
}

std::size_t NodeCache::idle() const {
    const MutexLock lock(mutex_);
    return table_.idle();
}

std::size_t NodeCache::size() const {
    const MutexLock lock(mutex_);
    return table_.size();
}

std::vector<NodeCache::HeldLookups> NodeCache::held_lookups() const {
    std::vector<HeldLookups> held;
    const MutexLock lock(mutex_);
    for (const client::Node* first : buckets_) {
        for (const client::Node* node = first; node != nullptr; node = node->hash_next) {
            held.push_back({node->nodeid(), node->forget.nlookup});
        }
    }
    for (const client::Node* node : evicted_) held.push_back({node->nodeid(), node->forget.nlookup});
    return held;
}

void NodeCache::add_to(MountStats& stats) const {
    const MutexLock lock(mutex_);
    stats.held = {0, table_.size(), table_.idle()};
    if (replies_ == nullptr) return;
    stats.held.names = replies_->names.size();
    stats.held.content_bytes = replies_->contents.bytes();
    const client::LookupCounters& names = replies_->names.counters();
    const client::AttributeCounters& attributes = replies_->attributes.counters();
    const client::ContentCounters& targets = replies_->contents.counters(client::ContentKind::target);
    const client::ContentCounters& listings = replies_->contents.counters(client::ContentKind::listing);
    stats.held.targets = targets.held;
    stats.held.listings = listings.held;
    stats.caches = {.name_hits = names.hits,
                    .absent_hits = names.absent_hits,
                    .name_misses = names.misses,
                    .names_expired = names.expired,
                    .names_kept = names.kept,
                    .names_evicted = names.evicted,
                    .attribute_hits = attributes.hits,
                    .attribute_misses = attributes.misses,
                    .target_hits = targets.hits,
                    .target_misses = targets.misses,
                    .targets_kept = targets.kept,
                    .targets_evicted = targets.evicted,
                    .listing_hits = listings.hits,
                    .listing_misses = listings.misses,
                    .listings_kept = listings.kept,
                    .listings_evicted = listings.evicted};
}

} // namespace vfsproto::posix
