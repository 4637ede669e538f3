// SPDX-License-Identifier: BSD-2-Clause
// The fast paths of PackedDevice, compiled into the caller. Included by packed_device.hpp alone.
//
// They skip the look at error_ and at the fence for hardware, for which fast_heads_ and fast_ordered_heads_ stand.
// Instructions for one buffer of a burst of 32, both sides: docs/bench/ring.md.
#pragma once

#include "vfsproto/virtqueue/packed_device.hpp"

namespace vfsproto {

inline bool PackedDevice::pop(Chain& chain) noexcept {
    Shape shape;
    if (!pop_single(chain.storage, shape)) {
        shape = pop_direct(chain.storage);
        if (shape.descriptors == 0) return false;
    }
    chain.head = shape.head;
    chain.readable_count = shape.readable;
    chain.writable_count = shape.writable;
    chain.descriptors = shape.descriptors;
    return true;
}

inline bool PackedDevice::pop_single(std::span<HostSegment> storage, Shape& shape) noexcept {
    PackedDesc* const at = next_avail_;
    const std::uint64_t word = load_acquire(at->word); // [packed.device.pop.available]
    // One comparison for id and flags: with other flags than these, this is above all ids.
    const std::uint64_t id = word >> PackedDesc::kIdShift ^ single_top_;
    const auto take = [&](std::size_t head, std::uint32_t bytes) __attribute__((always_inline)) {
        const std::uint32_t len = PackedDesc::len_of(word);
        std::byte* const data = memory_->translate_recent(DeviceAddr{load_relaxed(at->addr)}, len);
        if (data == nullptr || storage.empty() || states_[head].bytes != 0) [[unlikely]]
            return false;
        states_[head].bytes = bytes;
        next_avail_ = at + 1;
        if (at + 1 == end_) [[unlikely]]
            wrap_avail();
        storage[0] = {data, len};
        shape = {.head = static_cast<std::uint16_t>(head), .readable = 0, .writable = 1, .descriptors = 1};
        return true;
    };
    if (id < fast_heads_) [[likely]]
        return take(static_cast<std::size_t>(id), sizeof(PackedDesc));
    if (id >= fast_ordered_heads_) return false;
    return take(static_cast<std::size_t>(at - descriptors_), static_cast<std::uint32_t>(id) | 1 << kCountShift);
}

inline void PackedDevice::wrap_avail() noexcept {
    popped_before_ += size_;
    next_avail_ = descriptors_;
    avail_word_ ^= kBothWraps;
    single_top_ ^= kBothWraps >> PackedDesc::kIdShift;
}

inline Errc PackedDevice::push(const Chain& done, std::uint32_t written) noexcept {
    const std::size_t head = done.head;
    const std::size_t bytes = head < fast_heads_ ? states_[head].bytes : 0;
    // [packed.device.push.fast]
    if (bytes != 0) [[likely]] {
        stage(head, written, bytes);
        return Errc::ok;
    }
    if (head != in_order_.oldest_fast || states_[head].bytes == 0) return push_slow(head, written);
    ++pushed_;
    complete(states_[head], written, in_order_.oldest_fast);
    return Errc::ok;
}

inline void PackedDevice::stage(std::size_t head, std::uint32_t written, std::size_t bytes) noexcept {
    states_[head].bytes = 0;
    ++pushed_;
    write_used(head, written, bytes);
}

// Writes a used descriptor, the first one of a burst to burst_first_. `bytes`: the size of the descriptors it stands for.
inline void PackedDevice::write_used(std::uint64_t id, std::uint32_t written, std::size_t bytes) noexcept {
    PackedDesc* const at = write_;
    store_relaxed(at->word, used_descriptor(id, written));
    write_ = packed_after(at, bytes);
    if (write_ >= write_end_) [[unlikely]]
        write_on(bytes);
}

inline std::uint64_t PackedDevice::used_descriptor(std::uint64_t id, std::uint32_t written) const noexcept {
    // The length means something with WRITE only (virtio 1.2 §2.8.4).
    const std::uint64_t wrote = written != 0 ? kWriteFlag : 0;
    return used_word_ | id << PackedDesc::kIdShift | written | wrote;
}

// Adds the oldest chain that is out, which begins at `next`, to the batch. Then the one behind it is the oldest.
inline void PackedDevice::complete(PackedDeviceState& oldest, std::uint32_t written, std::size_t& next) noexcept {
    const std::uint32_t bytes = oldest.bytes;
    oldest.bytes = 0;
    in_order_.batch_last = bytes;
    in_order_.batch_written = written;
    next += bytes >> kCountShift;
    if (next >= size_) [[unlikely]]
        wrap(next);
}

// Starts a burst whose first used descriptor belongs to `at`: write_used() writes it to burst_first_.
inline void PackedDevice::begin_burst(PackedDesc* at) noexcept {
    burst_at_ = at;
    used_position_ = packed_position(at - descriptors_, used_word_);
    write_ = &burst_first_;
    write_end_ = &burst_first_ + 1; // [packed.device.burst.edge]
}

inline void PackedDevice::end_burst() noexcept {
    ++publications_;
    begin_burst(write_);
}

inline void PackedDevice::publish() noexcept {
    const bool is_burst_empty = write_ == &burst_first_;
    if (is_burst_empty && in_order_.batch_last == 0) return;
    publish_staged();
}

inline void PackedDevice::publish_staged() noexcept {
    if (fast_heads_ == 0) [[unlikely]]
        return publish_slow();
    store_release(burst_at_->word, burst_first_.word.value()); // [packed.device.publish.first]
    end_burst();
}

inline bool PackedDevice::wants_notification() noexcept {
    publish();
    const std::size_t used = full_laps_ + static_cast<std::size_t>(burst_at_ - descriptors_);
    const std::size_t count = used - notified_;
    if (count == 0) return false;
    notified_ = used;
    const std::uint16_t from = std::exchange(notified_position_, used_position_);
    store_load_fence(ordering_);                                // [packed.device.notify.fence]
    const bool is_wanted = driver_wants_interrupt(from, count); // [packed.device.notify.look]
    if (is_wanted) ++notifications_;
    return is_wanted;
}

// True if the driver asks for an interrupt for that many used descriptors from this position on.
inline bool PackedDevice::driver_wants_interrupt(std::uint16_t from, std::size_t count) const noexcept {
    const std::uint32_t event = load_relaxed(*ring_.driver_event()); // [packed.device.event.look]
    if (event_index_ == EventIndex::on) {
        // Fast path for a driver that has seen all before; packed_event_due() says the same. [packed.device.event.fast]
        if (event == packed_event(from, packed::kDescriptor)) return true;
        if ((event >> 16 & packed::kEventFlags) == packed::kDescriptor) {
            // If these are more than the ring has, whatever the driver waits for was among them.
            return count > size_ ||
                   packed_event_due(static_cast<std::uint16_t>(event), used_position_,
                                    static_cast<std::uint32_t>(count), static_cast<std::uint16_t>(size_));
        }
    }
    return (event >> 16 & packed::kEventFlags) != packed::kDisable;
}

inline bool PackedDevice::arm() noexcept {
    if (error_ != Errc::ok) return false;
    ask_for_kicks();                                      // [packed.device.arm.ask]
    store_load_fence(ordering_);                          // [packed.device.arm.fence]
    return is_available(load_acquire(next_avail_->word)); // [packed.device.arm.look]
}

inline void PackedDevice::ask_for_kicks() noexcept {
    const std::uint32_t event =
        event_index_ == EventIndex::on ? packed_event(next_avail(), packed::kDescriptor) : packed::kEnable;
    store_relaxed(*ring_.device_event(), event); // [packed.device.ask.event]
}

} // namespace vfsproto
