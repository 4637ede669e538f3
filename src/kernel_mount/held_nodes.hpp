// SPDX-License-Identifier: BSD-2-Clause
// Nodes that requests name whose callers have gone on. The kernel does not know that the server still has such a request: what it
// gives back meanwhile waits here, so that the server does not give the number to another file.
#pragma once

#include "vfsproto/posix/detail/channel.hpp"

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace vfsproto::kernel_mount {

// Lists what one request names.
struct Named {
    std::array<std::uint64_t, 2> nodes{};                  // 0: none
    std::array<std::optional<std::uint64_t>, 2> handles{}; // each of the node at its place
};

// Any thread.
class HeldNodes {
public:
    // Holds these nodes until release(), which may come after the mount has ended.
    void hold(const Named& named);
    void release(posix::Channel& channel, const Named& named);

    // Adds lookups to give back to `now`, or keeps them until the node is held no more.
    void give_back(std::uint64_t nodeid, std::uint64_t lookups, std::vector<client::Node*>& now);
    // True if a request that is held names this handle.
    [[nodiscard]] bool names(std::uint64_t nodeid, std::uint64_t handle);
    // Waits until none does, or until stop_waiting(). Other handles of the node do not count: a lock that is waited for through one
    // may come with the end of another.
    void wait_for(std::uint64_t nodeid, std::uint64_t handle);
    void stop_waiting() noexcept;

private:
    struct Held {
        std::size_t requests = 0;
        std::uint64_t lookups = 0; // to give back
        std::vector<std::uint64_t> handles{};
    };

    [[nodiscard]] bool names_locked(std::uint64_t nodeid, std::uint64_t handle) const noexcept;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, Held> held_;
    bool waits_no_more_ = false;
};

// Returns a node that carries lookups back to the server.
[[nodiscard]] client::Node* node_of(std::uint64_t nodeid, std::uint64_t lookups);

} // namespace vfsproto::kernel_mount
