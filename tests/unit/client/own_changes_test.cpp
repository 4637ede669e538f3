// SPDX-License-Identifier: BSD-2-Clause
// The caches forget, and learn, the right things when this client changes names itself.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/own_changes.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::client;
using What = LookupCache::Found::What;

namespace {

constexpr CacheTime kNow = 1000;
constexpr CacheTime kExpiry = 2000;
constexpr std::uint32_t kFile = 0100000;
constexpr std::uint32_t kDirectory = 0040000;

// Two directories and the files 10 to 13, with valid attributes, and the name "old" that leads to 10.
struct Caches {
    Caches() {
        for (CachedNode* node : {&here, &there, &file, &other}) {
            const bool is_directory = node == &here || node == &there;
            CHECK(&table.count_lookup(next_nodeid++, 0, is_directory ? kDirectory : kFile, *node) == node);
            cache.note_counted(*node);
            learn(*node);
        }
        CHECK(names.put({here.incarnation, text("old")}, target(file), kExpiry, changes.now()));
    }

    static LookupCache::Name text(std::string_view name) { return {name.data(), name.size()}; }
    static LookupCache::Target target(const CachedNode& node) { return {node.nodeid(), node.incarnation}; }
    void learn(CachedNode& node) { CHECK(cache.apply(node.attributes, {{}, kExpiry, changes.now()})); }
    OwnChanges::Entry entry(ChangeCount::Moment before) { return {{attributes, kExpiry, before}, kExpiry}; }
    LookupCache::Found find(const CachedNode& directory, std::string_view name) {
        return names.find({directory.incarnation, text(name)}, kNow);
    }
    What what(const CachedNode& directory, std::string_view name) { return find(directory, name).what; }

    ChangeCount changes;
    std::array<CachedName, 16> entries;
    std::array<NameChunk, 16> chunks;
    std::array<std::uint32_t, 16> name_buckets;
    LookupCache names{changes, {entries, chunks, name_buckets}, NameCase::matters};
    AttributeCache cache{changes};
    OwnChanges own{names, cache};
    std::vector<Node*> buckets = std::vector<Node*>(8);
    NodeTable table{buckets};
    std::uint64_t next_nodeid = 8;
    CachedNode here;
    CachedNode there;
    CachedNode file;
    CachedNode other;
    abi::Attributes attributes{};
};

} // namespace

TEST_CASE("a new name is known from the reply, and its directory's attributes are not", "[caches]") {
    Caches c;
    CHECK(c.names.put({c.here.incarnation, Caches::text("new")}, {0, 0}, kExpiry, c.changes.now()));
    CHECK(c.what(c.here, "new") == What::absent);
    const auto before = c.changes.now();
    c.attributes.nlink = 2;
    c.own.made({c.here, Caches::text("new")}, c.other, c.entry(before));
    const auto found = c.find(c.here, "new");
    CHECK(found.what == What::node);
    CHECK(found.target.nodeid == c.other.nodeid());
    CHECK(found.target.incarnation == c.other.incarnation);
    CHECK(c.other.attributes.value.nlink == 2);
    CHECK(c.other.attributes.is_valid(kNow));
    CHECK_FALSE(c.here.attributes.is_valid(kNow));
    CHECK(c.there.attributes.is_valid(kNow));
    CHECK(c.what(c.here, "old") == What::node);
}

TEST_CASE("a reply of before a name was made does not make it absent again", "[caches]") {
    Caches c;
    const auto before = c.changes.now();
    c.own.made({c.here, Caches::text("new")}, c.other, c.entry(before));
    CHECK_FALSE(c.names.put({c.here.incarnation, Caches::text("new")}, {0, 0}, kExpiry, before));
    CHECK(c.what(c.here, "new") == What::node);
}

TEST_CASE("a name made and removed at once is not known", "[caches]") {
    Caches c;
    const auto before_making = c.changes.now();
    c.own.removed({c.here, Caches::text("new")}, &c.other);
    c.own.made({c.here, Caches::text("new")}, c.other, c.entry(before_making));
    CHECK(c.what(c.here, "new") == What::nothing);
    CHECK_FALSE(c.other.attributes.is_valid(kNow));
}

TEST_CASE("a removed name is gone, with the attributes of its directory and of its file", "[caches]") {
    Caches c;
    const auto before = c.changes.now();
    c.own.removed({c.here, Caches::text("old")}, &c.file);
    CHECK(c.what(c.here, "old") == What::nothing);
    CHECK_FALSE(c.here.attributes.is_valid(kNow));
    CHECK_FALSE(c.file.attributes.is_valid(kNow));
    CHECK(c.other.attributes.is_valid(kNow));
    CHECK(c.there.attributes.is_valid(kNow));
    // A LOOKUP that was answered before does not bring it back.
    CHECK_FALSE(c.names.put({c.here.incarnation, Caches::text("old")}, Caches::target(c.file), kExpiry, before));
    CHECK(c.what(c.here, "old") == What::nothing);
}

TEST_CASE("a rename drops both names, and the attributes of both directories and both files", "[caches]") {
    Caches c;
    CHECK(c.names.put({c.there.incarnation, Caches::text("to")}, Caches::target(c.other), kExpiry, c.changes.now()));
    CHECK(c.names.put({c.there.incarnation, Caches::text("old")}, Caches::target(c.other), kExpiry, c.changes.now()));
    const auto before = c.changes.now();
    c.own.renamed({c.here, Caches::text("old")}, {c.there, Caches::text("to")}, &c.file, &c.other);
    CHECK(c.what(c.here, "old") == What::nothing);
    CHECK(c.what(c.there, "to") == What::nothing);
    CHECK(c.what(c.there, "old") == What::node); // a name of another directory
    for (const CachedNode* node : {&c.here, &c.there, &c.file, &c.other}) CHECK_FALSE(node->attributes.is_valid(kNow));
    CHECK_FALSE(c.names.put({c.here.incarnation, Caches::text("old")}, Caches::target(c.file), kExpiry, before));
    CHECK_FALSE(c.names.put({c.there.incarnation, Caches::text("to")}, Caches::target(c.other), kExpiry, before));
}

TEST_CASE("what is in a directory is known by the same names after the directory was renamed", "[caches]") {
    Caches c;
    CHECK(c.names.put({c.there.incarnation, Caches::text("x")}, Caches::target(c.other), kExpiry, c.changes.now()));
    c.own.renamed({c.here, Caches::text("there")}, {c.here, Caches::text("moved")}, &c.there, nullptr);
    CHECK(c.what(c.there, "x") == What::node);
}

TEST_CASE("a change that is refused makes its name doubtful, one that may have been made its directory and file too",
          "[caches]") {
    using abi::Errno;
    struct Case {
        Verdict why;
        bool may_be_done;
    };
    const Case at = GENERATE(Case{{Errc::ok, Errno::eexist}, false}, Case{{Errc::ok, Errno::enoent}, false},
                             Case{{Errc::ok, Errno::eintr}, true}, Case{{Errc::ok, Errno::emfile}, true},
                             Case{{Errc::ok, Errno::enfile}, true}, Case{{Errc::transport_failed, Errno::none}, true});
    Caches c;
    const auto before = c.changes.now();
    c.own.failed({c.here, Caches::text("old")}, at.why, &c.file);
    CHECK(c.file.attributes.is_valid(kNow) == !at.may_be_done);
    CHECK(c.what(c.here, "old") == What::nothing);
    CHECK(c.here.attributes.is_valid(kNow) == !at.may_be_done);
    CHECK_FALSE(c.names.put({c.here.incarnation, Caches::text("old")}, Caches::target(c.file), kExpiry, before));
}

TEST_CASE("a change makes the contents void of the directories and files that it was made to", "[caches]") {
    Caches c;
    const auto before = c.changes.now();
    const auto is_void = [&](const CachedNode& node) { return c.cache.was_dropped_since(node.attributes, before); };
    SECTION("a new name") {
        c.own.made({c.here, Caches::text("new")}, c.other, c.entry(before));
        CHECK(is_void(c.here));
        CHECK_FALSE(is_void(c.there));
    }
    SECTION("a removal") {
        c.own.removed({c.here, Caches::text("old")}, &c.file);
        CHECK(is_void(c.here));
        CHECK(is_void(c.file));
        CHECK_FALSE(is_void(c.there));
    }
    SECTION("a rename of a directory, whose \"..\" is another one then") {
        c.own.renamed({c.here, Caches::text("old")}, {c.there, Caches::text("to")}, &c.file, &c.other);
        for (const CachedNode* node : {&c.here, &c.there, &c.file, &c.other}) CHECK(is_void(*node));
    }
    SECTION("one of which nobody knows if it was made") {
        c.own.failed({c.here, Caches::text("old")}, {Errc::transport_failed, abi::Errno::none}, &c.file);
        CHECK(is_void(c.here));
        CHECK(is_void(c.file));
    }
}

TEST_CASE("a change refused because names are not as they were thought to be makes contents void", "[caches]") {
    using abi::Errno;
    struct Case {
        Errno why;
        bool is_news;
    };
    const Case at = GENERATE(Case{Errno::eexist, true}, Case{Errno::enoent, true}, Case{Errno::enotempty, true},
                             Case{Errno::eisdir, true}, Case{Errno::enotdir, true}, Case{Errno::estale, true},
                             Case{Errno::eacces, false}, Case{Errno::enospc, false});
    Caches c;
    const auto before = c.changes.now();
    c.own.failed({c.here, Caches::text("old")}, {Errc::ok, at.why}, &c.file);
    CHECK(c.cache.was_dropped_since(c.here.attributes, before) == at.is_news);
    CHECK(c.cache.was_dropped_since(c.file.attributes, before) == at.is_news);
    CHECK_FALSE(c.cache.was_dropped_since(c.there.attributes, before));
    CHECK(c.here.attributes.is_valid(kNow));
    CHECK(c.file.attributes.is_valid(kNow));
    c.own.failed({c.here, Caches::text("old")}, {Errc::ok, at.why}, nullptr);
}
