// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/stop_source.hpp"

#include <algorithm>
#include <thread>

namespace vfsproto::posix {

// A call that registers later finds the flag, and never starts.
void StopSource::stop() noexcept {
    const std::lock_guard lock(mutex_);
    if (stopped_.exchange(true, std::memory_order_acq_rel)) return;
    for (Stoppable* call : calls_) call->look_again();
    stops_.notify_all();
}

void StopSource::reset() noexcept {
    const std::lock_guard lock(mutex_);
    stopped_.store(false, std::memory_order_release);
}

void StopSource::add(Stoppable& call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(&call);
}

void StopSource::remove(Stoppable& call) noexcept {
    const std::lock_guard lock(mutex_);
    calls_.erase(std::find(calls_.begin(), calls_.end(), &call));
}

void StopSource::wait_until(std::chrono::steady_clock::time_point time) {
    std::unique_lock lock(mutex_);
    stops_.wait_until(lock, time, [this] { return is_stopped(); });
}

Failure CallLimits::reached() const noexcept {
    if (stop != nullptr && stop->is_stopped()) return Errc::abandoned;
    if (deadline && std::chrono::steady_clock::now() >= *deadline) return Errc::timed_out;
    return {};
}

void CallLimits::pause(std::chrono::milliseconds time) const {
    auto until = std::chrono::steady_clock::now() + time;
    if (deadline) until = std::min(until, *deadline);
    if (stop != nullptr) {
        stop->wait_until(until);
    } else {
        std::this_thread::sleep_until(until);
    }
}

CallLimits MountLimits::begin_call() const noexcept {
    CallLimits limits{.stop = stop, .grace = grace};
    // A time so long that no clock counts it is none.
    constexpr std::chrono::hours kForEver{24 * 365 * 100};
    if (time && *time < kForEver) limits.deadline = std::chrono::steady_clock::now() + *time;
    return limits;
}

} // namespace vfsproto::posix
