// SPDX-License-Identifier: BSD-2-Clause
// Tells a client what others have changed, through the buffers that it has posted in its notification queue: the mirror of
// client::NotificationLane.
//
// It never waits for a buffer. A change that finds no buffer, or none that is long enough, is owed: one INC_EPOCH, which says that
// anything may have changed, goes before all later messages. Linux drops less than that says (Change::What::anything). The owner's loop, which tells
// what is owed when the driver posts a buffer:
//
//   if (notifier.tell(change)) { if (queue.wants_notification()) notify(); }   // when something changed
//   while (notifier.owes() && !notifier.settle() && queue.arm()) {}            // then, and when the driver kicks
#pragma once

#include "vfsproto/fuse/server/detail/notification_message.hpp"
#include "vfsproto/fuse/server/server_session.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::server {

// Counts since the start, of one writer.
struct NotifierCounters {
    std::uintptr_t told = 0;    // messages in buffers of the driver
    std::uintptr_t missed = 0;  // changes that found no room, and are told as one INC_EPOCH
    std::uintptr_t refused = 0; // buffers too short for any message: they went back empty
};

// One owner at a time. No lock, no clock, no heap.
template <DeviceQueue Queue> class Notifier {
public:
    // All of it outlives this. `segments` has room for the longest chain that the queue can give.
    Notifier(Queue& queue, const ServerSession& session, std::span<HostSegment> segments) noexcept
        : queue_(queue), session_(session), segments_(segments) {}
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    // True if a message was pushed: this one, or an INC_EPOCH, which says it as well. Before INIT and after DESTROY a client keeps
    // nothing, and is told nothing.
    bool tell(const Change& change) noexcept {
        if (!session_.ready()) return false;
        const bool pushed = send(NotificationMessage(owes_ ? Change{} : change));
        if (pushed) return true;
        owes_ = true;
        ++counters_.missed;
        return false;
    }
    // Pushes the INC_EPOCH that is owed, if there is room now. True if it was pushed.
    bool settle() noexcept { return owes_ && session_.ready() && send(NotificationMessage(Change{})); }
    // True if settle() is to be called when the driver posts a buffer.
    [[nodiscard]] bool owes() const noexcept { return owes_; }
    // Called when the queue was reset: a client that begins anew keeps nothing.
    void forget() noexcept { owes_ = false; }

    [[nodiscard]] const NotifierCounters& counters() const noexcept { return counters_; }

private:
    // Buffers that are given back empty in one call. A driver that posts more of them is told less.
    static constexpr int kMostRefused = 8;

    bool send(const NotificationMessage& message) noexcept {
        Chain chain;
        for (int refused = 0; refused < kMostRefused; ++refused) {
            chain.storage = segments_;
            if (!queue_.pop(chain)) return false;
            std::uint32_t written = message.write_to(chain.writable());
            if (written == 0) {
                written = NotificationMessage(Change{}).write_to(chain.writable());
                ++(written == 0 ? counters_.refused : counters_.missed);
            }
            static_cast<void>(queue_.push(chain, written)); // the queue latches what goes wrong here
            if (written == 0) continue;
            ++counters_.told;
            owes_ = false;
            return true;
        }
        return false;
    }

    Queue& queue_;
    const ServerSession& session_;
    std::span<HostSegment> segments_;
    bool owes_ = false;
    NotifierCounters counters_{};
};

} // namespace vfsproto::server
