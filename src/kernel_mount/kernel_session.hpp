// SPDX-License-Identifier: BSD-2-Clause
// The kernel as a client: its requests come over /dev/fuse, and each becomes one of the server behind the channel. Nodes, handles
// and lookups are those of the server, under its numbers: nothing is kept here but what is under way. What the server allows to be
// kept, and what it tells of changes, goes to the kernel's caches as it is.
#pragma once

#include "call_runner.hpp"

#include "vfsproto/posix/server_change.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vfsproto::kernel_mount {

// The channel outlives it. Nobody else makes requests with lookups on the channel.
class KernelSession {
public:
    // Starts one worker; more come as they are wanted. Throws std::system_error if there is no thread to be had.
    KernelSession(posix::Channel& channel, backends::FileDescriptor device);
    ~KernelSession() { end(); }
    KernelSession(const KernelSession&) = delete;
    KernelSession& operator=(const KernelSession&) = delete;

    // True if the mount has been taken away, or no worker is left.
    [[nodiscard]] bool is_over();
    // True if it was the first.
    [[nodiscard]] bool was_taken_away() const noexcept { return taken_away_; }
    // Ends the workers, once: calls that are under way are interrupted. Those that come later find no connection.
    void end() noexcept;
    // Tells the kernel of a change at the server. One thread at a time; it has returned before end() begins. It may wait for what a
    // call holds, which a worker is to answer.
    void take_change(const posix::ServerChange& change);

    [[nodiscard]] const MountCounters& counters() const noexcept { return shared_.counters; }

private:
    static constexpr std::size_t kMostWorkers = 32; // each has memory of its own, of which a channel bears 64 pieces

    void start_worker(); // with the lock
    void work() noexcept;
    [[nodiscard]] bool take_one(CallRunner& runner);
    void wait_for_memory();
    void run_apart(std::function<void()> run);
    void notify(wire::NotifyCode code, std::span<const std::byte> fixed, std::string_view name);

    MountShared shared_;
    std::mutex mutex_;
    std::condition_variable ended_; // a worker, or what ran apart
    std::vector<std::thread> workers_;
    std::size_t alive_ = 0; // workers
    std::size_t apart_ = 0; // threads beside them
    std::atomic<std::size_t> idle_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> taken_away_{false};
};

} // namespace vfsproto::kernel_mount
