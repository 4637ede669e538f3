// SPDX-License-Identifier: BSD-2-Clause
// Names are found until they expire, are dropped or are the least recently used of too many.
#include "support/catch.hpp"
#include "unit/client/cached_names.hpp"
#include "vfsproto/fuse/client/node_table.hpp"

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace vfsproto::client;
using vfsproto::test::kExpiry;
using vfsproto::test::kNow;
using vfsproto::test::text;
using What = LookupCache::Found::What;

namespace {

constexpr std::uint64_t kHere = 1;
constexpr std::uint64_t kThere = 2;

struct Names : vfsproto::test::CachedNames {
    explicit Names(std::size_t size, std::size_t chunk_count, NameCase name_case = NameCase::matters)
        : CachedNames({.names = size, .chunks = chunk_count}, name_case) {}
    explicit Names(std::size_t size = 16) : Names(size, size) {}

    bool put(std::uint64_t directory, std::string_view name, std::uint64_t nodeid, CacheTime expiry = kExpiry) {
        return cache.put({directory, text(name)}, {nodeid, nodeid + 1}, expiry, changes.now());
    }
    What what(std::uint64_t directory, std::string_view name, CacheTime now = kNow) {
        return cache.find({directory, text(name)}, now).what;
    }
    std::uint64_t nodeid(std::uint64_t directory, std::string_view name) {
        const LookupCache::Found found = cache.find({directory, text(name)}, kNow);
        if (found.what == What::node) CHECK(found.target.incarnation == found.target.nodeid + 1);
        return found.target.nodeid;
    }
};

} // namespace

TEST_CASE("a name leads to its file until it expires", "[caches]") {
    Names names;
    CHECK(names.what(kHere, "a") == What::nothing);
    CHECK(names.put(kHere, "a", 5));
    CHECK(names.nodeid(kHere, "a") == 5);
    CHECK(names.what(kHere, "b") == What::nothing);
    CHECK(names.what(kHere, "A") == What::nothing);
    CHECK(names.what(kThere, "a") == What::nothing);
    CHECK(names.what(kHere, "a", kExpiry - 1) == What::node);
    CHECK(names.what(kHere, "a", kExpiry) == What::nothing);
    CHECK(names.cache.size() == 0);
}

TEST_CASE("an absent name is absent until it expires", "[caches]") {
    Names names;
    CHECK(names.put(kHere, "a", 0));
    CHECK(names.what(kHere, "a") == What::absent);
    CHECK(names.what(kHere, "a", kExpiry) == What::nothing);
}

TEST_CASE("what may not be kept is not, and replaces what was kept", "[caches]") {
    Names names;
    CHECK(names.put(kHere, "a", 5));
    CHECK_FALSE(names.put(kHere, "a", 5, kNeverValid));
    CHECK(names.what(kHere, "a", 0) == What::nothing);
    CHECK(names.cache.size() == 0);
}

TEST_CASE("a later reply replaces an earlier one", "[caches]") {
    Names names;
    CHECK(names.put(kHere, "a", 0));
    CHECK(names.put(kHere, "a", 5));
    CHECK(names.nodeid(kHere, "a") == 5);
    CHECK(names.put(kHere, "a", 6, kExpiry + 1));
    CHECK(names.nodeid(kHere, "a") == 6);
    CHECK(names.what(kHere, "a", kExpiry) == What::node);
    CHECK(names.cache.size() == 1);
}

TEST_CASE("names of every length up to 255 bytes are told apart", "[caches]") {
    Names names(2 * 256, 2 * 256 * 10);
    for (std::size_t length = 1; length <= 255; ++length) {
        const std::string name(length, 'x');
        std::string other = name;
        other.back() = 'y';
        CHECK(names.put(kHere, name, 1000 + length));
        CHECK(names.put(kHere, other, 2000 + length));
    }
    for (std::size_t length = 1; length <= 255; ++length) {
        const std::string name(length, 'x');
        CHECK(names.nodeid(kHere, name) == 1000 + length);
    }
    CHECK_FALSE(names.put(kHere, std::string(256, 'x'), 5));
    CHECK_FALSE(names.put(kHere, "", 5));
    CHECK(names.what(kHere, std::string(256, 'x')) == What::nothing);
    CHECK(names.what(kHere, "") == What::nothing);
}

TEST_CASE("the least recently used name makes room, for entries and for bytes", "[caches]") {
    Names names(3);
    CHECK(names.put(kHere, "a", 5));
    CHECK(names.put(kHere, "b", 6));
    CHECK(names.put(kHere, "c", 7));
    CHECK(names.nodeid(kHere, "a") == 5); // "b" is the oldest now
    CHECK(names.put(kHere, "d", 8));
    CHECK(names.what(kHere, "b") == What::nothing);
    CHECK(names.cache.size() == 3);
    const std::string of_two_chunks(NameChunk::kBytes + 1, 'x');
    CHECK(names.put(kHere, of_two_chunks, 9)); // "c" and "a" go
    CHECK(names.nodeid(kHere, of_two_chunks) == 9);
    CHECK(names.nodeid(kHere, "d") == 8);
    CHECK(names.cache.size() == 2);
    CHECK_FALSE(names.put(kHere, std::string(3 * NameChunk::kBytes + 1, 'x'), 9)); // more than there is in all
    CHECK(names.cache.size() == 2);
}

TEST_CASE("a cache without storage keeps nothing", "[caches]") {
    ChangeCount changes;
    std::vector<CachedName> entries(4);
    std::vector<NameChunk> chunks(4);
    std::vector<std::uint32_t> buckets(4);
    using Storage = LookupCache::Storage;
    for (const Storage& storage :
         {Storage{}, Storage{entries, chunks, {}}, Storage{entries, {}, buckets}, Storage{{}, chunks, buckets}}) {
        LookupCache cache(changes, storage, NameCase::matters);
        CHECK_FALSE(cache.put({kHere, text("a")}, {5, 1}, kExpiry, changes.now()));
        CHECK(cache.find({kHere, text("a")}, kNow).what == What::nothing);
        cache.invalidate({kHere, text("a")});
        cache.invalidate_all();
        cache.invalidate_directory(kHere);
        CHECK(cache.size() == 0);
    }
}

TEST_CASE("a reply to a request sent before a name was invalidated is refused", "[caches]") {
    Names names;
    const auto before = names.changes.now();
    const auto late_reply = [&](std::uint64_t directory, std::string_view name) {
        return names.cache.put({directory, text(name)}, {5, 6}, kExpiry, before);
    };
    SECTION("of the name") {
        names.cache.invalidate({kHere, text("a")});
        CHECK(late_reply(kHere, "b"));
        CHECK(late_reply(kThere, "a"));
    }
    SECTION("with its directory") { names.cache.invalidate_directory(kHere); }
    SECTION("with all names") { names.cache.invalidate_all(); }
    CHECK_FALSE(late_reply(kHere, "a"));
    CHECK(names.what(kHere, "a") == What::nothing);
    CHECK(names.put(kHere, "a", 5)); // sent afterwards
    CHECK(names.nodeid(kHere, "a") == 5);
}

TEST_CASE("names are invalidated alone, by directory, or all", "[caches]") {
    Names names;
    for (const std::uint64_t directory : {kHere, kThere}) {
        CHECK(names.put(directory, "a", 5));
        CHECK(names.put(directory, "absent", 0));
        CHECK(names.put(directory, "b", 6));
    }
    names.cache.invalidate({kHere, text("a")});
    CHECK(names.what(kHere, "a") == What::nothing);
    CHECK(names.what(kHere, "b") == What::node);
    CHECK(names.what(kThere, "a") == What::node);
    names.cache.invalidate_directory(kHere);
    CHECK(names.what(kHere, "b") == What::nothing);
    CHECK(names.what(kHere, "absent") == What::nothing);
    CHECK(names.cache.size() == 3);
    names.cache.invalidate_all();
    CHECK(names.what(kThere, "a") == What::nothing);
    CHECK(names.what(kThere, "absent") == What::nothing);
    CHECK(names.cache.size() == 0);
}

TEST_CASE("where case does not matter, A to Z are a to z", "[caches]") {
    Names names(16, 16, NameCase::ascii_ignored);
    CHECK(names.put(kHere, "ReadMe[1].TXT", 5));
    CHECK(names.nodeid(kHere, "README[1].txt") == 5);
    CHECK(names.what(kHere, "README{1}.txt") == What::nothing);
    CHECK(names.put(kHere, "readme[1].txt", 6));
    CHECK(names.cache.size() == 1);
    names.cache.invalidate({kHere, text("README[1].TXT")});
    CHECK(names.what(kHere, "ReadMe[1].TXT") == What::nothing);
}

TEST_CASE("where case does not matter, names beyond ASCII are not kept, and a change of one drops the directory's",
          "[caches]") {
    const std::string kelvin = "\xe2\x84\xaa"; // U+212A, which folds to "k"
    Names names(16, 16, NameCase::ascii_ignored);
    CHECK_FALSE(names.put(kHere, kelvin, 5));
    CHECK(names.put(kHere, "k", 5));
    CHECK(names.put(kThere, "k", 5));
    const auto before = names.changes.now();
    names.cache.invalidate({kHere, text(kelvin)});
    CHECK(names.what(kHere, "k") == What::nothing);
    CHECK(names.what(kThere, "k") == What::node);
    CHECK_FALSE(names.cache.put({kHere, text("k")}, {5, 6}, kExpiry, before));

    Names exact;
    CHECK(exact.put(kHere, kelvin, 5));
    CHECK(exact.nodeid(kHere, kelvin) == 5);
}

TEST_CASE("a name does not lead to a node that was forgotten, nor to another file under its nodeid", "[caches]") {
    constexpr std::uint32_t kFile = 0100000;
    constexpr std::uint32_t kDirectory = 0040000;
    constexpr std::uint64_t kNodeid = 5;
    Names names;
    std::vector<Node*> buckets(4);
    NodeTable table(buckets);
    Node first;
    Node second;
    Node& node = table.count_lookup(kNodeid, 0, kFile, first);
    CHECK(names.cache.put({kHere, text("a")}, {kNodeid, node.incarnation}, kExpiry, names.changes.now()));
    const auto led_to = [&] {
        const LookupCache::Found found = names.cache.find({kHere, text("a")}, kNow);
        REQUIRE(found.what == What::node);
        return table.find(found.target.nodeid, found.target.incarnation);
    };
    CHECK(led_to() == &node);
    CHECK(&table.count_lookup(kNodeid, 0, kFile, second) == &node);
    CHECK(led_to() == &node);
    SECTION("forgotten, and its number used again") {
        CHECK(table.drop(node, Linked::no) == nullptr);
        CHECK(table.drop(node, Linked::no) == &node);
        CHECK(led_to() == nullptr);
        CHECK(&table.count_lookup(kNodeid, 0, kFile, second) == &second);
    }
    SECTION("another generation") { CHECK(&table.count_lookup(kNodeid, 1, kFile, second) == &node); }
    SECTION("another type") { CHECK(&table.count_lookup(kNodeid, 0, kDirectory, second) == &node); }
    CHECK(table.find(kNodeid) != nullptr);
    CHECK(led_to() == nullptr);
}

TEST_CASE("names that a server chooses to collide are bounded in what they cost", "[caches]") {
    // One bucket: as if every name had the same hash.
    constexpr std::size_t kNames = 1000;
    constexpr std::size_t kMostInBucket = 32;
    ChangeCount changes;
    std::vector<CachedName> entries(kNames);
    std::vector<NameChunk> chunks(kNames);
    std::vector<std::uint32_t> buckets(1);
    LookupCache cache(changes, {entries, chunks, buckets}, NameCase::matters);
    for (std::size_t i = 0; i < kNames; ++i) {
        CHECK(cache.put({kHere, text(std::to_string(i))}, {5, 1}, kExpiry, changes.now()));
        CHECK(cache.find({kHere, text(std::to_string(i))}, kNow).what == What::node);
    }
    CHECK(cache.size() == kMostInBucket);
}

namespace {

// Does what a LookupCache does, in a few lines.
class Model {
public:
    using Key = std::pair<std::uint64_t, std::string>;
    struct Known {
        std::uint64_t nodeid;
        CacheTime expiry;
    };

    Model(std::size_t entries, std::size_t chunks) : entries_(entries), chunks_(chunks) {}

    std::optional<Known> find(const Key& key, CacheTime now) {
        const auto at = known_.find(key);
        if (at == known_.end()) return std::nullopt;
        if (now >= at->second.expiry) {
            remove(key);
            return std::nullopt;
        }
        order_.remove(key);
        order_.push_back(key);
        return at->second;
    }
    void put(const Key& key, const Known& known) {
        remove(key);
        if (known.expiry == kNeverValid) return;
        while (known_.size() == entries_ || used_ + chunks_of(key) > chunks_) remove(Key(order_.front()));
        known_[key] = known;
        order_.push_back(key);
        used_ += chunks_of(key);
    }
    void remove(const Key& key) {
        if (known_.erase(key) == 0) return;
        order_.remove(key);
        used_ -= chunks_of(key);
    }
    void remove_directory(std::uint64_t directory) {
        for (const Key& key : std::list<Key>(order_)) {
            if (key.first == directory) remove(key);
        }
    }
    void remove_all() {
        known_.clear();
        order_.clear();
        used_ = 0;
    }
    [[nodiscard]] std::size_t size() const { return known_.size(); }

private:
    static std::size_t chunks_of(const Key& key) {
        return (key.second.size() + NameChunk::kBytes - 1) / NameChunk::kBytes;
    }

    std::size_t entries_;
    std::size_t chunks_;
    std::size_t used_ = 0;
    std::map<Key, Known> known_;
    std::list<Key> order_;
};

std::string lower(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return name;
}

// Returns a short name most of the time, so that names meet; now and then one of many chunks.
std::string random_name(std::mt19937& random) {
    const std::size_t length = random() % 20 == 0 ? 1 + random() % 80 : 1 + random() % 2;
    std::string name;
    for (std::size_t i = 0; i < length; ++i) name.push_back("abcAB"[random() % 5]);
    return name;
}

// What the cache says has to be what the model knows.
template <class Found, class Expected> void check_found(const Found& found, const Expected& expected) {
    REQUIRE((found.what != What::nothing) == expected.has_value());
    if (!expected) return;
    REQUIRE((found.what == What::absent) == (expected->nodeid == 0));
    REQUIRE(found.target.nodeid == expected->nodeid);
}

} // namespace

TEST_CASE("a hundred thousand random steps agree with a map that has expiries", "[caches]") {
    constexpr std::size_t kEntries = 40;
    constexpr std::size_t kChunks = 60;
    const NameCase name_case = GENERATE(NameCase::matters, NameCase::ascii_ignored);
    Names names(kEntries, kChunks, name_case);
    Model model(kEntries, kChunks);
    std::mt19937 random(20261129);
    CacheTime now = kNow;
    for (int step = 0; step < 100'000; ++step) {
        const std::uint64_t directory = random() % 3;
        const std::string name = random_name(random);
        const LookupCache::Place place{directory, text(name)};
        const Model::Key key{directory, name_case == NameCase::matters ? name : lower(name)};
        now += random() % 10;
        switch (random() % 16) {
        default: check_found(names.cache.find(place, now), model.find(key, now)); break;
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: {
            const std::uint64_t nodeid = random() % 4;
            const CacheTime expiry = random() % 8 == 0 ? kNeverValid : now + random() % 500;
            const bool kept = names.cache.put(place, {nodeid, nodeid}, expiry, names.changes.now());
            REQUIRE(kept == (expiry != kNeverValid));
            model.put(key, {nodeid, expiry});
            break;
        }
        case 5: {
            const auto before = names.changes.now();
            names.cache.invalidate(place);
            model.remove(key);
            REQUIRE_FALSE(names.cache.put(place, {5, 5}, now + 500, before));
            break;
        }
        case 6: {
            const bool last = names.cache.put_made(place, {9, 9}, now + 50, names.changes.now());
            REQUIRE(last);
            model.put(key, {9, now + 50});
            break;
        }
        case 7:
            if (random() % 20 != 0) break;
            names.cache.invalidate_directory(directory);
            model.remove_directory(directory);
            break;
        case 8:
            if (random() % 40 != 0) break;
            names.cache.invalidate_all();
            model.remove_all();
            break;
        }
        REQUIRE(names.cache.size() == model.size());
    }
}
