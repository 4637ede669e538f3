// SPDX-License-Identifier: BSD-2-Clause
// Removes from a tree what the tree that it is made like does not have.
#pragma once

#include "copy.hpp"
#include "tree_side.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace vfsproto::cli {

class Surplus {
public:
    // All three must outlive the object.
    Surplus(CopyRun& run, TreeSide& source, TreeSide& target) : run_(run), source_(source), target_(target) {}

    // Removes each file of the target of which the source says ENOENT: no other failure, and no name that is only missing in a
    // list, makes a file surplus. What --exclude names stays, with the directories above it, and so does all that is in a directory
    // which the source does not have any more, or whose names differ from the source's in more than bytes. Nothing at all is removed
    // where the source itself lies in the target. Directories that stay keep their times. Says what fails, and goes on. In a dry
    // run says what would be removed.
    void remove();

private:
    // A directory of the target. Each has a larger index than the one it is in.
    struct Directory {
        std::string name;       // in the one it is in; "" of the top
        std::size_t parent = 0; // an index; that of the top is its own
        bool is_surplus = false;
        bool keeps = false;                        // something in it
        std::vector<std::string> files{};          // names: surplus, and no directories
        std::optional<posix::Attributes> before{}; // once something in it was removed, and it is not surplus
    };

    // Returns the path of a directory. None is kept: the memory of a deep tree would grow with the square of its depth.
    [[nodiscard]] std::string path_of(const Directory& directory) const;
    void find(std::size_t index);
    void take(std::size_t index, const std::string& directory, const TreeSide::Entry& entry);
    void forget_if_unsure(std::size_t index, std::size_t first_below, const std::vector<TreeSide::Entry>& entries);
    [[nodiscard]] bool may_be_in_source(const std::string& directory, const std::vector<TreeSide::Entry>& entries);
    [[nodiscard]] bool is_source(const std::string& directory);
    void remove_from(Directory& directory);
    [[nodiscard]] bool remove(Directory& inside, const std::string& name, TreeSide::Type type);
    void keep(std::size_t index);

    CopyRun& run_;
    TreeSide& source_;
    TreeSide& target_;
    std::optional<posix::Attributes> source_top_;
    bool has_source_ = false; // in the target
    std::vector<Directory> directories_;
};

} // namespace vfsproto::cli
