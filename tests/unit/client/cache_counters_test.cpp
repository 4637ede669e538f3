// SPDX-License-Identifier: BSD-2-Clause
// The caches count what they were asked and what they knew.
#include "support/catch.hpp"
#include "unit/client/cached_names.hpp"
#include "vfsproto/fuse/client/attribute_cache.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace vfsproto;
using namespace vfsproto::client;
using test::kExpiry;
using test::kNow;
using What = LookupCache::Found::What;

namespace {

constexpr std::uint64_t kHere = 1;

struct Names : test::CachedNames {
    explicit Names(std::size_t size, std::size_t bucket_count)
        : CachedNames({.names = size, .buckets = bucket_count}) {}

    static LookupCache::Place place(std::string_view name) { return {kHere, test::text(name)}; }
    bool put(std::string_view name, std::uint64_t nodeid, CacheTime expiry = kExpiry) {
        return cache.put(place(name), {nodeid, 1}, expiry, changes.now());
    }
    What find(std::string_view name, CacheTime now = kNow) { return cache.find(place(name), now).what; }
    void check(const LookupCounters& expected) const {
        const LookupCounters& counted = cache.counters();
        CHECK(counted.hits == expected.hits);
        CHECK(counted.absent_hits == expected.absent_hits);
        CHECK(counted.misses == expected.misses);
        CHECK(counted.expired == expected.expired);
        CHECK(counted.kept == expected.kept);
        CHECK(counted.evicted == expected.evicted);
    }
};

} // namespace

TEST_CASE("a name that is found, known to be absent, unknown or expired is counted as such", "[caches][counters]") {
    Names names(16, 16);
    CHECK(names.find("a") == What::nothing);
    names.check({.misses = 1});
    CHECK(names.put("a", 5));
    CHECK(names.put("b", 0));
    names.check({.misses = 1, .kept = 2});
    CHECK(names.find("a") == What::node);
    CHECK(names.find("a") == What::node);
    CHECK(names.find("b") == What::absent);
    CHECK(names.find("c") == What::nothing);
    names.check({.hits = 2, .absent_hits = 1, .misses = 2, .kept = 2});
    CHECK(names.find("a", kExpiry) == What::nothing);
    CHECK(names.find("a", kExpiry) == What::nothing); // it is forgotten by now
    names.check({.hits = 2, .absent_hits = 1, .misses = 4, .expired = 1, .kept = 2});
}

TEST_CASE("answers are counted as kept when they are, and names that are dropped are not evicted",
          "[caches][counters]") {
    Names names(16, 16);
    const auto before = names.changes.now();
    CHECK(names.put("a", 5));
    CHECK(names.put("a", 6)); // in the place of the first
    CHECK_FALSE(names.put("b", 5, kNeverValid));
    CHECK_FALSE(names.put("", 5));
    CHECK_FALSE(names.put(std::string(256, 'x'), 5));
    names.check({.kept = 2});
    CHECK(names.cache.put_made(Names::place("c"), {7, 1}, kExpiry, names.changes.now()));
    names.check({.kept = 3});
    names.cache.invalidate(Names::place("a"));
    CHECK_FALSE(names.cache.put(Names::place("a"), {5, 1}, kExpiry, before));
    names.cache.invalidate_directory(kHere);
    names.cache.invalidate_all();
    CHECK(names.cache.size() == 0);
    names.check({.kept = 3});
}

TEST_CASE("names that make room are counted as evicted, in all or of one bucket", "[caches][counters]") {
    Names few(3, 3);
    for (const char* const name : {"a", "b", "c", "d"}) CHECK(few.put(name, 5));
    few.check({.kept = 4, .evicted = 1});
    CHECK(few.put(std::string(2 * NameChunk::kBytes, 'x'), 5)); // takes two of three chunks
    few.check({.kept = 5, .evicted = 3});
    CHECK(few.cache.size() == 2);

    constexpr std::size_t kMostInBucket = 32;
    Names crowded(1000, 1);
    for (std::size_t i = 0; i < kMostInBucket + 3; ++i) CHECK(crowded.put(std::to_string(i), 5));
    crowded.check({.kept = kMostInBucket + 3, .evicted = 3});
}

TEST_CASE("who only peeks at a name sees what find() would say, and changes and counts nothing", "[caches][counters]") {
    Names names(2, 2);
    const auto peek = [&](std::string_view name, CacheTime now = kNow) {
        return names.cache.peek(Names::place(name), now);
    };
    CHECK(peek("a").what == What::nothing);
    CHECK(names.put("a", 5));
    CHECK(names.put("b", 0));
    CHECK(peek("a").what == What::node);
    CHECK(peek("a").target.nodeid == 5);
    CHECK(peek("a").target.incarnation == 1);
    CHECK(peek("b").what == What::absent);
    CHECK(peek("c").what == What::nothing);
    CHECK(peek("b", kExpiry).what == What::nothing);
    CHECK(names.cache.size() == 2); // the expired one is still there
    names.check({.kept = 2});
    CHECK(names.put("c", 6)); // "a" is the oldest still
    CHECK(peek("a").what == What::nothing);
    CHECK(peek("b").what == What::absent);
}

TEST_CASE("attributes that are valid are a hit, all others a miss", "[caches][counters]") {
    ChangeCount changes;
    AttributeCache cache(changes);
    CachedAttributes file;
    CHECK(cache.find(file, kNow) == nullptr);
    abi::Attributes attributes{};
    attributes.size = 7;
    CHECK(cache.apply(file, {attributes, kExpiry, changes.now()}));
    REQUIRE(cache.find(file, kNow) == &file.value);
    CHECK(cache.find(file, kNow)->size == 7);
    CHECK(cache.find(file, kExpiry) == nullptr);
    cache.invalidate(file);
    CHECK(cache.find(file, kNow) == nullptr);
    CHECK_FALSE(cache.is_valid(file, kNow)); // who only looks is not counted
    CHECK(cache.counters().hits == 2);
    CHECK(cache.counters().misses == 3);
}
