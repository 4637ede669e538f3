// SPDX-License-Identifier: BSD-2-Clause
// The files of the server: in memory, with the count of lookups that the client holds of each.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace vfsproto::test::libfuse {

struct Node {
    std::uint64_t id = 0;
    std::uint64_t parent = 0; // of a directory
    std::uint32_t mode = 0;   // type and permissions
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t links = 1;
    std::uint64_t lookups = 0; // that the client has to give back; the root's are not counted
    std::uint64_t locker = 0;  // the handle that has the lock of the whole file
    timespec changed{};
    std::string content; // of a file, or where a symlink leads
    std::map<std::string, std::uint64_t> children;
    std::map<std::string, std::string> xattrs;

    [[nodiscard]] bool is_directory() const { return S_ISDIR(mode); }
    [[nodiscard]] struct stat attributes() const;
};

class Tree {
public:
    static constexpr std::uint64_t kRoot = 1;

    Tree();

    // Returns nullptr when there is no such node, or the client holds no lookup of it.
    [[nodiscard]] Node* find(std::uint64_t id);
    // Returns nullptr when the directory has no such name.
    [[nodiscard]] Node* child(const Node& directory, const std::string& name);
    // The name must not be there.
    Node& make(Node& directory, const std::string& name, std::uint32_t mode);
    // Takes the name away; the node goes when it has no name and no lookup.
    void unlink(Node& directory, const std::string& name);
    // Moves a name over another, if that is there. The caller has checked that it may.
    void rename(Node& from, const std::string& name, Node& to, const std::string& new_name);

    void count_lookup(Node& node);
    // Counts what the client forgets, and what it had no right to forget.
    void forget(std::uint64_t id, std::uint64_t count);

    [[nodiscard]] std::uint64_t lookups() const;
    [[nodiscard]] std::uint64_t over_forgets() const { return over_forgets_; }

private:
    void drop_if_unused(std::uint64_t id);

    std::map<std::uint64_t, Node> nodes_;
    std::uint64_t next_ = kRoot;
    std::uint64_t over_forgets_ = 0;
};

} // namespace vfsproto::test::libfuse
