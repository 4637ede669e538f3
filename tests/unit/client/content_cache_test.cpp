// SPDX-License-Identifier: BSD-2-Clause
// ContentCache finds a content while its file is as it was when it was read, until later ones have taken its room.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/content_cache.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

using namespace vfsproto;
using namespace vfsproto::client;

namespace {

constexpr std::uint16_t kLink = 0120000;
constexpr std::uint16_t kDirectory = 0040000;
constexpr std::size_t kMostBytes = 800;
constexpr std::size_t kMostOfOne = 100;
constexpr ContentVersion kVersion{.size = 3, .mtime = 7, .ctime = 8, .mtimensec = 9, .ctimensec = 10};

// A directory and a link, of which contents may be kept.
struct Contents {
    Contents() {
        directory.type = kDirectory;
        directory.incarnation = 5;
        link.type = kLink;
        link.incarnation = 6;
        for (Content& each : content) each.bytes = kMostOfOne;
    }
    [[nodiscard]] ContentRead read_of(const CachedNode& node) const { return cache.begin_read(node, kVersion); }
    [[nodiscard]] static ContentKind kind_of(const CachedNode& node) {
        return node.type == kLink ? ContentKind::target : ContentKind::listing;
    }
    // Returns what the host would have to free.
    Content* put(CachedNode& node, Content& fresh) {
        fresh.kind = kind_of(node);
        return cache.put(node, fresh, read_of(node));
    }
    [[nodiscard]] Content* find(const CachedNode& node, const ContentVersion* now) {
        return cache.find(node, kind_of(node), now);
    }
    [[nodiscard]] bool knows(const CachedNode& node) { return find(node, &kVersion) != nullptr; }

    ChangeCount changes;
    AttributeCache attributes{changes};
    ContentCache cache{changes, attributes, kMostBytes};
    CachedNode directory;
    CachedNode link;
    std::array<Content, 12> content;
};

bool may_keep(std::string_view target, std::uint64_t size) {
    return may_keep_target({target.data(), target.size()}, size);
}

} // namespace

TEST_CASE("a content is found while the server says of its file what it said before it was read", "[caches]") {
    Contents c;
    CHECK_FALSE(c.knows(c.directory));
    CHECK(c.put(c.directory, c.content[0]) == nullptr);
    CHECK(c.find(c.directory, &kVersion) == &c.content[0]);
    CHECK(c.find(c.directory, nullptr) == nullptr); // nobody knows what it says
    for (int field = 0; field < 5; ++field) {
        INFO(field);
        ContentVersion other = kVersion;
        if (field == 0) ++other.size;
        if (field == 1) ++other.mtime;
        if (field == 2) ++other.ctime;
        if (field == 3) ++other.mtimensec;
        if (field == 4) ++other.ctimensec;
        CHECK(c.find(c.directory, &other) == nullptr);
    }
    CHECK(c.knows(c.directory));
}

TEST_CASE("the version of a file has what changes with its content", "[caches]") {
    abi::Attributes of{};
    of.size = 3;
    of.mtime = 7;
    of.ctime = 8;
    of.mtimensec = 9;
    of.ctimensec = 10;
    of.atime = 1000;
    CHECK(version_of(of) == kVersion);
}

TEST_CASE("what drops the attributes of a file makes its content void, and nothing else does", "[caches]") {
    Contents c;
    CHECK(c.put(c.directory, c.content[0]) == nullptr);
    CHECK(c.put(c.link, c.content[1]) == nullptr);
    SECTION("a change of the file") {
        c.attributes.invalidate(c.directory.attributes);
        CHECK_FALSE(c.knows(c.directory));
        CHECK(c.knows(c.link));
    }
    SECTION("a change of its content alone") {
        c.attributes.invalidate_content(c.directory.attributes);
        CHECK_FALSE(c.knows(c.directory));
    }
    SECTION("a change of everything") {
        c.attributes.invalidate_all();
        CHECK_FALSE(c.knows(c.directory));
        CHECK_FALSE(c.knows(c.link));
    }
    SECTION("another file under its nodeid") {
        c.directory.incarnation = 7;
        CHECK_FALSE(c.knows(c.directory));
    }
    SECTION("neither a reply nor an access") {
        CHECK(c.attributes.apply(c.directory.attributes, {{}, kAlwaysValid, c.changes.now()}));
        c.attributes.invalidate_atime(c.directory.attributes);
        c.attributes.invalidate_unknown();
        CHECK(c.knows(c.directory));
    }
}

TEST_CASE("what was read while its file was changed is not kept", "[caches]") {
    Contents c;
    const ContentRead read = c.read_of(c.directory);
    SECTION("by us or by others") { c.attributes.invalidate(c.directory.attributes); }
    SECTION("as anything may have been") { c.attributes.invalidate_all(); }
    SECTION("for another one") { c.directory.incarnation = 7; }
    CHECK(c.cache.put(c.directory, c.content[0], read) == &c.content[0]);
    CHECK(c.directory.content == nullptr);
    CHECK(c.put(c.directory, c.content[0]) == nullptr); // read again
    CHECK(c.knows(c.directory));
}

TEST_CASE("a later content takes the place of an earlier one, void or not", "[caches]") {
    Contents c;
    CHECK(c.put(c.directory, c.content[0]) == nullptr);
    CHECK(c.put(c.directory, c.content[1]) == &c.content[0]);
    CHECK(c.find(c.directory, &kVersion) == &c.content[1]);
    c.attributes.invalidate(c.directory.attributes);
    CHECK(c.put(c.directory, c.content[2]) == &c.content[1]);
    CHECK(c.find(c.directory, &kVersion) == &c.content[2]);
    CHECK(c.cache.bytes() == kMostOfOne);
}

TEST_CASE("the least recently used content makes room, and one alone takes an eighth of it at most", "[caches]") {
    Contents c;
    std::array<CachedNode, 9> nodes;
    CHECK(c.cache.most_bytes_of_one() == kMostOfOne);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(c.put(nodes[i], c.content[i]) == nullptr);
        CHECK(c.cache.evict() == nullptr);
    }
    CHECK(c.cache.bytes() == kMostBytes);
    CHECK(c.knows(nodes[0])); // that of the second is the oldest now
    CHECK(c.put(nodes[8], c.content[8]) == nullptr);
    CHECK(c.cache.evict() == &c.content[1]);
    CHECK(c.cache.evict() == nullptr);
    CHECK_FALSE(c.knows(nodes[1]));
    CHECK(c.knows(nodes[0]));
    CHECK(c.knows(nodes[8]));
    c.content[9].bytes = kMostOfOne + 1;
    CHECK(c.put(nodes[1], c.content[9]) == &c.content[9]);
    CHECK(c.cache.bytes() == kMostBytes);
}

TEST_CASE("a cache without room keeps nothing", "[caches]") {
    ChangeCount changes;
    AttributeCache attributes(changes);
    ContentCache cache(changes, attributes, 0);
    CachedNode node;
    Content content;
    content.bytes = 1;
    CHECK(cache.put(node, content, cache.begin_read(node, kVersion)) == &content);
    CHECK(cache.evict() == nullptr);
    CHECK(cache.take_out_any() == nullptr);
}

TEST_CASE("a content is taken out with its node, one after the other or all", "[caches]") {
    Contents c;
    CHECK(c.cache.take_out(c.directory) == nullptr);
    CHECK(c.put(c.directory, c.content[0]) == nullptr);
    CHECK(c.put(c.link, c.content[1]) == nullptr);
    CHECK(c.cache.take_out(c.directory) == &c.content[0]);
    CHECK(c.cache.take_out(c.directory) == nullptr);
    CHECK_FALSE(c.knows(c.directory));
    CHECK(c.put(c.directory, c.content[0]) == nullptr);
    CHECK(c.cache.take_out_any() == &c.content[1]);
    CHECK(c.cache.take_out_any() == &c.content[0]);
    CHECK(c.cache.take_out_any() == nullptr);
    CHECK(c.cache.bytes() == 0);
}

TEST_CASE("contents are counted by their kind", "[caches][counters]") {
    Contents c;
    CHECK(c.put(c.link, c.content[0]) == nullptr);
    CHECK(c.put(c.link, c.content[1]) == &c.content[0]);
    CHECK(c.knows(c.link));
    CHECK_FALSE(c.knows(c.directory));
    const ContentCounters& targets = c.cache.counters(ContentKind::target);
    CHECK(targets.hits == 0); // it is the host that knows if it had to ask
    for (int i = 0; i < 3; ++i) c.cache.count(ContentKind::target, Looked::hit);
    for (int i = 0; i < 2; ++i) c.cache.count(ContentKind::target, Looked::miss);
    CHECK(targets.hits == 3);
    CHECK(targets.misses == 2);
    CHECK(targets.kept == 2);
    CHECK(targets.evicted == 0);
    CHECK(targets.held == 1);
    CHECK(c.cache.counters(ContentKind::listing).misses == 0);
    CHECK(c.put(c.directory, c.content[2]) == nullptr);
    CHECK(c.cache.counters(ContentKind::listing).held == 1);
    c.link.type = kDirectory; // another file: what is taken out is still a target
    CHECK(c.cache.take_out(c.link) == &c.content[1]);
    CHECK(targets.held == 0);
    CHECK(c.cache.counters(ContentKind::listing).held == 1);
}

TEST_CASE("what was kept of a node as a link is no listing of it, and the other way round", "[caches][hostile]") {
    Contents c;
    CHECK(c.put(c.link, c.content[0]) == nullptr);
    CHECK(c.put(c.directory, c.content[1]) == nullptr);
    CHECK(c.cache.find(c.link, ContentKind::listing, &kVersion) == nullptr);
    CHECK(c.cache.find(c.directory, ContentKind::target, &kVersion) == nullptr);
    c.link.type = kDirectory;
    c.directory.type = kLink;
    CHECK_FALSE(c.knows(c.link));
    CHECK_FALSE(c.knows(c.directory));
    CHECK(c.cache.find(c.link, ContentKind::target, &kVersion) == &c.content[0]);
}

TEST_CASE("a target that no link of the size can have is not kept", "[caches]") {
    constexpr std::size_t kLongest = 4095;
    CHECK(may_keep("target", 6));
    CHECK(may_keep(std::string(kLongest, 'x'), kLongest));
    CHECK_FALSE(may_keep(std::string(kLongest + 1, 'x'), kLongest + 1));
    CHECK_FALSE(may_keep("", 0));
    CHECK_FALSE(may_keep("target", 0)); // a link that is made up when it is read
    CHECK_FALSE(may_keep("target", 5));
    CHECK_FALSE(may_keep("target", 7));
    CHECK_FALSE(may_keep(std::string_view("tar\0et", 6), 6));
    CHECK_FALSE(may_keep(std::string_view("targe\0", 6), 6));
}
