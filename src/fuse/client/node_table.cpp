// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/node_table.hpp"

#include "vfsproto/config.hpp"

namespace vfsproto::client {

Node*& NodeTable::bucket_of(std::uint64_t nodeid) const noexcept {
    // Servers count nodeids up or hand out addresses. One multiplication spreads neither of all strides: the second one is fed
    // the bits the first one moved, and its top bits choose the bucket.
    std::uint64_t hash = nodeid * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return buckets_[static_cast<std::size_t>(((hash >> 32) * buckets_.size()) >> 32)];
}

Node* NodeTable::find(std::uint64_t nodeid) const noexcept {
    for (Node* node = bucket_of(nodeid); node != nullptr; node = node->hash_next) {
        if (node->nodeid() == nodeid) return node;
    }
    return nullptr;
}

Node* NodeTable::find(std::uint64_t nodeid, std::uint64_t incarnation) const noexcept {
    Node* const node = find(nodeid);
    return node != nullptr && node->incarnation == incarnation ? node : nullptr;
}

Node& NodeTable::count_lookup(std::uint64_t nodeid, std::uint64_t generation, std::uint32_t type,
                              Node& fresh) noexcept {
    Node* node = find(nodeid);
    if (node == nullptr) {
        node = &fresh;
        *node = Node{};
        node->forget.nodeid = nodeid;
        Node*& bucket = bucket_of(nodeid);
        node->hash_next = bucket;
        bucket = node;
        ++size_;
    } else if (node->uses == 0) {
        leave_idle(*node);
    }
    // The server's number is the identity; another generation or type under it is a new file that inherits the count.
    const auto type_bits = static_cast<std::uint16_t>(type);
    if (node == &fresh || node->generation != generation || node->type != type_bits) {
        node->incarnation = ++last_incarnation_;
    }
    node->generation = generation;
    node->type = type_bits;
    ++node->forget.nlookup;
    ++node->uses;
    return *node;
}

std::span<Node*> NodeTable::rehash(std::span<Node*> buckets) noexcept {
    const std::span<Node*> left = buckets_;
    buckets_ = buckets;
    for (Node*& head : left) {
        while (head != nullptr) {
            Node* const node = head;
            head = node->hash_next;
            Node*& bucket = bucket_of(node->nodeid());
            node->hash_next = bucket;
            bucket = node;
        }
    }
    return left;
}

void NodeTable::use(Node& node) noexcept {
    if (node.uses++ == 0) leave_idle(node);
}

Node* NodeTable::drop(Node& node, Linked linked) noexcept {
    VFSPROTO_ASSERT(node.uses != 0);
    if (--node.uses != 0) return nullptr;
    if (linked == Linked::no) {
        take_out(node);
        return &node;
    }
    make_idle(node);
    return nullptr;
}

Node* NodeTable::evict(std::size_t keep) noexcept {
    if (idle_ <= keep) return nullptr;
    Node* node = oldest_;
    leave_idle(*node);
    take_out(*node);
    return node;
}

void NodeTable::make_idle(Node& node) noexcept {
    node.idle_previous = newest_;
    node.idle_next = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->idle_next) = &node;
    newest_ = &node;
    ++idle_;
}

void NodeTable::leave_idle(Node& node) noexcept {
    (node.idle_previous == nullptr ? oldest_ : node.idle_previous->idle_next) = node.idle_next;
    (node.idle_next == nullptr ? newest_ : node.idle_next->idle_previous) = node.idle_previous;
    node.idle_previous = node.idle_next = nullptr;
    --idle_;
}

void NodeTable::take_out(Node& node) noexcept {
    Node** at = &bucket_of(node.nodeid());
    while (*at != &node) at = &(*at)->hash_next;
    *at = node.hash_next;
    node.hash_next = nullptr;
    --size_;
}

} // namespace vfsproto::client
