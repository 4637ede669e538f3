// SPDX-License-Identifier: BSD-2-Clause
// Notices that a device which owes answers gives none any more. A bus has no word for a server that died behind it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace vfsproto::posix {

class SilenceWatch {
public:
    // Returns the number of answers so far; nothing while none is owed.
    using Progress = std::function<std::optional<std::uint64_t>()>;

    // `silent` is called once, when an answer was owed and none came for `limit`. Both are called by a thread of the
    // watch's own, which looks a few times in that while.
    SilenceWatch(std::chrono::milliseconds limit, Progress progress, std::function<void()> silent);
    ~SilenceWatch();
    SilenceWatch(const SilenceWatch&) = delete;
    SilenceWatch& operator=(const SilenceWatch&) = delete;

private:
    using Clock = std::chrono::steady_clock;

    void run();
    // False: it is over.
    [[nodiscard]] bool pause();

    std::chrono::milliseconds limit_;
    Progress progress_;
    std::function<void()> silent_;
    std::mutex mutex_;
    std::condition_variable ends_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace vfsproto::posix
