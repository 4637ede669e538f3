// SPDX-License-Identifier: BSD-2-Clause
// PathSteps, walked by a thread that waits for each answer.
#pragma once

#include "vfsproto/posix/detail/mount_call.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace vfsproto::posix {

// Makes every request the steps want. ok when they arrived.
[[nodiscard]] Failure walk(MountCall& call, PathSteps& steps);

// One walk, one thread. What its names mean stands in PathSteps.
class PathWalk : private PathSteps {
public:
    PathWalk(Channel& channel, NodeCache& cache, const client::Caller& caller)
        : PathSteps(cache), own_call_(std::in_place, channel, caller), call_(*own_call_) {}
    // Walks as a part of this call, which outlives the walk.
    PathWalk(MountCall& call, PathSteps steps) : PathSteps(std::move(steps)), call_(call) {}

    [[nodiscard]] Failure to_parent(std::string_view path) {
        PathSteps::to_parent(path);
        return walk(call_, *this);
    }
    [[nodiscard]] Failure to_file(std::string_view path, LastLink last) {
        PathSteps::to_file(path, last);
        return walk(call_, *this);
    }
    [[nodiscard]] Failure look_up_last() {
        PathSteps::look_up_last();
        return walk(call_, *this);
    }
    // True if the walk can be made once more, because some of it was taken for what was kept; walk_again() makes it.
    [[nodiscard]] bool may_walk_again() { return PathSteps::walk_again_without_cache(); }
    [[nodiscard]] Failure walk_again() { return walk(call_, *this); }

    // Returns the place it arrived at.
    [[nodiscard]] const PathSteps& place() const noexcept { return *this; }
    using PathSteps::attributes;
    using PathSteps::found_link;
    using PathSteps::must_be_directory;
    using PathSteps::name;
    using PathSteps::node;
    using PathSteps::parent;

private:
    std::optional<MountCall> own_call_{};
    MountCall& call_;
};

} // namespace vfsproto::posix
