// SPDX-License-Identifier: BSD-2-Clause
// A HandleEnd sends what the end of a handle owes the server: the FLUSH that gives up record locks, and RELEASE.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"

#include <cstdint>

namespace vfsproto::posix {

class HandleEnd {
public:
    explicit HandleEnd(const OpenHandle& handle) noexcept;

    // Sends what is owed and waits for each answer.
    void send(Channel& channel);
    // Does so under these limits. What does not end in time is left to the channel, which keeps the node for it. Throws as
    // Channel::run_limited().
    void send(Channel& channel, const MountLimits& limits, const NodeRef& node);

private:
    // Calls `use` with each request that is owed and with the flag that says so, until it returns Next::end.
    template <class Use> void each(Use&& use);
    [[nodiscard]] AfterLate later() const;

    wire::FlushIn flush_{};
    wire::ReleaseIn release_{};
    std::uint64_t nodeid_;
    OpenHandle::Kind kind_;
    bool owes_flush_;
    bool owes_release_;
};

} // namespace vfsproto::posix
