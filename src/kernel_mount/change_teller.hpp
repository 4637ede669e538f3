// SPDX-License-Identifier: BSD-2-Clause
// Tells the kernel of changes on a thread of its own: the kernel may make it wait for a process that waits for the server.
#pragma once

#include "vfsproto/fuse/server/change_sink.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace vfsproto::kernel_mount {

class ChangeTeller final : public server::ChangeSink {
public:
    // `device` is a descriptor of /dev/fuse, which stays the caller's. Throws std::system_error if there is no thread.
    explicit ChangeTeller(int device);
    // Waits for the one under way, which may wait for an answer of the server. The others are not told any more.
    ~ChangeTeller();
    ChangeTeller(const ChangeTeller&) = delete;
    ChangeTeller& operator=(const ChangeTeller&) = delete;

    void tell(const server::Change& change) noexcept override;

private:
    using Message = std::vector<std::byte>;
    static constexpr std::size_t kMostMessages = 1024;

    [[nodiscard]] static Message message_of(const server::Change& change);
    void run() noexcept;

    const int device_;
    std::mutex mutex_; // what follows
    std::condition_variable changed_;
    std::deque<Message> messages_;
    bool has_lost_some_ = false; // then the kernel is told that anything may have changed
    bool is_ending_ = false;
    std::thread thread_;
};

} // namespace vfsproto::kernel_mount
