// SPDX-License-Identifier: BSD-2-Clause
// The queue that brings what a server tells unasked (virtio 1.2 §5.11.6.4): kept full of buffers, each message copied once,
// checked, and its buffer posted again before the message is looked at.
//
//   lane.init(queue, {region, copy, 4096});  lane.post();     // before INIT
//   for (;;) {
//       wire::Notification told;
//       while (lane.next(told)) host_applies(told);           // ForeignChanges has the rules for the caches
//       if (lane.error() != Errc::ok) stop the device;
//       if (!lane.arm()) sleep until the queue interrupts
//   }
//
// What cannot be understood counts as INC_EPOCH: anything may have changed.
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// Counts since init(), of one writer.
struct NotificationCounters {
    std::uintptr_t taken = 0;     // well formed, of a code that is known
    std::uintptr_t unknown = 0;   // of another code: passed over
    std::uintptr_t malformed = 0; // their contents break a rule: taken as INC_EPOCH
};

// One owner at a time. No lock, no clock, no heap.
class NotificationLane {
public:
    static constexpr std::size_t kMaxBuffers = 64;
    static constexpr std::uint32_t kSmallestBuffer = sizeof(wire::OutHeader);

    // Memory of the host, which outlives the lane.
    struct Memory {
        Region buffers{};              // the device writes here: at least one buffer
        std::span<std::byte> copy{};   // nobody else writes here: one buffer
        std::uint32_t buffer_size = 0; // FsConfig::notify_buf_size: no message is longer
    };

    NotificationLane() noexcept = default;
    NotificationLane(const NotificationLane&) = delete;
    NotificationLane& operator=(const NotificationLane&) = delete;

    // Errors: bad_argument (a size below kSmallestBuffer, or memory without room for one buffer).
    [[nodiscard]] Errc init(QueueRef queue, const Memory& memory) noexcept;
    // Gives the device every buffer it does not have. Errors: what the queue has latched.
    [[nodiscard]] Errc post() noexcept;
    // Takes the next message; false when there is none, or when the lane has latched an error. Names and data lie in the host's
    // copy until the next call.
    [[nodiscard]] bool next(wire::Notification& told) noexcept;
    // Asks for an interrupt. True if there is something to take already.
    [[nodiscard]] bool arm() noexcept { return queue_.arm(1); }

    // Returns ok, or the rule that was broken. Latched: ring_id_not_live (a buffer that the device does not have),
    // message_length (shorter than a header or than it says, or longer than its buffer), unique_mismatch (it is a reply),
    // protocol_violation (the code is no number above 0), or what the queue has latched.
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] const NotificationCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::size_t buffers() const noexcept { return count_; }

private:
    [[nodiscard]] Errc post_one(std::uint16_t slot) noexcept;
    [[nodiscard]] Errc take(const Completion& done, std::span<const std::byte>& message) noexcept;
    [[nodiscard]] std::byte* host_of(std::uint16_t slot) const noexcept;

    QueueRef queue_{};
    Memory memory_{};
    std::uint16_t count_ = 0;
    bool posted_[kMaxBuffers] = {}; // the device has this buffer
    WrittenLength lengths_ = WrittenLength::exact;
    Errc error_ = Errc::ok;
    NotificationCounters counters_{};
};

} // namespace vfsproto::client
