// SPDX-License-Identifier: BSD-2-Clause
// The kernel's requests that are under way, by their `unique`, so that one can be interrupted.
#pragma once

#include "vfsproto/posix/stop_source.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

namespace vfsproto::kernel_mount {

// Any thread.
class RunningCalls {
public:
    // Lists a call as long as it lives.
    class Listed {
    public:
        Listed(RunningCalls& calls, std::uint64_t unique, posix::StopSource& stop) : calls_(calls), stop_(stop) {
            const std::lock_guard lock(calls_.mutex_);
            calls_.listed_.push_back({unique, &stop_});
            if (calls_.all_stopped_) stop_.stop();
        }
        ~Listed() {
            const std::lock_guard lock(calls_.mutex_);
            std::erase_if(calls_.listed_, [this](const Call& call) { return call.stop == &stop_; });
            if (stop_.is_stopped()) stop_.reset();
        }
        Listed(const Listed&) = delete;
        Listed& operator=(const Listed&) = delete;

    private:
        RunningCalls& calls_;
        posix::StopSource& stop_;
    };

    // False if no such call is under way: it has ended, or is about to begin.
    [[nodiscard]] bool interrupt(std::uint64_t unique) noexcept {
        const std::lock_guard lock(mutex_);
        for (const Call& call : listed_) {
            if (call.unique != unique) continue;
            call.stop->stop();
            return true;
        }
        return false;
    }
    // Interrupts all calls, and every later one.
    void interrupt_all() noexcept {
        const std::lock_guard lock(mutex_);
        all_stopped_ = true;
        for (const Call& call : listed_) call.stop->stop();
    }

private:
    struct Call {
        std::uint64_t unique;
        posix::StopSource* stop;
    };

    std::mutex mutex_;
    std::vector<Call> listed_;
    bool all_stopped_ = false;
};

} // namespace vfsproto::kernel_mount
