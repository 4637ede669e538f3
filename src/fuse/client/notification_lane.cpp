// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/notification_lane.hpp"

#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"

namespace vfsproto::client {

namespace {

// Nothing is known of what changed.
wire::Notification anything() noexcept {
    wire::Notification told;
    told.code = static_cast<wire::i32>(wire::NotifyCode::inc_epoch);
    told.info = wire::find_notification(told.code);
    return told;
}

} // namespace

Errc NotificationLane::init(QueueRef queue, const Memory& memory) noexcept {
    if (memory.buffer_size < kSmallestBuffer || memory.copy.size() < memory.buffer_size) return Errc::bad_argument;
    std::size_t count = memory.buffers.size() / memory.buffer_size;
    const QueueLimits limits = queue.limits();
    if (count > limits.max_inflight) count = limits.max_inflight;
    if (count > kMaxBuffers) count = kMaxBuffers;
    if (count == 0) return Errc::bad_argument;
    queue_ = queue;
    memory_ = memory;
    count_ = static_cast<std::uint16_t>(count);
    lengths_ = limits.written;
    for (bool& posted : posted_) posted = false;
    error_ = Errc::ok;
    counters_ = {};
    return Errc::ok;
}

std::byte* NotificationLane::host_of(std::uint16_t slot) const noexcept {
    return memory_.buffers.host() + std::size_t{slot} * memory_.buffer_size;
}

Errc NotificationLane::post_one(std::uint16_t slot) noexcept {
    // A header that the device leaves alone must not look like a message.
    const wire::OutHeader none{};
    copy_to_peer(host_of(slot), &none, sizeof none);
    const Segment buffer{memory_.buffers.device() + std::uint64_t{slot} * memory_.buffer_size, memory_.buffer_size};
    const Errc errc = queue_.submit({}, {&buffer, 1}, Token{slot});
    if (errc == Errc::ok) posted_[slot] = true;
    return errc;
}

Errc NotificationLane::post() noexcept {
    for (std::uint16_t slot = 0; slot < count_ && error_ == Errc::ok; ++slot) {
        if (!posted_[slot]) error_ = post_one(slot);
    }
    queue_.kick();
    return error_;
}

// Copies the message out of its buffer, which the device may be changing, and checks how it is framed.
Errc NotificationLane::take(const Completion& done, std::span<const std::byte>& message) noexcept {
    const std::uint16_t slot = done.token.slot;
    if (slot >= count_ || !posted_[slot]) return Errc::ring_id_not_live;
    posted_[slot] = false;
    std::uint32_t length = done.written;
    if (length < sizeof(wire::OutHeader) || length > memory_.buffer_size) return Errc::message_length;
    copy_from_peer(memory_.copy.data(), host_of(slot), length);
    const auto header = wire::get_struct<wire::OutHeader>(memory_.copy.data());
    if (lengths_ == WrittenLength::upper_bound && header.len < length) length = header.len;
    if (header.len != length || length < sizeof header) return Errc::message_length;
    if (header.unique != 0) return Errc::unique_mismatch;
    if (header.error <= 0) return Errc::protocol_violation;
    message = memory_.copy.first(length);
    return Errc::ok;
}

bool NotificationLane::next(wire::Notification& told) noexcept {
    Completion done;
    while (error_ == Errc::ok) {
        if (queue_.poll({&done, 1}) == 0) {
            error_ = queue_.error();
            return false;
        }
        std::span<const std::byte> message;
        if (error_ = take(done, message); error_ != Errc::ok) return false;
        if (error_ = post_one(done.token.slot); error_ != Errc::ok) return false;
        queue_.kick();
        const auto decoded = wire::decode_notification(message);
        if (decoded && decoded->info == nullptr) {
            ++counters_.unknown;
            continue;
        }
        ++(decoded ? counters_.taken : counters_.malformed);
        told = decoded ? *decoded : anything();
        return true;
    }
    return false;
}

} // namespace vfsproto::client
