// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/silence_watch.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <utility>

namespace vfsproto::posix {

SilenceWatch::SilenceWatch(std::chrono::milliseconds limit, Progress progress, std::function<void()> silent)
    : limit_(limit),
      progress_(std::move(progress)),
      silent_(std::move(silent)),
      thread_(backends::start_signal_free_thread([this] { run(); })) {}

SilenceWatch::~SilenceWatch() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    ends_.notify_one();
    thread_.join();
}

bool SilenceWatch::pause() {
    constexpr int kLooks = 8; // in the time of the limit
    std::unique_lock lock(mutex_);
    return !ends_.wait_for(lock, limit_ / kLooks, [this] { return ending_; });
}

void SilenceWatch::run() {
    std::optional<std::uint64_t> last;
    Clock::time_point since = Clock::now();
    while (pause()) {
        const std::optional<std::uint64_t> now = progress_();
        if (!now || now != last) {
            last = now;
            since = Clock::now();
            continue;
        }
        if (Clock::now() - since < limit_) continue;
        silent_();
        return;
    }
}

} // namespace vfsproto::posix
