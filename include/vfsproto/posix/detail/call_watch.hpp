// SPDX-License-Identifier: BSD-2-Clause
// Calls that a limit may end while the server still has their request. The slot of such a request belongs to an AbandonedCall
// from then on, until the device gives it back; what the late reply granted is undone, on a thread of its own.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace vfsproto::posix {

class Channel;

// Takes the place of a request whose caller has gone on.
struct AbandonedCall : client::LateReply {
    Channel* channel = nullptr;
    std::uint64_t unique = 0;
    std::shared_ptr<const void> held{};          // what the request names: it stays in use until the late reply
    std::function<void(Channel&)> undo{};        // called if the server did what it was asked; any thread, no lock
    AbandonedCall* next_uninterrupted = nullptr; // the channel's
    std::unique_ptr<AbandonedCall> next_ended{}; // the watch's
};

// One call that waits under limits. On the stack of its thread.
class LimitedCall final : public StopSource::Stoppable {
public:
    // `late` is used if the call is let go of.
    LimitedCall(Channel& channel, const CallLimits& limits, std::unique_ptr<AbandonedCall> late) noexcept;
    LimitedCall(const LimitedCall&) = delete;
    LimitedCall& operator=(const LimitedCall&) = delete;
    ~LimitedCall();

    void look_again() noexcept override;

private:
    friend class Channel;
    friend class CallWatch;

    Channel& channel_;
    const CallLimits& limits_;
    Waiter waiter_;
    // The rest is guarded by the lane's lock.
    std::unique_ptr<AbandonedCall> late_;
    client::Operation* operation_ = nullptr; // while it is under way
    LimitedCall* next_ = nullptr;            // in the watch's list
    LimitedCall* previous_ = nullptr;
};

// Lets go of calls that have reached a limit, and undoes what late replies granted, on a thread that starts with the first
// limited call. Everything is guarded by the lane's lock.
class CallWatch {
public:
    explicit CallWatch(Channel& channel, SharedLane& lane) noexcept : channel_(channel), lane_(lane) {}
    // No call is under way, and none is abandoned.
    ~CallWatch();
    CallWatch(const CallWatch&) = delete;
    CallWatch& operator=(const CallWatch&) = delete;

    // Starts the thread, before the first add(). Throws std::system_error if there is none to be had.
    void prepare() VFSPROTO_EXCLUDES(lane_.mutex());
    // These are called with the lane's lock held. Has the thread look at the call's limits until remove().
    void add(LimitedCall& call) noexcept;
    void remove(LimitedCall& call) noexcept;
    // Counts an abandoned call; takes it when its late reply came.
    void abandoned() noexcept;
    void ended(std::unique_ptr<AbandonedCall> call) noexcept;

    // Has the thread look at every call. Takes no lock.
    void look_again() noexcept { ring(); }
    // True if every late reply came and was undone. Waits for `time` at most.
    [[nodiscard]] bool settle(std::chrono::nanoseconds time) noexcept VFSPROTO_EXCLUDES(lane_.mutex());

private:
    void run() noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    [[nodiscard]] bool expire() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void undo_ended() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void ring() noexcept;

    Channel& channel_;
    SharedLane& lane_;
    LimitedCall* first_ VFSPROTO_GUARDED_BY(lane_.mutex()) = nullptr;
    std::unique_ptr<AbandonedCall> ended_ VFSPROTO_GUARDED_BY(lane_.mutex());
    std::size_t out_ VFSPROTO_GUARDED_BY(lane_.mutex()) = 0; // abandoned, or not undone yet
    bool closing_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false;
    std::chrono::steady_clock::time_point next_ VFSPROTO_GUARDED_BY(lane_.mutex()){}; // deadline, if there is a call
    std::atomic<std::uint32_t> bell_{0};    // changes when there is something to do; the thread sleeps on this word
    std::atomic<std::uint32_t> settled_{0}; // changes when the last abandoned call was undone
    std::thread thread_;
};

} // namespace vfsproto::posix
