// SPDX-License-Identifier: BSD-2-Clause
// Keeps calls of a ReconnectingMount out while it is suspended, and knows when the last call and the last session have ended.
#pragma once

#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace vfsproto::posix {

struct GatePassage;                       // session_tries.hpp
enum class ServerEnd : std::uint8_t;      // channel.hpp
enum class WhileSuspended : std::uint8_t; // reconnect_options.hpp

// Any thread.
class SuspendGate {
public:
    // Returns ok once the gate is open; at once on a thread that has passed it already, or has closed it. Errors: suspended, if the
    // call does not wait; the limit that ended its wait.
    [[nodiscard]] Failure enter(GatePassage& passage, WhileSuspended waits, const MountLimits& limits);
    // Is called by the thread that passed, in the opposite order.
    void leave(const GatePassage& passage) noexcept;

    // Returns ok once the gate is closed and all who had passed have left. Else it is open: a limit was reached. Errors beside that:
    // wrong_state (closed already, or by a call that has passed).
    [[nodiscard]] Failure close(const CallLimits& limits);
    void open() noexcept;
    [[nodiscard]] bool is_closed() const noexcept { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }

    // Lets the thread that has closed the gate make calls of its own. The passage outlives it.
    class Within {
    public:
        Within(const SuspendGate& gate, GatePassage& passage) noexcept;
        ~Within();
        Within(const Within&) = delete;
        Within& operator=(const Within&) = delete;

    private:
        const GatePassage& passage_;
    };

    // Count the sessions: end_session() is called when nothing of this one is left.
    void begin_session();
    void end_session(std::uint32_t session, ServerEnd end) noexcept;
    // Returns ok once every session has ended.
    [[nodiscard]] Failure wait_for_sessions(const CallLimits& limits);
    // True if this session has ended, and its server may still do what it was asked.
    [[nodiscard]] bool may_still_act(std::uint32_t session);

private:
    static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63; // the bits below count who has passed

    [[nodiscard]] bool was_passed_here() const noexcept; // by this thread
    void step_out() noexcept;
    template <class Ready> [[nodiscard]] Failure wait_until(const CallLimits& limits, const Ready& is_ready);

    std::atomic<std::uint64_t> state_{0};
    std::mutex mutex_; // for what follows, and for whoever sleeps
    std::condition_variable changed_;
    std::size_t sessions_ = 0;
    std::uint32_t may_still_act_ = 0; // the last such session; 0: none
};

} // namespace vfsproto::posix
