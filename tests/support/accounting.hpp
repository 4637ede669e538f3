// SPDX-License-Identifier: BSD-2-Clause
// The lookups that a mount holds are those that its server counts, node by node.
#pragma once

#include "support/catch.hpp"

#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstddef>
#include <cstdint>
#include <map>

namespace vfsproto::test {

// Returns the lookups of each node that the mount has not given back. FORGETs that are under way have been sent then, and none
// follows by itself: what the server tells unasked is taken no more.
[[nodiscard]] inline std::map<std::uint64_t, std::uint64_t> held_lookups(posix::Mount& mount) {
    mount.channel().end_notifications();
    mount.channel().detached().end_late_call();
    std::map<std::uint64_t, std::uint64_t> held;
    for (const auto& [nodeid, lookups] : mount.nodes().held_lookups()) held[nodeid] += lookups;
    return held;
}

// Returns of how many nodes the server counts another number of lookups than the mount holds.
template <class Fs>
[[nodiscard]] std::size_t miscounted(const std::map<std::uint64_t, std::uint64_t>& held, const Fs& fs) {
    std::size_t nodes = 0;
    for (const auto& [nodeid, lookups] : held) nodes += fs.lookups_of(nodeid) != lookups ? 1 : 0;
    return nodes;
}

// These check that the server counts what the mount holds, and nothing else. No call is under way, and no FORGET.
inline void check_lookups(posix::Mount& mount, const backends::Memfs& fs) {
    const auto held = held_lookups(mount);
    std::uint64_t all = 0;
    for (const auto& [nodeid, lookups] : held) all += lookups;
    CHECK(miscounted(held, fs) == 0);
    CHECK(fs.lookups() == all);
}
inline void check_lookups(posix::Mount& mount, const backends::Passthrough& fs) {
    const auto held = held_lookups(mount);
    CHECK(miscounted(held, fs) == 0);
    CHECK(fs.counters().inodes == held.size() + 1); // the root
}

} // namespace vfsproto::test
