// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <utility>

namespace vfsproto::client {
struct Node;
}

namespace vfsproto::posix {

class NodeCache;
struct Held;

// One use of a node: while it lives the node is not forgotten. Movable, not shared between threads.
class NodeRef {
public:
    NodeRef() = default;
    NodeRef(NodeRef&& other) noexcept : cache_(other.cache_), node_(std::exchange(other.node_, nullptr)) {}
    NodeRef& operator=(NodeRef&& other) noexcept {
        std::swap(cache_, other.cache_);
        std::swap(node_, other.node_);
        return *this;
    }
    ~NodeRef() { reset(); }

    [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
    [[nodiscard]] std::uint64_t nodeid() const noexcept;
    [[nodiscard]] NodeRef clone() const;
    // Keeps the node for a request that its caller goes on without. The cache is shared; nothing is kept of an empty one.
    [[nodiscard]] Held hold() const;
    // The file is opened to be written to, and closed; or was read from. Nothing happens to an empty one.
    void begin_writing() const;
    void end_writing() const noexcept;
    void note_read() const noexcept;
    void reset() noexcept;
    // The file lost its last name: its lookups go back at once when the last use ends.
    void reset_unlinked() noexcept;

private:
    friend class NodeCache;
    NodeRef(NodeCache& cache, client::Node& node) noexcept : cache_(&cache), node_(&node) {}

    NodeCache* cache_ = nullptr;
    client::Node* node_ = nullptr;
};

} // namespace vfsproto::posix
