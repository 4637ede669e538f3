// SPDX-License-Identifier: BSD-2-Clause
// Question: what does a file that the client knows take, in memory and in time to be found, among a thousand and among a
// million? Takes no arguments. Times are the best of several rounds, ns, each lookup waiting for the one before it. The counts gate in
// tests/scale; times inform.
#include "vfsproto/fuse/client/node_table.hpp"
#include "vfsproto/fuse/client/attribute_cache.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <vector>

using namespace vfsproto::client;

namespace {

constexpr std::uint32_t kFile = 0100000;
constexpr std::uint64_t kFirstNodeid = 2;
constexpr std::size_t kFirstBuckets = 1024;
constexpr std::size_t kSizes[] = {1'000, 10'000, 100'000, 1'000'000};
constexpr std::size_t kLookups = 2'000'000; // of one round
constexpr int kRounds = 5;

// A table as a mount keeps it: of nodes allocated one by one, with twice the buckets whenever it is crowded.
class GrownTable {
public:
    void grow_to(std::size_t size) {
        while (nodes_.size() < size) {
            if (table_.is_crowded()) grow();
            nodes_.push_back(std::make_unique<CachedNode>());
            release(table_.count_lookup(kFirstNodeid + nodes_.size() - 1, 0, kFile, *nodes_.back()));
        }
    }
    [[nodiscard]] const Node& find(std::uint64_t nodeid) const {
        const Node* const node = table_.find(nodeid);
        if (node == nullptr) std::abort();
        return *node;
    }
    // Counts a lookup of a file that is known, as the reply to a LOOKUP does, and uses it no further.
    const Node& count(std::uint64_t nodeid) {
        Node& node = table_.count_lookup(nodeid, 0, kFile, spare_);
        release(node);
        return node;
    }
    [[nodiscard]] double bytes_a_node() const {
        const auto size = static_cast<double>(nodes_.size());
        return sizeof(CachedNode) + static_cast<double>(buckets_.size() * sizeof(Node*)) / size;
    }
    // Returns how many nodes a find() looks at on average, the one it finds included.
    [[nodiscard]] double mean_walk() const {
        std::size_t steps = 0;
        for (const Node* head : buckets_) {
            std::size_t depth = 0;
            for (const Node* node = head; node != nullptr; node = node->hash_next) steps += ++depth;
        }
        return static_cast<double>(steps) / static_cast<double>(nodes_.size());
    }

private:
    void release(Node& node) {
        if (table_.drop(node, Linked::yes) != nullptr) std::abort();
    }
    void grow() {
        std::vector<Node*> larger(2 * buckets_.size());
        static_cast<void>(table_.rehash(larger)); // these are buckets_
        buckets_.swap(larger);
    }

    std::vector<Node*> buckets_ = std::vector<Node*>(kFirstBuckets);
    NodeTable table_{buckets_};
    std::vector<std::unique_ptr<CachedNode>> nodes_;
    Node spare_;
};

// Returns ns a lookup. What a lookup finds says where the next one goes on, so that none begins before the one before it has ended:
// nothing uses a node in between, so it is the next nodeid.
template <class Lookup> double time_of(const std::vector<std::uint64_t>& nodeids, Lookup&& lookup) {
    using Clock = std::chrono::steady_clock;
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
        std::size_t at = 0;
        const Clock::time_point begin = Clock::now();
        for (std::size_t i = 0; i < kLookups; ++i) {
            at += 1 + lookup(nodeids[at]).uses;
            if (at >= nodeids.size()) at = 0;
        }
        const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
        best = std::min(best, time.count() / static_cast<double>(kLookups));
    }
    return best;
}

} // namespace

int main() {
    std::printf("%9s  %12s  %12s  %14s  %17s  %18s\n", "nodes", "bytes a node", "nodes walked", "find, in order",
                "find, any order", "count, any order");
    GrownTable table;
    for (const std::size_t size : kSizes) {
        table.grow_to(size);
        std::vector<std::uint64_t> nodeids(size);
        std::iota(nodeids.begin(), nodeids.end(), kFirstNodeid);
        const auto find = [&table](std::uint64_t nodeid) -> const Node& { return table.find(nodeid); };
        const auto count = [&table](std::uint64_t nodeid) -> const Node& { return table.count(nodeid); };
        const double in_order = time_of(nodeids, find);
        std::shuffle(nodeids.begin(), nodeids.end(), std::mt19937_64(size));
        std::printf("%9zu  %12.1f  %12.2f  %11.1f ns  %14.1f ns  %15.1f ns\n", size, table.bytes_a_node(),
                    table.mean_walk(), in_order, time_of(nodeids, find), time_of(nodeids, count));
        std::fflush(stdout);
    }
}
