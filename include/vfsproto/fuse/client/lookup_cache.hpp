// SPDX-License-Identifier: BSD-2-Clause
// The names a client has looked up: which file each leads to, or that there is none, until it expires. It asks nobody: a host
// looks here before it sends LOOKUP, and tells what replies, own changes and notifications say.
//
// A name holds no node. It leads to a nodeid and an incarnation (Node::incarnation), and the host asks NodeTable::find() for
// both: a node that was forgotten is not found, even if the server has used its nodeid again. Directories are named by their
// incarnation alone, for the same reason.
#pragma once

#include "vfsproto/fuse/client/detail/cache_clock.hpp"
#include "vfsproto/fuse/client/name_case.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// Storage for one name, the host's.
struct CachedName {
    std::uint64_t directory;
    std::uint64_t nodeid; // 0: the name is absent
    std::uint64_t incarnation;
    CacheTime expiry;
    std::uint32_t hash;
    std::uint32_t first_chunk;
    std::uint32_t next; // the next entry in its bucket, or in the list of free entries
    std::uint32_t older;
    std::uint32_t newer;
    std::uint16_t length;
};

// Storage for a part of a name.
struct NameChunk {
    static constexpr std::size_t kBytes = 28;

    std::uint32_t next;
    char bytes[kBytes];
};

// Counts what LookupCache::find() said, and which names came and went, since the cache was made.
struct LookupCounters {
    std::uintptr_t hits = 0;        // names that lead to a file
    std::uintptr_t absent_hits = 0; // names that are known to lead to none
    std::uintptr_t misses = 0;      // names of which nothing is known, expired ones among them
    std::uintptr_t expired = 0;     // misses of names that were known until they expired
    std::uintptr_t kept = 0;        // answers that were taken, later ones about the same name among them
    std::uintptr_t evicted = 0;     // names that made room for others
};

// One owner at a time. The storage lives as long as the cache, and moves with nobody.
class LookupCache {
public:
    // The host gives fewer than 2^32 - 1 of each. Most names take one chunk; as many buckets as entries are right. Without any
    // of one kind nothing is ever kept. Entries and chunks hold nothing yet: memory that no name has needed is not touched.
    struct Storage {
        std::span<CachedName> entries{};
        std::span<NameChunk> chunks{};
        std::span<std::uint32_t> buckets{};
    };
    using Name = std::span<const char>;
    // A name in a directory, which is given by its node's incarnation (0: the root).
    struct Place {
        std::uint64_t directory;
        Name name;
    };
    struct Target {
        std::uint64_t nodeid; // 0: the name is absent
        std::uint64_t incarnation;
    };
    struct Found {
        enum class What : std::uint8_t { nothing, absent, node } what = What::nothing;
        Target target{};
    };

    static constexpr std::size_t kLongestName = 255; // NAME_MAX; longer ones are not kept

    LookupCache(ChangeCount& changes, const Storage& storage, NameCase name_case) noexcept;

    // Returns what the name leads to at this time, and makes it the latest used.
    [[nodiscard]] Found find(const Place& place, CacheTime now) noexcept;
    // Returns the same, but changes and counts nothing: for a host that does not look the name up to save a request.
    [[nodiscard]] Found peek(const Place& place, CacheTime now) const noexcept;

    // Takes what LOOKUP or READDIRPLUS said. `before`: the moment before the request was sent. False, and nothing is taken, if
    // the name was changed since then, or if expiry is kNeverValid. The least recently used names make room.
    bool put(const Place& place, const Target& target, CacheTime expiry, ChangeCount::Moment before) noexcept;
    // Takes what a change of our own made of the name: what replies to requests sent before say of it is refused from now on.
    // False if there was another change since `before`: then nothing is known of the name.
    bool put_made(const Place& place, const Target& target, CacheTime expiry, ChangeCount::Moment before) noexcept;

    // Drop names, and refuse what replies to requests sent before say of them: after own changes, and for notifications.
    void invalidate(const Place& place) noexcept;
    // Takes time in proportion to all names.
    void invalidate_directory(std::uint64_t directory) noexcept;
    void invalidate_all() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; } // names, expired ones among them
    [[nodiscard]] const LookupCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] NameCase name_case() const noexcept { return name_case_; }

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    // Chance puts fewer names into one bucket. The oldest makes room, whatever names a server invents.
    static constexpr std::size_t kMostInBucket = 32;
    static constexpr std::size_t kStripes = 256;

    [[nodiscard]] bool can_keep(Name name) const noexcept;
    [[nodiscard]] std::uint32_t hash_of(const Place& place) const noexcept;
    [[nodiscard]] std::uint32_t& bucket_of(std::uint32_t hash) const noexcept;
    [[nodiscard]] ChangeCount::Moment& change_of(std::uint32_t hash) noexcept { return changed_[hash % kStripes]; }
    [[nodiscard]] bool has_name(const CachedName& entry, Name name) const noexcept;
    [[nodiscard]] std::uint32_t index_of(const Place& place, std::uint32_t hash) const noexcept;
    [[nodiscard]] static Found found_in(const CachedName& entry) noexcept;
    void evict(std::uint32_t index) noexcept;
    void make_room(std::size_t chunks) noexcept;
    [[nodiscard]] std::uint32_t take_entry() noexcept;
    [[nodiscard]] std::uint32_t take_chunk() noexcept;
    void make_room_in_bucket(std::uint32_t hash) noexcept;
    void insert(const Place& place, std::uint32_t hash, const Target& target, CacheTime expiry) noexcept;
    void write_name(CachedName& entry, Name name) noexcept;
    void remove(std::uint32_t index) noexcept;
    void make_newest(std::uint32_t index) noexcept;
    void leave_order(const CachedName& entry) noexcept;

    ChangeCount* changes_;
    Storage storage_;
    NameCase name_case_;
    std::uint32_t free_entry_ = kNone; // the first of those that were used before
    std::uint32_t free_chunk_ = kNone;
    std::uint32_t touched_entries_ = 0; // those from here on were never used
    std::uint32_t touched_chunks_ = 0;
    std::uint32_t oldest_ = kNone;
    std::uint32_t newest_ = kNone;
    std::size_t size_ = 0;
    std::size_t free_chunks_ = 0;
    LookupCounters counters_{};
    ChangeCount::Moment all_changed_ = 0;
    ChangeCount::Moment changed_[kStripes] = {}; // when a name with such a hash was last changed
};

} // namespace vfsproto::client
