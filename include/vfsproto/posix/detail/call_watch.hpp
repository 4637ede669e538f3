// SPDX-License-Identifier: BSD-2-Clause
// Calls that a limit may end while the server still has their requests. The slots of such requests belong to an AbandonedCall
// from then on, until the device gives them back.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/abandoned_call.hpp"
#include "vfsproto/posix/detail/shared_lane.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <thread>
#include <type_traits>

namespace vfsproto::posix {

class Channel;
struct SideLane;

// Says how an operation of any kind is let go of and interrupted.
struct AbandonTable {
    Errc (*abandon)(client::Operation&, std::span<client::LateReply, AbandonedCall::kReplies>, Errc) noexcept;
    std::uint64_t (*unique)(const client::Operation&) noexcept;
};
template <class Op> inline constexpr bool kIsLongTransfer =
    std::is_same_v<Op, client::ReadFile> || std::is_same_v<Op, client::WriteFile>;
template <class Op> inline constexpr AbandonTable kAbandonTable{
    .abandon =
        [](client::Operation& operation, std::span<client::LateReply, AbandonedCall::kReplies> late,
           Errc why) noexcept {
            if constexpr (kIsLongTransfer<Op>) {
                return static_cast<Op&>(operation).abandon(late, why);
            } else {
                return operation.abandon(late[0], why);
            }
        },
    .unique =
        [](const client::Operation& operation) noexcept {
            if constexpr (kIsLongTransfer<Op>) {
                return static_cast<const Op&>(operation).unique();
            } else {
                return operation.unique();
            }
        },
};

// One operation that runs under limits, or one wait for any of several. On the stack of its thread, or in a coroutine's frame.
class LimitedCall final : public StopSource::Stoppable {
public:
    // `payload` is the registered region that the operation reads from or writes to; nullptr: none. The caller keeps it until the
    // operation ends; requests that outlive the call keep it themselves.
    LimitedCall(Channel& channel, const CallLimits& limits, const Region* payload = nullptr);
    LimitedCall(const LimitedCall&) = delete;
    LimitedCall& operator=(const LimitedCall&) = delete;
    ~LimitedCall();

    // True if the operation ended at a limit, while its request was waiting or in flight.
    [[nodiscard]] bool was_let_go() const noexcept { return abandoned_ != nullptr; }
    // Says which limit that was.
    [[nodiscard]] Errc why() const noexcept { return why_; }
    // True if it was in flight then: the server may do what it was asked.
    [[nodiscard]] bool was_in_flight() const noexcept { return was_in_flight_; }
    // Says what the requests name, and what is to be done when they are over. Once, after the operation was let go.
    void leave(Held&& held, AfterLate&& after = {}) noexcept;

    void look_again() noexcept override;

private:
    friend class Channel;
    friend class CallWatch;

    Channel& channel_;
    const CallLimits& limits_;
    const Region* payload_;
    Waiter waiter_;
    // The operation calls this at its end, where no thread waits for it.
    void (*on_finish_)(client::Operation&) noexcept = nullptr;
    void* user_ = nullptr;
    // The rest is guarded by the lane's lock while the operation is under way; where that goes by a side lane, the first two are
    // guarded by its lock instead, and all that follow by the first lane's.
    client::Operation* operation_ = nullptr; // while it is under way
    bool is_over_ = false;                   // a limit was reached before its start, or while a thread waits
    SideLane* side_ = nullptr;               // nullptr: the first lane
    Waiter* waits_ = nullptr;                // of a wait, while a limit may end it
    const AbandonTable* table_ = nullptr;
    std::optional<std::chrono::steady_clock::time_point> let_go_at_{}; // after a stop
    std::uint64_t interrupted_ = 0;                                    // the request that was, before it was let go
    AbandonedCall* abandoned_ = nullptr;                               // until leave()
    bool was_in_flight_ = false;
    Errc why_ = Errc::ok;
    LimitedCall* next_ = nullptr; // in the watch's list
    LimitedCall* previous_ = nullptr;
};

// Lets go of calls that have reached a limit, on a thread that starts with the first limited call and never waits for the
// server. Everything is guarded by the first lane's lock.
class CallWatch {
public:
    explicit CallWatch(Channel& channel, SharedLane& lane) noexcept : channel_(channel), lane_(lane) {}
    // No call is under way.
    ~CallWatch();
    CallWatch(const CallWatch&) = delete;
    CallWatch& operator=(const CallWatch&) = delete;

    // Starts the thread, with the lane's lock held. Throws std::system_error if there is none to be had.
    void prepare();
    // Has the thread look at the call's limits until remove().
    void add(LimitedCall& call) noexcept;
    void remove(LimitedCall& call) noexcept;
    // Has the thread look at every call. Takes no lock.
    void look_again() noexcept { ring(); }

private:
    void run() noexcept VFSPROTO_EXCLUDES(lane_.mutex());
    [[nodiscard]] bool expire() noexcept VFSPROTO_REQUIRES(lane_.mutex());
    [[nodiscard]] bool begins_grace(LimitedCall& call, Errc why) noexcept VFSPROTO_REQUIRES(lane_.mutex());
    void ring() noexcept;

    Channel& channel_;
    SharedLane& lane_;
    LimitedCall* first_ VFSPROTO_GUARDED_BY(lane_.mutex()) = nullptr;
    bool closing_ VFSPROTO_GUARDED_BY(lane_.mutex()) = false;
    // The thread looks then, if nothing happens before.
    std::chrono::steady_clock::time_point next_ VFSPROTO_GUARDED_BY(lane_.mutex()){};
    std::atomic<std::uint32_t> bell_{0}; // changes when there is something to do; the thread sleeps on this word
    std::thread thread_;
};

} // namespace vfsproto::posix
