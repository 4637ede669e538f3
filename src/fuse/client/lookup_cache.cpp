// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/lookup_cache.hpp"

#include "vfsproto/config.hpp"

namespace vfsproto::client {

namespace {

constexpr bool is_ascii(char c) noexcept { return static_cast<unsigned char>(c) < 0x80; }

constexpr char folded(char c, NameCase name_case) noexcept {
    const bool upper = name_case == NameCase::ascii_ignored && c >= 'A' && c <= 'Z';
    return upper ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_ascii(LookupCache::Name name) noexcept {
    for (const char c : name) {
        if (!is_ascii(c)) return false;
    }
    return true;
}

constexpr std::size_t chunks_for(std::size_t length) noexcept {
    return (length + NameChunk::kBytes - 1) / NameChunk::kBytes;
}

} // namespace

LookupCache::LookupCache(ChangeCount& changes, const Storage& storage, NameCase name_case) noexcept
    : changes_(&changes), storage_(storage), name_case_(name_case) {
    VFSPROTO_ASSERT(storage.entries.size() < kNone && storage.chunks.size() < kNone && storage.buckets.size() < kNone);
    if (storage.buckets.empty()) storage_ = {};
    for (std::uint32_t& bucket : storage_.buckets) bucket = kNone;
    free_chunks_ = storage_.chunks.size();
}

bool LookupCache::can_keep(Name name) const noexcept {
    if (name.empty() || name.size() > kLongestName || chunks_for(name.size()) > storage_.chunks.size()) return false;
    return !storage_.entries.empty() && (name_case_ == NameCase::matters || is_ascii(name));
}

// FNV-1a over the directory's number and the name as it is compared, its bits mixed once more.
std::uint32_t LookupCache::hash_of(const Place& place) const noexcept {
    constexpr std::uint64_t kPrime = 0x100000001b3u;
    std::uint64_t hash = (0xcbf29ce484222325u ^ place.directory) * 0x9e3779b97f4a7c15u;
    for (const char c : place.name) hash = (hash ^ static_cast<unsigned char>(folded(c, name_case_))) * kPrime;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return static_cast<std::uint32_t>(hash >> 32);
}

std::uint32_t& LookupCache::bucket_of(std::uint32_t hash) const noexcept {
    const std::uint64_t buckets = storage_.buckets.size();
    return storage_.buckets[static_cast<std::size_t>(hash * buckets >> 32)];
}

bool LookupCache::has_name(const CachedName& entry, Name name) const noexcept {
    if (entry.length != name.size()) return false;
    std::uint32_t chunk = entry.first_chunk;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (i != 0 && i % NameChunk::kBytes == 0) chunk = storage_.chunks[chunk].next;
        if (storage_.chunks[chunk].bytes[i % NameChunk::kBytes] != folded(name[i], name_case_)) return false;
    }
    return true;
}

std::uint32_t LookupCache::index_of(const Place& place, std::uint32_t hash) const noexcept {
    if (!can_keep(place.name)) return kNone;
    std::uint32_t index = bucket_of(hash);
    while (index != kNone) {
        const CachedName& entry = storage_.entries[index];
        if (entry.hash == hash && entry.directory == place.directory && has_name(entry, place.name)) break;
        index = entry.next;
    }
    return index;
}

LookupCache::Found LookupCache::find(const Place& place, CacheTime now) noexcept {
    const std::uint32_t index = size_ == 0 ? kNone : index_of(place, hash_of(place));
    if (index == kNone) {
        ++counters_.misses;
        return {};
    }
    const CachedName& entry = storage_.entries[index];
    if (now >= entry.expiry) {
        ++counters_.misses;
        ++counters_.expired;
        remove(index);
        return {};
    }
    leave_order(entry);
    make_newest(index);
    ++(entry.nodeid == 0 ? counters_.absent_hits : counters_.hits);
    return found_in(entry);
}

LookupCache::Found LookupCache::peek(const Place& place, CacheTime now) const noexcept {
    const std::uint32_t index = size_ == 0 ? kNone : index_of(place, hash_of(place));
    if (index == kNone || now >= storage_.entries[index].expiry) return {};
    return found_in(storage_.entries[index]);
}

LookupCache::Found LookupCache::found_in(const CachedName& entry) noexcept {
    const Found::What what = entry.nodeid == 0 ? Found::What::absent : Found::What::node;
    return {what, {entry.nodeid, entry.incarnation}};
}

bool LookupCache::put(const Place& place, const Target& target, CacheTime expiry, ChangeCount::Moment before) noexcept {
    const std::uint32_t hash = hash_of(place);
    if (all_changed_ > before || change_of(hash) > before) return false;
    if (const std::uint32_t old = index_of(place, hash); old != kNone) remove(old);
    if (expiry == kNeverValid || !can_keep(place.name)) return false;
    insert(place, hash, target, expiry);
    return true;
}

bool LookupCache::put_made(const Place& place, const Target& target, CacheTime expiry,
                           ChangeCount::Moment before) noexcept {
    const std::uint32_t hash = hash_of(place);
    const bool is_last_change = all_changed_ <= before && change_of(hash) <= before;
    invalidate(place);
    return is_last_change && put(place, target, expiry, changes_->now());
}

void LookupCache::invalidate(const Place& place) noexcept {
    // The server may take it for another spelling of a name that is kept.
    if (name_case_ == NameCase::ascii_ignored && !is_ascii(place.name)) return invalidate_directory(place.directory);
    const std::uint32_t hash = hash_of(place);
    change_of(hash) = changes_->next();
    if (const std::uint32_t index = index_of(place, hash); index != kNone) remove(index);
}

void LookupCache::invalidate_directory(std::uint64_t directory) noexcept {
    all_changed_ = changes_->next(); // replies about other directories are refused as well
    for (std::uint32_t index = oldest_; index != kNone;) {
        const std::uint32_t newer = storage_.entries[index].newer;
        if (storage_.entries[index].directory == directory) remove(index);
        index = newer;
    }
}

void LookupCache::invalidate_all() noexcept {
    all_changed_ = changes_->next();
    while (oldest_ != kNone) remove(oldest_);
}

// Frees an entry and so many chunks, as few as the longest name that can_keep() allows.
void LookupCache::make_room(std::size_t chunks) noexcept {
    while (size_ == storage_.entries.size() || free_chunks_ < chunks) evict(oldest_);
}

void LookupCache::evict(std::uint32_t index) noexcept {
    ++counters_.evicted;
    remove(index);
}

std::uint32_t LookupCache::take_entry() noexcept {
    if (free_entry_ == kNone) return touched_entries_++;
    const std::uint32_t index = free_entry_;
    free_entry_ = storage_.entries[index].next;
    return index;
}

std::uint32_t LookupCache::take_chunk() noexcept {
    --free_chunks_;
    if (free_chunk_ == kNone) return touched_chunks_++;
    const std::uint32_t chunk = free_chunk_;
    free_chunk_ = storage_.chunks[chunk].next;
    return chunk;
}

void LookupCache::make_room_in_bucket(std::uint32_t hash) noexcept {
    std::size_t depth = 0;
    std::uint32_t last = kNone;
    for (std::uint32_t index = bucket_of(hash); index != kNone; index = storage_.entries[index].next) {
        last = index;
        ++depth;
    }
    if (depth >= kMostInBucket) evict(last);
}

void LookupCache::insert(const Place& place, std::uint32_t hash, const Target& target, CacheTime expiry) noexcept {
    make_room_in_bucket(hash);
    make_room(chunks_for(place.name.size()));
    const std::uint32_t index = take_entry();
    CachedName& entry = storage_.entries[index];
    entry.directory = place.directory;
    entry.nodeid = target.nodeid;
    entry.incarnation = target.incarnation;
    entry.expiry = expiry;
    entry.hash = hash;
    write_name(entry, place.name);
    std::uint32_t& bucket = bucket_of(hash);
    entry.next = bucket;
    bucket = index;
    make_newest(index);
    ++size_;
    ++counters_.kept;
}

void LookupCache::write_name(CachedName& entry, Name name) noexcept {
    entry.length = static_cast<std::uint16_t>(name.size());
    std::uint32_t* link = &entry.first_chunk;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (i % NameChunk::kBytes == 0) {
            if (i != 0) link = &storage_.chunks[*link].next;
            *link = take_chunk();
        }
        storage_.chunks[*link].bytes[i % NameChunk::kBytes] = folded(name[i], name_case_);
    }
}

void LookupCache::remove(std::uint32_t index) noexcept {
    CachedName& entry = storage_.entries[index];
    std::uint32_t* at = &bucket_of(entry.hash);
    while (*at != index) at = &storage_.entries[*at].next;
    *at = entry.next;
    leave_order(entry);
    std::uint32_t chunk = entry.first_chunk;
    for (std::size_t left = chunks_for(entry.length); left != 0; --left) {
        const std::uint32_t next = storage_.chunks[chunk].next;
        storage_.chunks[chunk].next = free_chunk_;
        free_chunk_ = chunk;
        ++free_chunks_;
        chunk = next;
    }
    entry.next = free_entry_;
    free_entry_ = index;
    --size_;
}

void LookupCache::make_newest(std::uint32_t index) noexcept {
    CachedName& entry = storage_.entries[index];
    entry.older = newest_;
    entry.newer = kNone;
    (newest_ == kNone ? oldest_ : storage_.entries[newest_].newer) = index;
    newest_ = index;
}

void LookupCache::leave_order(const CachedName& entry) noexcept {
    (entry.older == kNone ? oldest_ : storage_.entries[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? newest_ : storage_.entries[entry.newer].older) = entry.older;
}

} // namespace vfsproto::client
