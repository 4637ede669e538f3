// SPDX-License-Identifier: BSD-2-Clause
// The mounted client below the line: one session, its hiprio queue, the queue INIT and DESTROY travel on, and the lanes.
// It moves the session's messages and notices when anything breaks. No lock, no clock, no heap: the host's lock covers it
// together with its lanes, and the host waits.
//
// The control queue may be a lane's own request queue: the session uses it only before a lane does, and once all are idle.
#pragma once

#include "vfsproto/fuse/client/detail/session_trace.hpp"
#include "vfsproto/fuse/client/detail/sticky.hpp"
#include "vfsproto/fuse/client/session.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::client {

// Names the queues whose interrupts the session waits for.
struct SessionWaits {
    bool hiprio = false;
    bool control = false;
};

struct ConnectionCounters {
    std::uintptr_t sent = 0;        // messages of the session
    std::uintptr_t hiprio_used = 0; // completions of the hiprio queue
};

// Drives a session, its two queues and its lanes.
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     Connection connection;
//     Errc errc = connection.init(memory, {}, hiprio, control);
//     if (errc == Errc::ok) errc = connection.add_lane(lane);
//     if (errc == Errc::ok) errc = connection.open({});
//
// Then pump() until a goal is reached: the session is settled, no FORGET waits in line, and the like. Between two turns the
// host sleeps until one of the queues that next_wait() names interrupts.
//
// Example (tests/unit/client/client_examples_test.cpp):
//
//     for (;;) {
//         if (const Errc why = connection.pump(); why != Errc::ok) return why; // stop the device, then call fail(why)
//         if (connection.is_settled()) break;
//         if (!connection.arm()) wait_for_interrupt();
//     }
class Connection {
public:
    static constexpr std::size_t kMaxLanes = 16;

    Connection() noexcept = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Takes the session's memory and its two queues; both outlive the connection. Again before an open() that follows a
    // failure, or a resume(), for other queues; the lanes stay. Errors: what Session::init() says.
    [[nodiscard]] Errc init(const Region& memory, const SessionOptions& options, QueueRef hiprio,
                            QueueRef control) noexcept;
    // The lane outlives the connection. Errors: queue_full (kMaxLanes are here).
    template <class Lane> [[nodiscard]] Errc add_lane(Lane& lane) noexcept {
        if (lane_count_ == kMaxLanes) return Errc::queue_full;
        lanes_[lane_count_++] = {&lane,
                                 [](const void* it) noexcept { return static_cast<const Lane*>(it)->error(); },
                                 [](const void* it) noexcept { return static_cast<const Lane*>(it)->idle(); },
                                 [](void* it, Errc why) noexcept { static_cast<Lane*>(it)->fail_all(why); },
                                 [](void* it) noexcept { static_cast<Lane*>(it)->suspend(); },
                                 [](const void* it) noexcept { return static_cast<const Lane*>(it)->is_suspended(); }};
        return Errc::ok;
    }
    // Every message of the session is shown to the hook from now on, with lane 0.
    void set_trace(const TraceHook& hook) noexcept { trace_.set_hook(hook); }

    [[nodiscard]] const Session& session() const noexcept { return session_; }
    [[nodiscard]] const SessionParams& params() const noexcept { return session_.params(); }
    [[nodiscard]] StickyEnosys& sticky() noexcept { return sticky_; }
    [[nodiscard]] const ConnectionCounters& counters() const noexcept { return counters_; }
    // Returns ok, or what fail() was called with.
    [[nodiscard]] Errc failure() const noexcept { return failed_; }
    // True if the session waits for nothing: it is neither being opened nor closed.
    [[nodiscard]] bool is_settled() const noexcept;
    // True if the hiprio queue holds messages, so that each drain of a lane should be followed by drained().
    [[nodiscard]] bool wants_turns() const noexcept { return session_.hiprio_in_flight() != 0; }

    // Opens the session anew; its failure and what the server was found to lack are forgotten. Errors: wrong_state.
    [[nodiscard]] Errc open(const InitOptions& wanted) noexcept;
    // Stops taking forgets; DESTROY follows in pump() once every lane is idle and every FORGET was used. Errors: wrong_state.
    [[nodiscard]] Errc close() noexcept { return session_.close(); }
    // Does as close(), and has every lane refuse what comes from now on with `suspended`. The host pumps and drains until
    // is_suspended(), and stops the device then; a lane that is idle is not drained, as its queue may be the control queue.
    // Nothing is kept of what the server gave: a device knows nothing after its reset. One that fails meanwhile ends the session
    // as at any other time: fail() is due. Errors: wrong_state.
    //
    // Example (tests/unit/client/connection_test.cpp):
    //
    //     if (const Errc why = connection.suspend(); why != Errc::ok) return why;
    //     while (!connection.is_suspended() && connection.failure() == Errc::ok) take_turn();
    //     return connection.failure();
    [[nodiscard]] Errc suspend() noexcept;
    // True from the answer to DESTROY until resume(): no queue has a message or a request, and the server knows of no session.
    // Then the queues and all memory may go. What stays is here: the lanes' names, counters, the generation and the uniques,
    // none of which comes twice.
    [[nodiscard]] bool is_suspended() const noexcept {
        return suspends_ && session_.state() == SessionState::closed && failed_ == Errc::ok;
    }
    // Opens the session anew, as open() does, after every lane was given its queue by init(), and the connection its own if they are
    // others now. Errors: wrong_state, also if a lane was not.
    [[nodiscard]] Errc resume(const InitOptions& wanted) noexcept;
    void forget(ForgetLink& link) noexcept { session_.forget(link); }
    [[nodiscard]] ForgetLink* take_forgotten() noexcept { return session_.take_forgotten(); }
    // Wants a request interrupted, as Session::interrupt(); pump() sends the message.
    [[nodiscard]] Errc interrupt(std::uint64_t unique) noexcept { return session_.interrupt(unique); }
    void end_interrupt(std::uint64_t unique) noexcept { session_.end_interrupt(unique); }

    // Takes what was used of the session's queues, and sends what the session wants to say until a queue is full. Returns ok,
    // or why nothing on this device can be believed any more: then the host stops it and calls fail().
    [[nodiscard]] Errc pump() noexcept;
    // Called after a drain of a lane, under the lock. Does what pump() does if the hiprio queue holds messages, else looks at
    // the lanes alone.
    [[nodiscard]] Errc drained() noexcept;
    // next_wait() returns which queues to wait for; arm() asks those for an interrupt, and is true if there is something to
    // take already.
    [[nodiscard]] SessionWaits next_wait() const noexcept;
    [[nodiscard]] bool arm() noexcept;
    // The device is gone, or was stopped: it touches no memory any more. Every request of every lane ends with `why`, and
    // every link comes back through take_forgotten(). Once; later calls change nothing.
    void fail(Errc why) noexcept;

private:
    struct LaneEntry {
        void* lane;
        Errc (*error)(const void*) noexcept;
        bool (*idle)(const void*) noexcept;
        void (*fail_all)(void*, Errc) noexcept;
        void (*suspend)(void*) noexcept;
        bool (*is_suspended)(const void*) noexcept;
    };
    static constexpr std::size_t kBatch = 8; // completions taken at once

    [[nodiscard]] bool uses_control() const noexcept;
    [[nodiscard]] Errc take_used() noexcept;
    [[nodiscard]] bool send() noexcept;
    [[nodiscard]] Errc lane_error() const noexcept;
    [[nodiscard]] bool lanes_are_idle() const noexcept;

    Session session_;
    Region memory_{};
    QueueRef hiprio_{};
    QueueRef control_{};
    LaneEntry lanes_[kMaxLanes]{};
    std::size_t lane_count_ = 0;
    StickyEnosys sticky_;
    LockWaits lock_waits_ = LockWaits::by_client;
    SessionTrace trace_;
    ConnectionCounters counters_{};
    Errc failed_ = Errc::ok;
    bool suspends_ = false; // since suspend()
};

} // namespace vfsproto::client
