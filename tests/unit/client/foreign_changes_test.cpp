// SPDX-License-Identifier: BSD-2-Clause
// A server that tells of changes by others has what is kept of them dropped, and nothing else. No reply to a request that was
// sent before brings it back.
#include "support/catch.hpp"
#include "support/notification.hpp"
#include "vfsproto/fuse/client/foreign_changes.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::client;
using test::NotificationBytes;

namespace {

constexpr CacheTime kNow = 10;
constexpr CacheTime kExpiry = 1'000'000;
constexpr std::uint64_t kRoot = 1;
constexpr std::uint64_t kDirectory = 7;
constexpr std::uint64_t kFile = 8;
constexpr std::uint64_t kUnknown = 99;

// The root has the directory "dir", which has the file "file"; a lookup of each is known.
class Fixture {
public:
    Fixture() {
        root.forget.nodeid = kRoot;
        CachedNode& directory = node(kDirectory);
        learn(root, "dir", directory);
        learn(directory, "file", node(kFile));
        for (CachedNode* of : {&root, &directory, &node(kFile)}) {
            attributes.apply(of->attributes, {{}, kExpiry, changes.now()});
        }
    }

    [[nodiscard]] CachedNode& node(std::uint64_t nodeid) {
        if (Node* const known = table.find(nodeid)) return static_cast<CachedNode&>(*known);
        auto& fresh = nodes.emplace_back(std::make_unique<CachedNode>());
        auto& counted = static_cast<CachedNode&>(table.count_lookup(nodeid, 0, 0100000, *fresh));
        attributes.note_counted(counted);
        return counted;
    }
    void learn(const CachedNode& directory, std::string_view name, const CachedNode& target) {
        names.put({directory.incarnation, name}, {target.nodeid(), target.incarnation}, kExpiry, changes.now());
    }
    [[nodiscard]] bool knows(const CachedNode& directory, std::string_view name) {
        return names.find({directory.incarnation, name}, kNow).what != LookupCache::Found::What::nothing;
    }
    [[nodiscard]] bool knows(const CachedNode& of) const { return attributes.is_valid(of.attributes, kNow); }
    // True if everything that the fixture put there is still there.
    [[nodiscard]] bool knows_all() {
        return knows(root, "dir") && knows(node(kDirectory), "file") && knows(root) && knows(node(kDirectory)) &&
               knows(node(kFile));
    }
    Heard apply(const NotificationBytes& message) {
        const auto told = wire::decode_notification(message);
        REQUIRE(told);
        return foreign.apply(*told);
    }

    ChangeCount changes;
    std::vector<CachedName> entries = std::vector<CachedName>(64);
    std::vector<NameChunk> chunks = std::vector<NameChunk>(64);
    std::vector<std::uint32_t> buckets = std::vector<std::uint32_t>(64);
    std::vector<Node*> node_buckets = std::vector<Node*>(16);
    std::vector<std::unique_ptr<CachedNode>> nodes;
    NodeTable table{node_buckets};
    CachedNode root;
    LookupCache names{changes, {entries, chunks, buckets}, NameCase::matters};
    AttributeCache attributes{changes};
    ForeignChanges foreign{table, root, names, attributes};
};

} // namespace

TEST_CASE("INVAL_INODE drops the attributes of that file alone", "[notifications]") {
    Fixture f;
    CHECK(f.knows_all());
    CHECK(f.apply(test::inval_inode(kFile)) == Heard::applied);
    CHECK_FALSE(f.knows(f.node(kFile)));
    CHECK(f.knows(f.node(kDirectory)));
    CHECK(f.knows(f.node(kDirectory), "file"));
    CHECK(f.apply(test::inval_inode(kRoot)) == Heard::applied);
    CHECK_FALSE(f.knows(f.root));
}

TEST_CASE("INVAL_ENTRY and DELETE drop the name, and the attributes that went with it", "[notifications]") {
    const bool deletes = GENERATE(false, true);
    Fixture f;
    CHECK(f.apply(deletes ? test::deletion(kDirectory, kFile, "file") : test::inval_entry(kDirectory, "file")) ==
          Heard::applied);
    CHECK_FALSE(f.knows(f.node(kDirectory), "file"));
    CHECK_FALSE(f.knows(f.node(kDirectory)));
    CHECK(f.knows(f.node(kFile)) == !deletes);
    CHECK(f.knows(f.root, "dir"));
    CHECK(f.apply(test::inval_entry(kRoot, "dir")) == Heard::applied);
    CHECK_FALSE(f.knows(f.root, "dir"));
}

TEST_CASE("INC_EPOCH drops everything", "[notifications]") {
    Fixture f;
    CHECK(f.apply(test::inc_epoch()) == Heard::applied);
    CHECK_FALSE(f.knows(f.root, "dir"));
    CHECK_FALSE(f.knows(f.node(kDirectory), "file"));
    for (const CachedNode* of : {&f.root, &f.node(kDirectory), &f.node(kFile)}) CHECK_FALSE(f.knows(*of));
    // A later answer is kept.
    f.learn(f.root, "dir", f.node(kDirectory));
    CHECK(f.attributes.apply(f.root.attributes, {{}, kExpiry, f.changes.now()}));
    CHECK(f.knows(f.root, "dir"));
    CHECK(f.knows(f.root));
}

TEST_CASE("a notification makes contents void of the files it is about, and of no other", "[notifications]") {
    Fixture f;
    const ChangeCount::Moment before = f.changes.now();
    struct Dropped {
        bool root = false;
        bool directory = false;
        bool file = false;
    };
    const auto check = [&](const NotificationBytes& message, const Dropped& dropped) {
        CHECK(f.apply(message) == Heard::applied);
        CHECK(f.attributes.was_dropped_since(f.root.attributes, before) == dropped.root);
        CHECK(f.attributes.was_dropped_since(f.node(kDirectory).attributes, before) == dropped.directory);
        CHECK(f.attributes.was_dropped_since(f.node(kFile).attributes, before) == dropped.file);
    };
    SECTION("INVAL_INODE") { check(test::inval_inode(kDirectory), {.directory = true}); }
    SECTION("INVAL_ENTRY") { check(test::inval_entry(kDirectory, "new"), {.directory = true}); }
    SECTION("INVAL_ENTRY in the root") { check(test::inval_entry(kRoot, "dir"), {.root = true}); }
    SECTION("DELETE") { check(test::deletion(kDirectory, kFile, "file"), {.directory = true, .file = true}); }
    SECTION("INC_EPOCH") { check(test::inc_epoch(), {.root = true, .directory = true, .file = true}); }
}

TEST_CASE("a reply to a request sent before the notification is not taken", "[notifications]") {
    Fixture f;
    const ChangeCount::Moment before = f.changes.now();
    SECTION("of a file") {
        f.apply(test::inval_inode(kFile));
        CHECK_FALSE(f.attributes.apply(f.node(kFile).attributes, {{}, kExpiry, before}));
        CHECK(f.attributes.apply(f.node(kDirectory).attributes, {{}, kExpiry, before}));
    }
    SECTION("of a name") {
        f.apply(test::inval_entry(kRoot, "new"));
        CHECK_FALSE(f.names.put({f.root.incarnation, std::string_view("new")}, {0, 0}, kExpiry, before));
    }
    SECTION("of anything") {
        f.apply(test::inc_epoch());
        CHECK_FALSE(f.attributes.apply(f.node(kFile).attributes, {{}, kExpiry, before}));
        CHECK_FALSE(f.names.put({f.root.incarnation, std::string_view("new")}, {0, 0}, kExpiry, before));
        f.attributes.apply_changed(f.root.attributes, {{}, kExpiry, before});
        CHECK_FALSE(f.knows(f.root));
    }
    SECTION("of a file that was not known then") {
        CHECK(f.apply(test::inval_inode(kUnknown)) == Heard::unknown_node);
        CachedNode& late = f.node(kUnknown);
        f.attributes.apply(late.attributes, {{}, kExpiry, before});
        CHECK_FALSE(f.knows(late));
    }
}

TEST_CASE("nodes that nobody knows, and nodeid 0, change nothing that is kept", "[notifications][hostile]") {
    Fixture f;
    for (const std::uint64_t nodeid : {std::uint64_t{0}, kUnknown, UINT64_MAX}) {
        CAPTURE(nodeid);
        CHECK(f.apply(test::inval_inode(nodeid)) == Heard::unknown_node);
        CHECK(f.apply(test::inval_entry(nodeid, "dir")) == Heard::unknown_node);
        CHECK(f.apply(test::deletion(nodeid, nodeid, "dir")) == Heard::unknown_node);
    }
    CHECK(f.knows_all());
}

TEST_CASE("what is not about names and attributes is left to the host", "[notifications]") {
    Fixture f;
    CHECK(f.apply(test::prune({kFile, kUnknown})) == Heard::not_cached);
    CHECK(f.apply(test::retrieve(5, kFile)) == Heard::not_cached);
    CHECK(f.apply(test::notification(wire::NotifyCode::poll, wire::NotifyPollWakeupOut{1})) == Heard::not_cached);
    CHECK(f.apply(test::notification(wire::NotifyCode::resend, wire::None{})) == Heard::not_cached);
    CHECK(f.knows_all());
}
