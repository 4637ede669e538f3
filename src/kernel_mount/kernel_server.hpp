// SPDX-License-Identifier: BSD-2-Clause
// The kernel as a client of a file system of ours: its requests come over /dev/fuse, each worker takes them from a descriptor of its
// own, and serves them. One read and one write for each request beside what the file system does.
#pragma once

#include "change_teller.hpp"
#include "kernel_lane.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace vfsproto::kernel_mount {

class KernelServer final : private server::AnswerSink {
public:
    // Starts one worker; more come as they are wanted. Throws std::system_error and std::bad_alloc.
    KernelServer(std::unique_ptr<KernelServed> served, backends::FileDescriptor device);
    ~KernelServer() { end(); }
    KernelServer(const KernelServer&) = delete;
    KernelServer& operator=(const KernelServer&) = delete;

    // True if the mount has been taken away, or no worker is left.
    [[nodiscard]] bool is_over();
    // True if it was the first.
    [[nodiscard]] bool was_taken_away() const noexcept { return taken_away_; }
    // Ends the workers, once; handlers that run are waited for.
    void end() noexcept;

    [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }
    [[nodiscard]] std::size_t workers() const noexcept { return lanes_made_; }

private:
    // This many workers may be in system calls that take their time.
    static constexpr std::size_t kMostWorkers = 16;

    void start_worker(backends::FileDescriptor device); // with the lock
    void add_worker() noexcept;
    void work(KernelLane& lane) noexcept;
    void try_everywhere(std::span<const std::byte> reply) noexcept;
    void can_answer(std::uint16_t lane) noexcept override;

    std::unique_ptr<KernelServed> served_;
    // Others read those below lanes_made_, without the lock.
    std::array<std::unique_ptr<KernelLane>, kMostWorkers> lanes_;
    std::atomic<std::size_t> lanes_made_{0};
    std::mutex mutex_;
    std::condition_variable ended_; // a worker
    std::vector<std::thread> workers_;
    std::size_t alive_ = 0; // workers
    std::atomic<std::size_t> idle_{0};
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> taken_away_{false};
    std::optional<ChangeTeller> teller_;
};

} // namespace vfsproto::kernel_mount
