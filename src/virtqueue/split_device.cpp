// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/split_device.hpp"

#include "chain_walk.hpp"

namespace vfsproto {

namespace {

Errc add(ChainWalk& walk, const SplitDesc& desc) noexcept {
    const auto direction = desc.has(split::kWrite) ? ChainWalk::Direction::writable : ChainWalk::Direction::readable;
    return walk.add(desc.addr.value(), desc.len.value(), direction);
}

} // namespace

Errc SplitDevice::init(const SplitRing& ring, const RegionTable& memory, std::span<SplitDeviceState> states,
                       const SplitDeviceOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0) return Errc::bad_argument;
    if (states.size() < split_device_state_count(size)) return Errc::no_memory;
    for (SplitDeviceState& state : states) state = {};
    ring_ = ring;
    descriptors_ = ring.descriptors();
    avail_entries_ = ring.avail_entries();
    used_entries_ = ring.used_entries();
    states_ = states.data();
    memory_ = &memory;
    mask_ = size - 1u;
    next_avail_ = seen_avail_ = options.start_index;
    next_used_ = published_ = notified_ = load_acquire(ring.used()[SplitRing::kIndex]); // [split.device.init.used]
    start_avail_ = options.start_index;
    start_used_ = static_cast<std::uint16_t>(next_used_);
    order_ = options.order;
    fast_heads_ = order_ == UseOrder::any ? size : 0u;
    fast_ordered_heads_ = size - fast_heads_;
    in_order_ = {};
    if (order_ == UseOrder::in_order) in_order_.oldest_fast = next_avail_ & mask_;
    publications_ = notifications_ = 0;
    max_chain_ = options.max_chain > size ? options.max_chain : size;
    event_index_ = options.event_index;
    indirect_ = options.indirect;
    ordering_ = options.ordering;
    publish_is_slow_ = ordering_ == Ordering::platform || order_ == UseOrder::in_order;
    error_ = Errc::ok;
    // Both flags fields stay 0 with event index (virtio 1.2 §2.7.10.2).
    if (event_index_ == EventIndex::on) store_relaxed(ring_.used()[SplitRing::kFlags], 0);
    ask_for_kicks();
    return Errc::ok;
}

// Closes every fast path, so that each call looks at error_.
SplitDevice::Shape SplitDevice::latch(Errc why) noexcept {
    error_ = why;
    fast_heads_ = fast_ordered_heads_ = 0;
    close_fast_push();
    seen_avail_ = next_avail_;
    return {};
}

// Completes a chain behind one that is out, or refuses it.
Errc SplitDevice::push_slow(std::size_t head, std::uint32_t written) noexcept {
    if (error_ != Errc::ok) return error_;
    if (order_ == UseOrder::any || head > mask_) return Errc::bad_argument; // not out
    SplitDeviceState& done = states_[head];
    if (done.state == 0 || (done.state & kWaits) != 0) return Errc::bad_argument;
    done.state |= kWaits;
    done.written = written;
    ++in_order_.waiting;
    close_fast_push();
    while (in_order_.waiting != 0 && (states_[in_order_.oldest_slow].state & kWaits) != 0) {
        SplitDeviceState& next = states_[in_order_.oldest_slow];
        complete(next, next.written, in_order_.oldest_slow);
        --in_order_.waiting;
    }
    if (in_order_.waiting == 0) in_order_.oldest_fast = in_order_.oldest_slow;
    return Errc::ok;
}

void SplitDevice::close_fast_push() noexcept {
    if (in_order_.oldest_fast != kNone) in_order_.oldest_slow = in_order_.oldest_fast;
    in_order_.oldest_fast = kNone;
}

void SplitDevice::prepare_publication() noexcept {
    // One entry tells of a batch: where its first chain would have its own, with the id of its last (virtio 1.2 §2.7.9).
    if (order_ == UseOrder::in_order) write_used(published_, in_order_.batch_last & kId, in_order_.batch_written);
    if (ordering_ == Ordering::platform) platform_fence();
}

// Takes any chain, legal or not: indirect, in several regions, with empty descriptors. Names the violation.
SplitDevice::Shape SplitDevice::pop_slow(std::span<HostSegment> storage, std::uint32_t id, std::size_t head) noexcept {
    ChainWalk walk(*memory_, storage);
    SplitDesc desc = load_descriptor(descriptors_[id]);
    std::uint32_t count = 1;
    for (;; ++count) {
        const bool is_table = desc.has(split::kIndirect);
        const Errc why = is_table ? walk_table(walk, desc, count) : add(walk, desc);
        if (why != Errc::ok) return latch(why);
        if (is_table || !desc.has(split::kNext)) break;
        if (desc.next() > mask_) return latch(Errc::chain_next_invalid);
        if (count >= max_chain_) return latch(Errc::chain_too_long); // [split.device.pop_slow.bound]
        desc = load_descriptor(descriptors_[desc.next()]);
    }
    if (walk.segments() == 0) return latch(Errc::chain_empty);
    return accept(
        id, head,
        {.readable = walk.readable(), .writable = walk.writable(), .descriptors = static_cast<std::uint16_t>(count)});
}

// A table is the last descriptor of its chain and no element of it; its own WRITE flag means nothing (virtio 1.2
// §2.7.5.3.2).
Errc SplitDevice::walk_table(ChainWalk& walk, const SplitDesc& table, std::uint32_t count) const noexcept {
    const std::uint32_t bytes = table.len.value();
    if (indirect_ == IndirectTables::refused || table.has(split::kNext)) return Errc::chain_indirect;
    if (bytes == 0 || bytes % sizeof(SplitDesc) != 0) return Errc::chain_indirect;
    std::byte* const host = memory_->translate(DeviceAddr{table.addr.value()}, bytes);
    if (host == nullptr) return Errc::chain_address;

    const std::uint32_t entries = bytes / sizeof(SplitDesc);
    for (std::uint32_t index = 0; count <= max_chain_; ++count) {
        const SplitDesc desc = load_descriptor_at(host + std::size_t{index} * sizeof(SplitDesc));
        if (desc.has(split::kIndirect)) return Errc::chain_indirect;
        const Errc why = add(walk, desc);
        if (why != Errc::ok || !desc.has(split::kNext)) return why;
        index = desc.next();
        if (index >= entries) return Errc::chain_next_invalid;
    }
    return Errc::chain_too_long;
}

} // namespace vfsproto
