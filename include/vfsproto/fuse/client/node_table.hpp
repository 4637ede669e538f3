// SPDX-License-Identifier: BSD-2-Clause
// The nodes this client holds lookups of, counted exactly (reference: Linux fs/fuse/inode.c; a server may abort on a
// FORGET of more than it gave). Intrusive: a port embeds Node in its own per-file structure. The host locks it.
#pragma once

#include "vfsproto/fuse/client/forget_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// A node lies in storage of the host, and stays in place while it is in a table or on its way to be forgotten.
struct Node {
    ForgetLink forget{}; // forget.nodeid is the node's number, forget.nlookup what the server counts
    std::uint64_t generation = 0;
    // The file's number in its table. No two files a table has held share one, even if the server used a nodeid again. Whoever
    // remembers a node without a use of it keeps this number, and asks find(nodeid, incarnation). 0 is the root.
    std::uint64_t incarnation = 0;
    std::uint32_t uses = 0; // local references: path walks, open files
    std::uint16_t type = 0; // S_IFMT bits
    bool unlinked = false;  // the host's note for its last drop()
    Node* hash_next = nullptr;
    Node* idle_previous = nullptr; // least recently used first
    Node* idle_next = nullptr;

    [[nodiscard]] std::uint64_t nodeid() const noexcept { return forget.nodeid; }
};

// Tells whether a node still has a name. One without is given back when its last use ends, so that the server can free its
// space.
enum class Linked : std::uint8_t { yes, no };

class NodeTable {
public:
    NodeTable() noexcept = default;
    // Takes buckets: at least one and fewer than 2^32 of them, all nullptr, the host's.
    explicit NodeTable(std::span<Node*> buckets) noexcept : buckets_(buckets) {}

    // Returns nullptr when this client holds no lookup of it, and always for the root, which nobody looks up.
    [[nodiscard]] Node* find(std::uint64_t nodeid) const noexcept;
    // Returns nullptr also when the nodeid is another file's by now.
    [[nodiscard]] Node* find(std::uint64_t nodeid, std::uint64_t incarnation) const noexcept;
    // Counts one lookup and one local use of this node: a reply carried its entry. `fresh` is a node the host has ready. It is
    // taken if the nodeid is not in the table yet: then it is what is returned. Another generation or type under a nodeid that is here
    // is another file: the node gets a new incarnation.
    [[nodiscard]] Node& count_lookup(std::uint64_t nodeid, std::uint64_t generation, std::uint32_t type,
                                     Node& fresh) noexcept;
    // Counts one more local use of a node that is in the table. While there is one, it is neither evicted nor given back.
    void use(Node& node) noexcept;
    // Drops one local use. A node nobody uses stays, idle, until it is evicted; an unlinked one is taken out and
    // returned, for the host to pass to Session::forget().
    [[nodiscard]] Node* drop(Node& node, Linked linked) noexcept;
    // Takes the least recently used idle node out while more than `keep` idle ones are here; nullptr when there is none.
    [[nodiscard]] Node* evict(std::size_t keep) noexcept;

    // Moves every node to these buckets, given as to the constructor. Returns the buckets left, which hold
    // nothing. Takes time in proportion to the nodes; nodes stay where they are.
    [[nodiscard]] std::span<Node*> rehash(std::span<Node*> buckets) noexcept;
    // True if there are more nodes than buckets: with twice as many, a lookup walks as far as in a small table.
    [[nodiscard]] bool is_crowded() const noexcept { return size_ > buckets_.size(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; } // nodes, used and idle
    [[nodiscard]] std::size_t idle() const noexcept { return idle_; } // of them, those nobody uses

private:
    [[nodiscard]] Node*& bucket_of(std::uint64_t nodeid) const noexcept;
    void make_idle(Node& node) noexcept;
    void leave_idle(Node& node) noexcept;
    void take_out(Node& node) noexcept;

    std::span<Node*> buckets_{};
    Node* oldest_ = nullptr;
    Node* newest_ = nullptr;
    std::size_t size_ = 0;
    std::size_t idle_ = 0;
    std::uint64_t last_incarnation_ = 0;
};

} // namespace vfsproto::client
