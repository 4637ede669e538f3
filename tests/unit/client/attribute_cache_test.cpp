// SPDX-License-Identifier: BSD-2-Clause
// Attributes are valid until they expire, and no reply brings back what was there before a change.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/attribute_cache.hpp"

#include <cstdint>
#include <deque>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::client;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr CacheTime kNow = 50 * kSecond;
constexpr CacheTime kExpiry = kNow + kSecond;
constexpr std::uint32_t kFile = 0100000;
constexpr std::uint32_t kDirectory = 0040000;

// A live node, its attributes and its part of the buckets right after the table grew. A million of them are a quarter of a GiB.
constexpr std::size_t kMostBytes = 256;
constexpr std::size_t kMostBuckets = 2;
static_assert(sizeof(CachedNode) + kMostBuckets * sizeof(Node*) <= kMostBytes);

abi::Attributes of_size(std::uint64_t size) {
    abi::Attributes attributes{};
    attributes.size = size;
    return attributes;
}

struct Cache {
    bool apply(std::uint64_t size, ChangeCount::Moment before, CacheTime expiry = kExpiry) {
        return cache.apply(file, {of_size(size), expiry, before});
    }
    void apply_changed(std::uint64_t size, ChangeCount::Moment before) {
        cache.apply_changed(file, {of_size(size), kExpiry, before});
    }

    ChangeCount changes;
    AttributeCache cache{changes};
    CachedAttributes file;
};

} // namespace

TEST_CASE("a validity counts from when the request was sent, is cut where it is too long, and 0 is never", "[caches]") {
    CHECK(expiry_of(kNow, 0, 0) == kNeverValid);
    CHECK(expiry_of(kNow, 1, 5) == kNow + kSecond + 5);
    CHECK(expiry_of(kNow, 0, 1) == kNow + 1);
    CHECK(expiry_of(kNow, 0, UINT32_MAX) == kNow + 999'999'999);
    CHECK(expiry_of(kNow, UINT64_MAX, UINT32_MAX) == kAlwaysValid);
    CHECK(expiry_of(kNow, UINT64_MAX / kSecond, 999'999'999) == kAlwaysValid);
    CHECK(expiry_of(UINT64_MAX - 5, 1, 0) == kAlwaysValid);
    CHECK(expiry_of(0, 18'446'744'073, 0) == 18'446'744'073 * kSecond);
}

TEST_CASE("attributes are valid until they expire", "[caches]") {
    Cache c;
    CHECK_FALSE(c.file.is_valid(0));
    CHECK(c.apply(7, c.changes.now()));
    CHECK(c.file.value.size == 7);
    CHECK(c.file.is_valid(kNow));
    CHECK(c.file.is_valid(kExpiry - 1));
    CHECK_FALSE(c.file.is_valid(kExpiry));
    CHECK(c.apply(8, c.changes.now(), kNeverValid));
    CHECK(c.file.value.size == 8);
    CHECK_FALSE(c.file.is_valid(0));
}

TEST_CASE("a reply to a request sent before an invalidation is not taken", "[caches]") {
    Cache c;
    CHECK(c.apply(7, c.changes.now()));
    const auto before = c.changes.now();
    c.cache.invalidate(c.file);
    CHECK_FALSE(c.file.is_valid(kNow));
    CHECK_FALSE(c.apply(8, before));
    CHECK_FALSE(c.file.is_valid(kNow));
    CHECK(c.file.value.size == 7);
    CHECK(c.apply(9, c.changes.now())); // sent afterwards
    CHECK(c.file.value.size == 9);
    CHECK(c.file.is_valid(kNow));
}

TEST_CASE("a reply to a request sent before another reply was taken does not overwrite it", "[caches]") {
    Cache c;
    const auto before = c.changes.now();
    CHECK(c.apply(9, c.changes.now()));
    CHECK_FALSE(c.apply(8, before));
    CHECK(c.file.value.size == 9);
    CHECK(c.file.is_valid(kNow));
}

TEST_CASE("a reply to a request sent before a change of ours is not taken", "[caches]") {
    Cache c;
    const auto before = c.changes.now();
    c.apply_changed(9, c.changes.now());
    CHECK_FALSE(c.apply(8, before));
    CHECK(c.file.value.size == 9);
    CHECK(c.file.is_valid(kNow));
}

TEST_CASE("of two changes of ours at once the outcome is not known", "[caches]") {
    Cache c;
    const auto first = c.changes.now();
    const auto second = c.changes.now();
    c.apply_changed(8, second);
    CHECK(c.file.is_valid(kNow));
    c.apply_changed(9, first);
    CHECK_FALSE(c.file.is_valid(kNow));
    CHECK(c.file.value.size == 9);
}

TEST_CASE("changes of other files do not keep a reply from being taken", "[caches]") {
    Cache c;
    CachedAttributes other;
    CHECK(c.apply(7, c.changes.now()));
    const auto before = c.changes.now();
    c.cache.invalidate(other);
    CHECK(c.apply(8, before));
    CHECK(c.file.is_valid(kNow));
}

TEST_CASE("a read makes the access time alone unknown, until the next reply", "[caches]") {
    Cache c;
    CHECK(c.apply(7, c.changes.now()));
    c.cache.invalidate_atime(c.file);
    CHECK_FALSE(c.file.is_valid(kNow));
    CHECK(c.file.is_valid_but_atime(kNow));
    CHECK_FALSE(c.file.is_valid_but_atime(kExpiry));
    CHECK(c.apply(7, c.changes.now()));
    CHECK(c.file.is_valid(kNow));
    const auto before = c.changes.now(); // a request is sent, and answered late
    c.cache.invalidate_atime(c.file);
    CHECK_FALSE(c.apply(7, before));
    CHECK_FALSE(c.file.is_valid(kNow));
}

TEST_CASE("nothing is valid while a file may be written to, nor what was answered meanwhile", "[caches]") {
    Cache c;
    CHECK(c.apply(7, c.changes.now()));
    c.cache.begin_writing(c.file);
    c.cache.begin_writing(c.file);
    CHECK(c.apply(8, c.changes.now()));
    CHECK(c.file.value.size == 8);
    CHECK_FALSE(c.file.is_valid(kNow));
    c.cache.end_writing(c.file);
    const auto before = c.changes.now();
    c.cache.end_writing(c.file);
    CHECK_FALSE(c.file.is_valid(kNow));
    CHECK_FALSE(c.apply(8, before));
    CHECK(c.apply(9, c.changes.now()));
    CHECK(c.file.is_valid(kNow));
}

TEST_CASE("a late reply about a forgotten file does not make old attributes valid in its new node", "[caches]") {
    Cache c;
    CHECK(c.apply(7, c.changes.now()));
    const auto before = c.changes.now();
    c.cache.invalidate(c.file);
    c.cache.note_forgotten(c.file);
    CHECK(c.file.value.size == 0);
    const bool is_change = GENERATE(false, true);
    if (is_change) {
        c.apply_changed(7, before);
    } else {
        CHECK(c.apply(7, before));
    }
    CHECK(c.file.value.size == 7); // good enough for the caller who asked
    CHECK_FALSE(c.file.is_valid(kNow));
    CachedAttributes other;
    CHECK(c.cache.apply(other, {of_size(1), kExpiry, c.changes.now()})); // sent afterwards
    CHECK(other.is_valid(kNow));
}

TEST_CASE("another file under a nodeid begins without attributes", "[caches]") {
    ChangeCount changes;
    AttributeCache cache(changes);
    std::vector<Node*> buckets(8);
    NodeTable table(buckets);
    CachedNode first;
    CachedNode second;
    const auto count = [&](std::uint64_t generation, std::uint32_t type) {
        CachedNode& fresh = table.size() == 0 ? first : second;
        auto& node = static_cast<CachedNode&>(table.count_lookup(5, generation, type, fresh));
        cache.note_counted(node);
        return &node;
    };
    CHECK(count(0, kFile) == &first);
    CHECK(cache.apply(first.attributes, {of_size(7), kExpiry, changes.now()}));
    CHECK(count(0, kFile) == &first);
    CHECK(first.attributes.is_valid(kNow));
    const auto before = changes.now();
    cache.invalidate(first.attributes);
    SECTION("of another generation") { CHECK(count(1, kFile) == &first); }
    SECTION("of another type") { CHECK(count(0, kDirectory) == &first); }
    CHECK(first.attributes.value.size == 0);
    CHECK(cache.apply(first.attributes, {of_size(7), kExpiry, before}));
    CHECK_FALSE(first.attributes.is_valid(kNow)); // may be what was asked of the old one
}
