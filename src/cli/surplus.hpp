// SPDX-License-Identifier: BSD-2-Clause
// Removes from a tree what the tree that it is made like does not have.
#pragma once

#include "copy.hpp"
#include "tree_side.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vfsproto::cli {

class Surplus {
public:
    // All three must outlive the object.
    Surplus(CopyRun& run, TreeSide& source, TreeSide& target) : run_(run), source_(source), target_(target) {}

    // Removes each file of the target of which the source says ENOENT: no other failure, and no name that is only missing in a
    // list, makes a file surplus. What --exclude names stays, with the directories above it. Directories that stay keep their times.
    // Says what fails, and goes on. In a dry run says what would be removed.
    void remove();

private:
    // A directory on the stack was entered if it is met again. One that keeps something stays.
    struct Pending {
        std::string path;
        bool is_surplus = false;
        bool entered = false;
        bool keeps = false;
        std::optional<posix::Attributes>
            before{}; // of a directory that is not surplus, once something in it was removed
    };

    void enter(const std::string& directory);
    void take(const std::string& path, TreeSide::Type type);
    [[nodiscard]] bool remove(const std::string& path, TreeSide::Type type);
    void keep();
    void note_times(const std::string& inside);

    CopyRun& run_;
    TreeSide& source_;
    TreeSide& target_;
    std::vector<Pending> stack_;
};

} // namespace vfsproto::cli
