// SPDX-License-Identifier: BSD-2-Clause
// The fast paths of SplitDevice, compiled into the caller. Included by split_device.hpp alone.
//
// They skip the look at error_, for which fast_heads_, fast_ordered_heads_ and seen_avail_ stand. Instructions for one
// buffer of a burst of 32, both sides: docs/bench/ring.md.
#pragma once

#include "vfsproto/virtqueue/split_device.hpp"

namespace vfsproto {

inline bool SplitDevice::pop(Chain& chain) noexcept {
    if (next_avail_ == seen_avail_ && !look_for_more()) return false;
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

inline bool SplitDevice::pop_single(std::span<HostSegment> storage, Shape& shape) noexcept {
    const std::size_t place = next_avail_ & mask_;
    const std::uint32_t id = load_relaxed(avail_entries_[place]);
    const auto take = [&](std::size_t head) __attribute__((always_inline)) {
        const SplitDesc& at = descriptors_[id];
        if ((load_relaxed(at.link) & kShapeFlags) != split::kWrite) return false;
        const std::uint32_t len = load_relaxed(at.len);
        std::byte* const data = memory_->translate_recent(DeviceAddr{load_relaxed(at.addr)}, len);
        if (data == nullptr || storage.empty() || states_[head].state != 0) [[unlikely]]
            return false;
        states_[head].state = kOut | id;
        ++next_avail_;
        storage[0] = {data, len};
        shape = {.head = static_cast<std::uint16_t>(head), .readable = 0, .writable = 1, .descriptors = 1};
        return true;
    };
    if (id < fast_heads_) [[likely]]
        return take(id);
    return id < fast_ordered_heads_ && take(place);
}

inline SplitDevice::Shape SplitDevice::pop_direct(std::span<HostSegment> storage) noexcept {
    const std::uint32_t mask = mask_;
    const std::size_t place = next_avail_ & mask;
    const std::uint32_t id = load_relaxed(avail_entries_[place]);
    if (id > mask) [[unlikely]]
        return latch(Errc::avail_head_invalid);
    const std::size_t head = fast_ordered_heads_ == 0 ? id : place;
    if (states_[head].state != 0) [[unlikely]]
        return latch(Errc::avail_head_invalid);

    const RegionTable& memory = *memory_;
    const SplitDesc* const table = descriptors_;
    HostSegment* out = storage.data();
    HostSegment* const end = out + storage.size();
    std::uint32_t readable = 0;
    std::uint32_t writable = 0;
    for (std::uint32_t next = id;;) {
        const SplitDesc desc = load_descriptor(table[next]);
        std::byte* const data = memory.translate_recent(DeviceAddr{desc.addr.value()}, desc.len.value());
        if (data == nullptr || out == end || desc.has(split::kIndirect)) [[unlikely]]
            return pop_slow(storage, id, head);
        *out++ = {data, desc.len.value()};
        if (desc.has(split::kWrite)) {
            ++writable;
        } else if (writable == 0) {
            ++readable;
        } else [[unlikely]] {
            return pop_slow(storage, id, head);
        }
        if (!desc.has(split::kNext)) break;
        next = desc.next();
        if (next > mask) [[unlikely]]
            return pop_slow(storage, id, head);
    }
    return accept(id, head,
                  {.readable = static_cast<std::uint16_t>(readable),
                   .writable = static_cast<std::uint16_t>(writable),
                   .descriptors = static_cast<std::uint16_t>(readable + writable)});
}

inline SplitDevice::Shape SplitDevice::accept(std::uint32_t id, std::size_t head, Shape shape) noexcept {
    states_[head].state = kOut | id;
    ++next_avail_;
    shape.head = static_cast<std::uint16_t>(head);
    return shape;
}

// Reads the available index when all that was seen is served. Returns false when there is nothing new, or the queue is
// latched.
inline bool SplitDevice::look_for_more() noexcept {
    if (error_ != Errc::ok) [[unlikely]]
        return false;
    const std::uint16_t index = load_acquire(ring_.avail()[SplitRing::kIndex]); // [split.device.pop.index]
    const std::uint32_t pending = static_cast<std::uint16_t>(index - next_avail_);
    if (pending == 0) {
        if (last_look_found_one_) prefetch(&avail_entries_[next_avail_ & mask_]); // [split.device.pop.prefetch]
        return false;
    }
    last_look_found_one_ = pending == 1; // [split.device.pop.alone]
    // Each chain that is out holds a descriptor at least.
    if (pending > mask_ + 1 - held()) [[unlikely]]
        return latch(Errc::avail_index_jump), false;
    if (ordering_ == Ordering::platform) [[unlikely]]
        platform_fence();
    seen_avail_ = next_avail_ + pending;
    return true;
}

inline Errc SplitDevice::push(const Chain& done, std::uint32_t written) noexcept {
    const std::size_t head = done.head;
    if (head < fast_heads_ && states_[head].state != 0) [[likely]] {
        states_[head].state = 0;
        write_used(next_used_++, static_cast<std::uint32_t>(head), written);
        return Errc::ok;
    }
    if (head != in_order_.oldest_fast || states_[head].state == 0) return push_slow(head, written);
    complete(states_[head], written, in_order_.oldest_fast);
    return Errc::ok;
}

inline void SplitDevice::write_used(std::size_t index, std::uint32_t id, std::uint32_t written) noexcept {
    SplitUsed& entry = used_entries_[index & mask_];
    store_relaxed(entry.id, id); // [split.device.push.entry]
    store_relaxed(entry.len, written);
}

// Adds the oldest chain that is out, which is at `next`, to the batch. Then the one behind it is the oldest.
inline void SplitDevice::complete(SplitDeviceState& oldest, std::uint32_t written, std::size_t& next) noexcept {
    in_order_.batch_last = oldest.state;
    in_order_.batch_written = written;
    oldest.state = 0;
    ++next_used_;
    next = (next + 1) & mask_;
}

inline void SplitDevice::publish() noexcept {
    if (next_used_ == published_) return;
    if (publish_is_slow_) [[unlikely]]
        prepare_publication();
    // [split.device.publish.index]
    store_release(ring_.used()[SplitRing::kIndex], static_cast<std::uint16_t>(next_used_));
    ++publications_;
    published_ = next_used_;
}

inline bool SplitDevice::wants_notification() noexcept {
    publish();
    if (published_ == notified_) return false;
    const auto old_index = static_cast<std::uint16_t>(notified_);
    const auto new_index = static_cast<std::uint16_t>(published_);
    // True if the index came round since the last question: whatever the driver waits for was among the chains published.
    const bool went_round = published_ - notified_ > 0xffff;
    notified_ = published_;
    store_load_fence(ordering_); // [split.device.notify.fence]
    // [split.device.notify.look]
    const bool is_wanted = event_index_ == EventIndex::on
                               ? went_round || need_event(load_relaxed(*ring_.used_event()), new_index, old_index)
                               : (load_relaxed(ring_.avail()[SplitRing::kFlags]) & split::kNoInterrupt) == 0;
    if (is_wanted) ++notifications_;
    return is_wanted;
}

inline bool SplitDevice::arm() noexcept {
    if (error_ != Errc::ok) return false;
    ask_for_kicks();             // [split.device.arm.ask]
    store_load_fence(ordering_); // [split.device.arm.fence]
    // [split.device.arm.look]
    return load_acquire(ring_.avail()[SplitRing::kIndex]) != static_cast<std::uint16_t>(next_avail_);
}

inline void SplitDevice::ask_for_kicks() noexcept {
    if (event_index_ == EventIndex::on) {
        store_relaxed(*ring_.avail_event(), static_cast<std::uint16_t>(next_avail_)); // [split.device.ask.event]
    } else {
        store_relaxed(ring_.used()[SplitRing::kFlags], 0);
    }
}

} // namespace vfsproto
