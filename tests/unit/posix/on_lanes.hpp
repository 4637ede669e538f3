// SPDX-License-Identifier: BSD-2-Clause
// Mounts over several request queues, and threads that go by one of them.
#pragma once

#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <cstddef>
#include <thread>
#include <vector>

namespace vfsproto::test {

[[nodiscard]] inline MountedOptions with_queues(std::uint16_t count) {
    MountedOptions options;
    options.device.num_request_queues = count;
    options.mount.channel.rings.request_queues = count;
    return options;
}

// Runs this on a thread whose requests go by a queue beside the first, and waits for its end: checks may be made within.
template <class Run> void on_side_lane(posix::Channel& channel, Run&& run) {
    bool has_run = false;
    do {
        std::thread([&] {
            has_run = channel.side_lane_of_this_thread() != nullptr;
            if (has_run) run();
        }).join();
    } while (!has_run);
}

// Returns the requests of each queue that ended.
[[nodiscard]] inline std::vector<std::uint64_t> requests_by_queue(posix::Mount& mount) {
    std::vector<std::uint64_t> requests;
    for (const posix::QueueStats& queue : mount.mount_stats().queues) requests.push_back(queue.requests);
    return requests;
}

} // namespace vfsproto::test
