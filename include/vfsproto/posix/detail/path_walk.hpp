// SPDX-License-Identifier: BSD-2-Clause
// PathSteps, walked by a thread that waits for each answer.
#pragma once

#include "vfsproto/posix/detail/path_steps.hpp"

#include <string_view>

namespace vfsproto::posix {

// Makes every request the steps want. ok when they arrived.
[[nodiscard]] Failure walk(Channel& channel, const client::Caller& caller, PathSteps& steps);

// One walk, one thread. What its names mean stands in PathSteps.
class PathWalk : private PathSteps {
public:
    PathWalk(Channel& channel, NodeCache& cache, const client::Caller& caller)
        : PathSteps(cache), channel_(channel), caller_(caller) {}

    [[nodiscard]] Failure to_parent(std::string_view path) {
        PathSteps::to_parent(path);
        return walk(channel_, caller_, *this);
    }
    [[nodiscard]] Failure to_file(std::string_view path, LastLink last) {
        PathSteps::to_file(path, last);
        return walk(channel_, caller_, *this);
    }
    [[nodiscard]] Failure look_up_last() {
        PathSteps::look_up_last();
        return walk(channel_, caller_, *this);
    }

    // Returns the place it arrived at.
    [[nodiscard]] const PathSteps& place() const noexcept { return *this; }
    using PathSteps::attributes;
    using PathSteps::found_link;
    using PathSteps::must_be_directory;
    using PathSteps::name;
    using PathSteps::node;
    using PathSteps::parent;

private:
    Channel& channel_;
    const client::Caller& caller_;
};

} // namespace vfsproto::posix
