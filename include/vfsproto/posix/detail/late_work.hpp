// SPDX-License-Identifier: BSD-2-Clause
// Does what calls left behind whose callers have gone on, one after the other, on a thread of its own: it waits for the server,
// which those who watch limits must not.
#pragma once

#include "vfsproto/posix/detail/abandoned_call.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace vfsproto::posix {

// Everything is guarded by the lane's lock.
class LateWork {
public:
    explicit LateWork(SharedLane& lane) noexcept : lane_(lane) {}
    // Nothing is left to be done.
    ~LateWork();
    LateWork(const LateWork&) = delete;
    LateWork& operator=(const LateWork&) = delete;

    // Starts the thread, with the lane's lock held. Throws std::system_error if there is none to be had.
    void prepare();
    // Counts a call that was let go; give() takes it when it is over. The thread was started.
    void expect() noexcept;
    void give(std::unique_ptr<AbandonedCall> call) noexcept;
    // Returns how many are expected, or not finished yet.
    [[nodiscard]] std::size_t left() const noexcept {
        lane_.mutex().assert_held();
        return left_;
    }
    // True on the thread that does it. Any thread.
    [[nodiscard]] bool is_done_here() const noexcept;
    // True if nothing is left. Waits for `time` at most.
    [[nodiscard]] bool settle(std::chrono::nanoseconds time) noexcept VFSPROTO_EXCLUDES(lane_.mutex());

private:
    void run() noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    [[nodiscard]] std::unique_ptr<AbandonedCall> take() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void finish(std::unique_ptr<AbandonedCall> call) noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    void ring() noexcept;

    SharedLane& lane_;
    std::unique_ptr<AbandonedCall> over_ VFSPROTO_GUARDED_BY(lane_.mutex()); // in order
    AbandonedCall* last_ VFSPROTO_GUARDED_BY(lane_.mutex()) = nullptr;       // of over_
    std::size_t left_ VFSPROTO_GUARDED_BY(lane_.mutex()) = 0;
    bool closing_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false;
    std::atomic<std::uint32_t> bell_{0};    // changes when there is something to do; the thread sleeps on this word
    std::atomic<std::uint32_t> settled_{0}; // changes when nothing is left
    std::thread thread_;
};

} // namespace vfsproto::posix
