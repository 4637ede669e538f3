// SPDX-License-Identifier: BSD-2-Clause
// A few threads that copy files, so that the requests of several are on their way at once.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace vfsproto::cli {

class Workers {
public:
    // The buffer is the thread's own, and the job's while it runs: memory the device can reach if there is enough of it. After a
    // failed transfer of a limited mount, nothing else of the job uses it. Jobs throw nothing.
    using Job = std::function<void(std::span<std::byte> buffer)>;

    explicit Workers(posix::Mount& mount);
    ~Workers() { finish(); }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // Waits while too many jobs are waiting themselves. One thread gives and finishes.
    void give(Job job);
    // Waits until every job is done.
    void finish();

private:
    static constexpr std::size_t kMostThreads = 8;
    static constexpr std::size_t kBacklog = 64;
    static constexpr std::size_t kBufferSize = std::size_t{4} << 20; // bytes

    void work();

    posix::Mount& mount_;
    std::size_t most_threads_;
    std::mutex mutex_;
    std::condition_variable not_empty_;
    std::condition_variable not_full_;
    std::deque<Job> jobs_;
    std::size_t idle_ = 0;
    bool finishing_ = false;
    std::vector<std::thread> threads_;
};

} // namespace vfsproto::cli
