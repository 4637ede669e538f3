// SPDX-License-Identifier: BSD-2-Clause
// The notifications of one device, taken on a thread of their own: nobody else may be waiting for anything when one comes.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/queue_set.hpp"
#include "vfsproto/fuse/client/notification_lane.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace vfsproto::posix {

class NotificationWatch {
public:
    // They are called on the watch's thread, without a lock.
    struct Taker {
        std::function<void(const wire::Notification&)> told;
        std::function<void(Errc)> broken; // once: the queue has latched an error, and nothing more will come
    };

    NotificationWatch() = default;
    ~NotificationWatch() { stop(); }
    NotificationWatch(const NotificationWatch&) = delete;
    NotificationWatch& operator=(const NotificationWatch&) = delete;

    // Returns how much memory the buffers take: a few of them, more of short ones.
    [[nodiscard]] static std::size_t memory_bytes(std::uint32_t buffer_size) noexcept;

    // Posts the buffers. Queue and memory outlive the watch. Errors: no_memory (no descriptor left); those of NotificationLane.
    [[nodiscard]] Errc init(backends::SetQueue queue, const Region& memory, std::uint32_t buffer_size);
    // Starts the thread, once, which takes what came since init() first. Throws std::system_error if there is none to be had.
    void start(Taker taker);
    // Ends the thread, if there is one: the taker is not called any more. Not from the taker.
    void stop() noexcept;

    // Any thread.
    [[nodiscard]] client::NotificationCounters counters() const;

private:
    void run() noexcept;
    [[nodiscard]] bool take_all() noexcept;
    void wait() noexcept;

    backends::SetQueue queue_{};
    std::unique_ptr<std::byte[]> copy_;
    client::NotificationLane lane_; // its owner is the thread, once it has started
    Taker taker_;
    backends::FileDescriptor wake_;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_; // what follows
    client::NotificationCounters counters_{};
    std::thread thread_;
};

} // namespace vfsproto::posix
