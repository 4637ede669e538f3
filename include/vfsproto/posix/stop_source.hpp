// SPDX-License-Identifier: BSD-2-Clause
// A call that waits for long is ended by a limit: a stop that another thread asks for, or a point in time. CallLimits are those
// of one call, MountLimits those of every call of a mount (Mount::limited_by()).
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

namespace vfsproto::posix {

// Ends calls that were given it. Outlives them. Any thread.
class StopSource {
public:
    // A call that can be stopped. look_again() is called when the source was stopped, while the call is registered.
    class Stoppable {
    public:
        virtual void look_again() noexcept = 0;

    protected:
        ~Stoppable() = default;
    };

    StopSource() = default;
    StopSource(const StopSource&) = delete;
    StopSource& operator=(const StopSource&) = delete;

    // Ends every call that runs with it, and every later one before it sends anything, with `abandoned` (EINTR). Not from a
    // signal handler: it takes a mutex.
    void stop() noexcept;
    // Lets later calls go on again.
    void reset() noexcept;
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

    // Called by calls, before they start and after they ended.
    void add(Stoppable& call);
    void remove(Stoppable& call) noexcept;
    // Waits until then, or until it is stopped.
    void wait_until(std::chrono::steady_clock::time_point time);

private:
    std::mutex mutex_;
    std::condition_variable stops_;
    std::atomic<bool> stopped_{false};
    std::vector<Stoppable*> calls_;
};

// The limits of one call. None by default.
struct CallLimits {
    StopSource* stop = nullptr;
    std::optional<std::chrono::steady_clock::time_point> deadline{};
    // A request that is under way at a stop has so long to be answered: what the server did is known then. It is sent an
    // INTERRUPT at once, where that is known to be safe.
    std::chrono::milliseconds grace{0};

    [[nodiscard]] bool has_any() const noexcept { return stop != nullptr || deadline.has_value(); }
    // Says why the call is to end now; a Failure that did not happen if it may go on.
    [[nodiscard]] Failure reached() const noexcept;
    // Sleeps for so long, or until a limit is reached.
    void pause(std::chrono::milliseconds time) const;
};

// The limits of every call of a mount. None by default.
struct MountLimits {
    StopSource* stop = nullptr; // outlives the mount, and the files and directories it opened
    // Bounds what a call may take. Of read_all(), write_all() and list(), it bounds each of the calls that they consist of.
    std::optional<std::chrono::nanoseconds> time{};
    std::chrono::milliseconds grace{kDefaultGrace}; // as in CallLimits

    static constexpr std::chrono::milliseconds kDefaultGrace{100};

    [[nodiscard]] bool has_any() const noexcept { return stop != nullptr || time.has_value(); }
    // Returns the limits of a call that begins now.
    [[nodiscard]] CallLimits begin_call() const noexcept;
};

} // namespace vfsproto::posix
