// SPDX-License-Identifier: BSD-2-Clause
// From a path to a node: one LOOKUP a component, symbolic links read and followed, ".." resolved here (it never leaves
// the root). What POSIX says of path resolution holds, limits included.
#pragma once

#include "vfsproto/posix/node_keeper.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::posix {

enum class LastLink : std::uint8_t { follow, keep };

inline constexpr int kMaxLinks = 40; // symbolic links followed in one walk, then ELOOP

// One walk, one thread.
class PathWalk {
public:
    PathWalk(Channel& channel, NodeKeeper& keeper) : channel_(channel), keeper_(keeper) {}

    // To the directory that holds the last component; then parent() and name(). name() is empty when the path ends in
    // the directory itself ("/", "a/..").
    [[nodiscard]] Failure to_parent(std::string_view path);
    // To the file itself; then node() and attributes(). For "keep", a symbolic link as the last component is the file.
    [[nodiscard]] Failure to_file(std::string_view path, LastLink last);
    // After to_parent(): looks the last name up, without following it.
    [[nodiscard]] Failure look_up_last();
    // After look_up_last() found a symbolic link: on to the parent of what it points to.
    [[nodiscard]] Failure follow_found_link();

    [[nodiscard]] const NodeRef& parent() const noexcept { return stack_.back(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    // Was there a slash behind the last name? Then it must be a directory.
    [[nodiscard]] bool must_be_directory() const noexcept { return must_be_directory_; }
    [[nodiscard]] NodeRef& node() noexcept { return node_; }
    [[nodiscard]] const wire::Attr& attributes() const noexcept { return attributes_; }
    [[nodiscard]] bool found_link() const noexcept;

private:
    [[nodiscard]] Failure walk(std::string_view path);
    [[nodiscard]] Failure look_up(const std::string& name);
    [[nodiscard]] Failure read_link(std::string& target);
    [[nodiscard]] Failure get_attributes();

    Channel& channel_;
    NodeKeeper& keeper_;
    std::vector<NodeRef> stack_; // the directories from the root to the parent
    std::string name_;
    bool must_be_directory_ = false;
    NodeRef node_;
    wire::Attr attributes_{};
    int links_ = 0;
};

} // namespace vfsproto::posix
