// SPDX-License-Identifier: BSD-2-Clause
// The table of nodes at a size that a sanitizer has no memory for.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/attribute_cache.hpp"
#include "vfsproto/fuse/client/node_table.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

using namespace vfsproto::client;

namespace {

constexpr std::uint32_t kFile = 0100000;
constexpr std::size_t kMany = 1'000'000;

// Returns how many nodes a find() looks at on average, the one it finds included.
double mean_walk(std::span<Node* const> buckets, std::size_t nodes) {
    std::size_t steps = 0;
    for (const Node* head : buckets) {
        std::size_t depth = 0;
        for (const Node* node = head; node != nullptr; node = node->hash_next) steps += ++depth;
    }
    return static_cast<double>(steps) / static_cast<double>(nodes);
}

// A table that is given twice the buckets whenever it is crowded.
struct GrowingTable {
    static constexpr std::size_t kFirstBuckets = 1024;

    // Adds nodes until there are `size`: 2, 2 + stride and so on.
    void grow_to(std::size_t size, std::uint64_t stride) {
        while (table.size() < size) count(2 + table.size() * stride);
        REQUIRE(table.size() == size);
    }
    Node& count(std::uint64_t nodeid) {
        if (table.is_crowded()) {
            std::vector<Node*> larger(2 * buckets.size());
            bucket_bytes = (buckets.size() + larger.size()) * sizeof(Node*);
            const std::span<Node*> left = table.rehash(larger);
            REQUIRE(left.data() == buckets.data());
            buckets.swap(larger);
        }
        Node& fresh = nodes.emplace_back();
        return table.count_lookup(nodeid, 0, kFile, fresh);
    }

    std::vector<Node*> buckets = std::vector<Node*>(kFirstBuckets);
    NodeTable table{buckets};
    std::size_t bucket_bytes =
        buckets.size() * sizeof(Node*); // at most so far: there are two sets of them while it grows
    std::deque<Node> nodes;
};

} // namespace

TEST_CASE("a lookup among a million nodes walks as far as one among a thousand", "[nodes]") {
    constexpr std::size_t kFew = 1'000;
    constexpr double kFlat = 1.2;
    // Nodeids that count up, and addresses of objects.
    const std::uint64_t stride = GENERATE(std::uint64_t{1}, std::uint64_t{0x1b0});
    GrowingTable grown;
    grown.grow_to(kFew, stride);
    const double few = mean_walk(grown.buckets, kFew);
    for (const std::size_t many : {std::size_t{10'000}, std::size_t{100'000}, kMany}) {
        INFO(many << " nodes");
        grown.grow_to(many, stride);
        CHECK(mean_walk(grown.buckets, many) <= few * kFlat);
    }
    for (std::size_t i = 0; i < kMany; ++i) {
        const Node* node = grown.table.find(2 + i * stride);
        if (node == nullptr || node->nodeid() != 2 + i * stride) FAIL("node " << i << " is lost");
    }
}

TEST_CASE("a file that is known takes at most 256 bytes, its attributes and its part of the buckets included",
          "[nodes]") {
    constexpr std::size_t kMostBytes = 256;
    GrowingTable grown;
    for (std::size_t many = 1'000; many <= kMany; many *= 10) {
        grown.grow_to(many, 1);
        CHECK(many * sizeof(CachedNode) + grown.bucket_bytes <= many * kMostBytes);
    }
}
