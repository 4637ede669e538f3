// SPDX-License-Identifier: BSD-2-Clause
#include "tree.hpp"

#include <ctime>

namespace vfsproto::test::libfuse {

struct stat Node::attributes() const {
    struct stat out{};
    out.st_ino = id;
    out.st_mode = mode;
    out.st_nlink = is_directory() ? 2 : links;
    out.st_uid = uid;
    out.st_gid = gid;
    out.st_size = static_cast<off_t>(content.size());
    out.st_blksize = 4096;
    out.st_blocks = static_cast<blkcnt_t>((content.size() + 511) / 512);
    out.st_atim = out.st_mtim = out.st_ctim = changed;
    return out;
}

Tree::Tree() {
    Node& root = nodes_[next_];
    root.id = next_++;
    root.parent = kRoot;
    root.mode = S_IFDIR | 0755;
    ::clock_gettime(CLOCK_REALTIME, &root.changed);
}

Node* Tree::find(std::uint64_t id) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end()) return nullptr;
    return id == kRoot || found->second.lookups != 0 ? &found->second : nullptr;
}

Node* Tree::child(const Node& directory, const std::string& name) {
    const auto found = directory.children.find(name);
    return found == directory.children.end() ? nullptr : &nodes_.at(found->second);
}

Node& Tree::make(Node& directory, const std::string& name, std::uint32_t mode) {
    Node& node = nodes_[next_];
    node.id = next_++;
    node.parent = directory.id;
    node.mode = mode;
    ::clock_gettime(CLOCK_REALTIME, &node.changed);
    directory.children.emplace(name, node.id);
    return node;
}

void Tree::unlink(Node& directory, const std::string& name) {
    const auto found = directory.children.find(name);
    if (found == directory.children.end()) return;
    Node& node = nodes_.at(found->second);
    directory.children.erase(found);
    --node.links;
    drop_if_unused(node.id);
}

void Tree::rename(Node& from, const std::string& name, Node& to, const std::string& new_name) {
    const std::uint64_t moved = from.children.at(name);
    from.children.erase(name);
    unlink(to, new_name);
    to.children.emplace(new_name, moved);
    nodes_.at(moved).parent = to.id;
}

void Tree::count_lookup(Node& node) {
    if (node.id != kRoot) ++node.lookups;
}

void Tree::forget(std::uint64_t id, std::uint64_t count) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end() || found->second.lookups < count) {
        ++over_forgets_;
        return;
    }
    found->second.lookups -= count;
    drop_if_unused(id);
}

std::uint64_t Tree::lookups() const {
    std::uint64_t sum = 0;
    for (const auto& [id, node] : nodes_) sum += node.lookups;
    return sum;
}

void Tree::drop_if_unused(std::uint64_t id) {
    const auto found = nodes_.find(id);
    if (found != nodes_.end() && found->second.links == 0 && found->second.lookups == 0) nodes_.erase(found);
}

} // namespace vfsproto::test::libfuse
