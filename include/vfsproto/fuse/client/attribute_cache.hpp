// SPDX-License-Identifier: BSD-2-Clause
// The attributes of a node, until when they are valid, and which replies may change them. A reply that started before a change
// of ours, or before a notification, must not bring back what was there before (reference: Linux fs/fuse/inode.c,
// fuse_change_attributes()). The host locks them, and embeds CachedNode where it would embed Node.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/fuse/client/detail/cache_clock.hpp"
#include "vfsproto/fuse/client/node_table.hpp"

#include <cstdint>

namespace vfsproto::client {

// Belongs to one node. AttributeCache changes it.
struct CachedAttributes {
    abi::Attributes value{};
    CacheTime expiry = kNeverValid;
    ChangeCount::Moment changed = 0; // when it was last applied or invalidated; 0 = never
    ChangeCount::Moment dropped = 0; // when it was last invalidated, or the file's content alone; 0 = never
    std::uint32_t writers = 0;       // open files that may be written to: every WRITE changes them
    bool is_atime_stale = false;     // the file was read from since

    // True if all of it may be taken for the server's answer now, unless invalidate_all() was called since.
    [[nodiscard]] bool is_valid(CacheTime now) const noexcept { return is_valid_but_atime(now) && !is_atime_stale; }
    // True if all but the access time may be.
    [[nodiscard]] bool is_valid_but_atime(CacheTime now) const noexcept { return now < expiry && writers == 0; }
};

struct Content;

// Has all of a node that caches need.
struct CachedNode : Node {
    CachedAttributes attributes{};
    std::uint64_t attributes_of = 0; // the incarnation they belong to
    Content* content = nullptr;      // ContentCache keeps it
};

// A reply's attributes, as they are to be kept.
struct FreshAttributes {
    const abi::Attributes& value;
    CacheTime expiry;           // of expiry_of()
    ChangeCount::Moment before; // the moment before the request was sent
};

// Counts what AttributeCache::find() said since the cache was made.
struct AttributeCounters {
    std::uintptr_t hits = 0;
    std::uintptr_t misses = 0;
};

// The rules for all nodes of a mount. One owner at a time. What is known stands in the nodes.
class AttributeCache {
public:
    explicit AttributeCache(ChangeCount& changes) noexcept : changes_(&changes) {}

    // Takes what GETATTR, LOOKUP, STATX or READDIRPLUS answered. False if they changed since the request was sent: nothing is taken.
    // Attributes of a node that is new here are taken as expired if a node was forgotten meanwhile: it may be the same file, and
    // what was known of its changes went with it.
    bool apply(CachedAttributes& to, const FreshAttributes& fresh) noexcept;
    // Takes what SETATTR, CREATE or another change of our own answered: the outcome is in them. If there was another change
    // meanwhile, or if they may be those of a forgotten file, they are taken as expired.
    void apply_changed(CachedAttributes& to, const FreshAttributes& fresh) noexcept;
    // True if all of it may be taken for the server's answer now.
    [[nodiscard]] bool is_valid(const CachedAttributes& attributes, CacheTime now) const noexcept {
        return attributes.changed > all_changed_ && attributes.is_valid(now);
    }
    // Returns the attributes if is_valid(), else nullptr, and counts which it was: for a host that would ask the server else.
    [[nodiscard]] const abi::Attributes* find(const CachedAttributes& attributes, CacheTime now) noexcept {
        const bool valid = is_valid(attributes, now);
        ++(valid ? counters_.hits : counters_.misses);
        return valid ? &attributes.value : nullptr;
    }
    [[nodiscard]] const AttributeCounters& counters() const noexcept { return counters_; }
    // Drops what is known, because of a change of our own or a notification.
    void invalidate(CachedAttributes& attributes) noexcept;
    // Drops what is known of every node. Takes no longer for many.
    void invalidate_all() noexcept { all_changed_ = changes_->next(); }
    // Drops what ContentCache keeps of the file, and leaves the attributes.
    void invalidate_content(CachedAttributes& attributes) noexcept { attributes.dropped = changes_->next(); }
    // True if one of these three was called after this moment.
    [[nodiscard]] bool was_dropped_since(const CachedAttributes& attributes,
                                         ChangeCount::Moment before) const noexcept {
        return attributes.dropped > before || all_changed_ > before;
    }
    // A node that is not known here has changed: what replies to requests sent before say of new nodes is taken as expired.
    void invalidate_unknown() noexcept { last_forgotten_ = changes_->next(); }
    // Marks the access time alone as unknown: READ and READDIR move it. Replies on their way are older.
    void invalidate_atime(CachedAttributes& attributes) noexcept {
        attributes.is_atime_stale = true;
        attributes.changed = changes_->next();
    }
    // A file that may be written to is opened, and is closed: in between nothing is valid, and no WRITE needs to be told.
    void begin_writing(CachedAttributes& attributes) noexcept;
    void end_writing(CachedAttributes& attributes) noexcept;
    // Is called behind each NodeTable::count_lookup(), and drops the attributes of another file.
    void note_counted(CachedNode& node) noexcept;
    // Is called for each node that leaves its table, because replies about it may still come.
    void note_forgotten(CachedAttributes& attributes) noexcept;

private:
    [[nodiscard]] bool may_be_of_forgotten(const CachedAttributes& to, ChangeCount::Moment before) const noexcept;
    void take(CachedAttributes& to, const FreshAttributes& fresh) noexcept;

    ChangeCount* changes_;
    ChangeCount::Moment last_forgotten_ = 0; // the latest change of a node that was forgotten
    ChangeCount::Moment all_changed_ = 0;    // the last invalidate_all()
    AttributeCounters counters_{};
};

} // namespace vfsproto::client
