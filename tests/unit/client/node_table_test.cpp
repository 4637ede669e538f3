// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "vfsproto/fuse/client/node_table.hpp"

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <vector>

using namespace vfsproto::client;

namespace {

constexpr std::uint32_t kFile = 0100000;
constexpr std::uint32_t kDirectory = 0040000;

struct Table {
    explicit Table(std::size_t size = 8) : buckets(size, nullptr), table(buckets) {}

    // A lookup of this node, with a node of the host's ready.
    Node& look_up(std::uint64_t nodeid) {
        if (!fresh) fresh = std::make_unique<Node>();
        Node& node = table.count_lookup(nodeid, 0, kFile, *fresh);
        if (&node == fresh.get()) owned.push_back(std::move(fresh));
        return node;
    }

    std::vector<Node*> buckets;
    NodeTable table;
    std::unique_ptr<Node> fresh;
    std::vector<std::unique_ptr<Node>> owned;
};

// A table beside a model of it, and what the server counts. Each step is taken by both, and compared.
struct ModelledTable {
    static constexpr std::size_t kBuckets = 64;
    static constexpr std::uint64_t kNodes = 100; // nodeids 2 to 101
    static constexpr std::size_t kStorage = 400;
    static constexpr std::size_t kMostKept = 30; // idle nodes that an eviction may leave

    struct Expected {
        Node* node = nullptr;
        std::uint64_t nlookup = 0;
        std::uint32_t uses = 0;
    };

    ModelledTable() : buckets(kBuckets, nullptr), table(buckets), storage(kStorage) {
        for (Node& node : storage) free.push_back(&node);
    }

    void look_up() {
        const std::uint64_t nodeid = 2 + random() % kNodes;
        const bool known = model.count(nodeid) != 0;
        Node* fresh = free.back();
        Node& node = table.count_lookup(nodeid, 0, kFile, *fresh);
        Expected& expected = model[nodeid];
        REQUIRE((&node == fresh) == !known);
        if (!known) {
            free.pop_back();
            expected.node = &node;
        }
        if (known && expected.uses == 0) idle.remove(nodeid);
        ++expected.nlookup;
        ++expected.uses;
        ++server[nodeid];
        REQUIRE(&node == expected.node);
    }
    void use() {
        if (model.empty()) return;
        auto& [nodeid, expected] = *std::next(model.begin(), static_cast<long>(random() % model.size()));
        if (expected.uses == 0) idle.remove(nodeid);
        ++expected.uses;
        table.use(*expected.node);
    }
    void drop() {
        constexpr unsigned kOneInUnlinked = 5;
        Expected* expected = random_used();
        if (expected == nullptr) return;
        const std::uint64_t nodeid = expected->node->nodeid();
        const Linked linked = random() % kOneInUnlinked == 0 ? Linked::no : Linked::yes;
        Node* out = table.drop(*expected->node, linked);
        if (--expected->uses != 0) {
            REQUIRE(out == nullptr);
        } else if (linked == Linked::no) {
            give_back(out, nodeid);
        } else {
            REQUIRE(out == nullptr);
            idle.push_back(nodeid);
        }
    }
    void evict() {
        const std::size_t keep = random() % kMostKept;
        Node* out = table.evict(keep);
        if (idle.size() <= keep) {
            REQUIRE(out == nullptr);
            return;
        }
        const std::uint64_t oldest = idle.front();
        idle.pop_front();
        give_back(out, oldest);
    }
    void drop_all() {
        while (Expected* expected = random_used()) {
            const std::uint64_t nodeid = expected->node->nodeid();
            for (; expected->uses > 1; --expected->uses) {
                REQUIRE(table.drop(*expected->node, Linked::no) == nullptr);
            }
            --expected->uses;
            give_back(table.drop(*expected->node, Linked::no), nodeid);
        }
        for (const std::uint64_t nodeid : idle) give_back(table.evict(0), nodeid);
    }
    void check_every_node() {
        for (const auto& [nodeid, expected] : model) {
            REQUIRE(table.find(nodeid) == expected.node);
            REQUIRE(expected.node->forget.nlookup == expected.nlookup);
            REQUIRE(expected.node->uses == expected.uses);
        }
    }

    std::mt19937 random{20240611};
    std::vector<Node*> buckets;
    NodeTable table;
    std::deque<Node> storage;
    std::vector<Node*> free;
    std::map<std::uint64_t, Expected> model;
    std::list<std::uint64_t> idle; // least recently used first
    std::map<std::uint64_t, std::int64_t> server;

private:
    void give_back(Node* node, std::uint64_t expected) {
        REQUIRE(node != nullptr);
        REQUIRE(node->nodeid() == expected);
        REQUIRE(node->forget.nlookup == model[expected].nlookup);
        server[expected] -= static_cast<std::int64_t>(node->forget.nlookup);
        REQUIRE(server[expected] == 0);
        model.erase(expected);
        free.push_back(node);
    }
    // Returns a node in use, nullptr if there is none.
    Expected* random_used() {
        std::vector<Expected*> used;
        for (auto& [nodeid, expected] : model) {
            if (expected.uses != 0) used.push_back(&expected);
        }
        return used.empty() ? nullptr : used[random() % used.size()];
    }
};

} // namespace

TEST_CASE("a lookup takes the fresh node once, and counts the one that is there from then on", "[nodes]") {
    Table t;
    Node first;
    Node second;
    Node& a = t.table.count_lookup(5, 7, kFile, first);
    CHECK(&a == &first);
    CHECK(a.nodeid() == 5);
    CHECK(a.generation == 7);
    CHECK(a.type == kFile);
    CHECK(a.forget.nlookup == 1);
    CHECK(a.uses == 1);
    Node& b = t.table.count_lookup(5, 7, kFile, second);
    CHECK(&b == &first);
    CHECK(a.forget.nlookup == 2);
    CHECK(a.uses == 2);
    CHECK(a.incarnation == 1);
    CHECK(second.forget.nlookup == 0);
    CHECK(t.table.size() == 1);
    CHECK(t.table.find(5) == &first);
    CHECK(t.table.find(6) == nullptr);
}

TEST_CASE("a fresh node may be one that was used before: nothing of its past remains", "[nodes]") {
    Table t;
    Node node;
    node.forget = {99, 42, nullptr};
    node.uses = 17;
    node.generation = 3;
    Node& taken = t.table.count_lookup(5, 1, kDirectory, node);
    CHECK(taken.nodeid() == 5);
    CHECK(taken.forget.nlookup == 1);
    CHECK(taken.uses == 1);
    CHECK(taken.generation == 1);
}

TEST_CASE("another generation or type under the same number inherits the count, and is another incarnation",
          "[nodes]") {
    Table t;
    Node first;
    Node second;
    Node& node = t.table.count_lookup(5, 1, kFile, first);
    const std::uint64_t incarnation = node.incarnation;
    CHECK(t.table.find(5, incarnation) == &node);
    CHECK(&t.table.count_lookup(5, 2, kDirectory, second) == &node);
    CHECK(node.generation == 2);
    CHECK(node.type == kDirectory);
    CHECK(node.forget.nlookup == 2);
    CHECK(node.incarnation != incarnation);
    CHECK(t.table.find(5, incarnation) == nullptr);
    CHECK(t.table.find(5, node.incarnation) == &node);
    CHECK(t.table.find(6, node.incarnation) == nullptr);
}

TEST_CASE("a node that is linked stays idle until it is evicted; an unlinked one is given back at once", "[nodes]") {
    Table t;
    Node& linked = t.look_up(5);
    CHECK(t.table.drop(linked, Linked::yes) == nullptr);
    CHECK(t.table.idle() == 1);
    CHECK(t.table.find(5) == &linked);
    Node& unlinked = t.look_up(6);
    t.look_up(6);
    CHECK(t.table.drop(unlinked, Linked::no) == nullptr); // still used
    CHECK(t.table.drop(unlinked, Linked::no) == &unlinked);
    CHECK(unlinked.forget.nlookup == 2);
    CHECK(t.table.find(6) == nullptr);
    CHECK(t.table.size() == 1);
    CHECK(t.table.idle() == 1);
}

TEST_CASE("eviction takes the node idle for longest first, and stops at what is to be kept", "[nodes]") {
    Table t;
    for (const std::uint64_t nodeid : {2u, 3u, 4u, 5u}) t.look_up(nodeid);
    for (const std::uint64_t nodeid : {4u, 2u, 5u, 3u})
        CHECK(t.table.drop(*t.table.find(nodeid), Linked::yes) == nullptr);
    // Used again: the youngest of the idle afterwards.
    t.table.use(*t.table.find(4));
    CHECK(t.table.idle() == 3);
    CHECK(t.table.drop(*t.table.find(4), Linked::yes) == nullptr);
    CHECK(t.table.evict(4) == nullptr);
    std::vector<std::uint64_t> order;
    while (const Node* node = t.table.evict(1)) order.push_back(node->nodeid());
    CHECK(order == std::vector<std::uint64_t>{2, 5, 3});
    CHECK(t.table.idle() == 1);
    CHECK(t.table.find(4) != nullptr);
    REQUIRE(t.table.evict(0) != nullptr);
    CHECK(t.table.size() == 0);
    CHECK(t.table.evict(0) == nullptr);
}

TEST_CASE("a node in use is never evicted, and a lookup saves an idle one", "[nodes]") {
    Table t;
    Node& used = t.look_up(2);
    Node& idle = t.look_up(3);
    CHECK(t.table.drop(idle, Linked::yes) == nullptr);
    t.look_up(3);
    CHECK(t.table.idle() == 0);
    CHECK(t.table.evict(0) == nullptr);
    CHECK(used.uses == 1);
    CHECK(idle.uses == 1);
    CHECK(idle.forget.nlookup == 2);
}

TEST_CASE("a node looked up again while it is on its way to be forgotten starts a new count", "[nodes]") {
    Table t;
    Node& old = t.look_up(2);
    CHECK(t.table.drop(old, Linked::yes) == nullptr);
    REQUIRE(t.table.evict(0) == &old);
    Node& fresh = t.look_up(2);
    CHECK(&fresh != &old);
    CHECK(fresh.forget.nlookup == 1);
    CHECK(old.forget.nlookup == 1);
}

TEST_CASE("node numbers that collide in one bucket are told apart", "[nodes]") {
    for (const std::size_t buckets : {std::size_t{1}, std::size_t{2}, std::size_t{64}}) {
        Table t(buckets);
        for (std::uint64_t i = 0; i < 300; ++i) t.look_up(2 + i * 0x100000000u);
        CHECK(t.table.size() == 300);
        for (std::uint64_t i = 0; i < 300; ++i) {
            REQUIRE(t.table.find(2 + i * 0x100000000u) != nullptr);
            CHECK(t.table.find(2 + i * 0x100000000u)->nodeid() == 2 + i * 0x100000000u);
        }
        // Out of the middle, the front and the back of the chains.
        for (std::uint64_t i = 0; i < 300; i += 3) {
            CHECK(t.table.drop(*t.table.find(2 + i * 0x100000000u), Linked::no) != nullptr);
        }
        CHECK(t.table.size() == 200);
        for (std::uint64_t i = 0; i < 300; ++i) {
            CHECK((t.table.find(2 + i * 0x100000000u) != nullptr) == (i % 3 != 0));
        }
    }
}

TEST_CASE("a hundred thousand random steps agree with a model, and the server's counts never go below zero",
          "[nodes]") {
    constexpr int kSteps = 100'000;
    constexpr int kBetweenLooks = 1000; // steps from one look at every node to the next
    constexpr unsigned kChances = 8;    // 3 look up, 1 uses, 3 drop, 1 evicts
    ModelledTable t;
    for (int step = 0; step < kSteps; ++step) {
        const auto chance = t.random() % kChances;
        if (chance < 3) {
            t.look_up();
        } else if (chance == 3) {
            t.use();
        } else if (chance < 7) {
            t.drop();
        } else {
            t.evict();
        }
        REQUIRE(t.table.size() == t.model.size());
        REQUIRE(t.table.idle() == t.idle.size());
        if (step % kBetweenLooks == 0) t.check_every_node();
    }
    t.drop_all();
    CHECK(t.table.size() == 0);
    for (const auto& [nodeid, count] : t.server) CHECK(count == 0);
}

TEST_CASE("moving to other buckets keeps every node, its counts, and the order of the idle ones", "[nodes]") {
    constexpr std::size_t kNodes = 100;
    std::vector<Node*> first(8);
    std::vector<Node*> second(64);
    std::deque<Node> nodes;
    NodeTable table(first);
    for (std::size_t i = 0; i < kNodes; ++i) {
        Node& node = table.count_lookup(2 + i, i, kFile, nodes.emplace_back());
        if (i % 2 == 0) CHECK(table.drop(node, Linked::yes) == nullptr);
    }
    CHECK(table.is_crowded());
    CHECK(table.rehash(second).data() == first.data());
    for (const Node* head : first) CHECK(head == nullptr);
    CHECK(table.size() == kNodes);
    CHECK(table.idle() == kNodes / 2);
    for (std::size_t i = 0; i < kNodes; ++i) {
        REQUIRE(table.find(2 + i) == &nodes[i]);
        CHECK(nodes[i].forget.nlookup == 1);
        CHECK(nodes[i].generation == i);
    }
    for (std::size_t i = 0; i < kNodes; i += 2) CHECK(table.evict(0) == &nodes[i]); // oldest first
    CHECK(table.evict(0) == nullptr);
    CHECK(table.size() == kNodes / 2);
}
