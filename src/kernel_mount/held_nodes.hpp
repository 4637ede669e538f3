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
#include <span>
#include <vector>

namespace vfsproto::kernel_mount {

// Lists the nodes that one request names; 0: none.
using NamedNodes = std::array<std::uint64_t, 2>;

// Any thread.
class HeldNodes {
public:
    // Holds these nodes until release(), which may come after the mount has ended.
    void hold(const NamedNodes& nodes);
    void release(posix::Channel& channel, const NamedNodes& nodes);

    // Adds lookups to give back to `now`, or keeps them until the node is held no more.
    void give_back(std::uint64_t nodeid, std::uint64_t lookups, std::vector<client::Node*>& now);
    // Waits until the node is held no more, or until stop_waiting().
    void wait_for(std::uint64_t nodeid);
    void stop_waiting() noexcept;

private:
    struct Held {
        std::size_t requests = 0;
        std::uint64_t lookups = 0; // to give back
    };

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, Held> held_;
    bool waits_no_more_ = false;
};

// Returns a node that carries lookups back to the server.
[[nodiscard]] client::Node* node_of(std::uint64_t nodeid, std::uint64_t lookups);

} // namespace vfsproto::kernel_mount
