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

Errc SplitDevice::init(const SplitRing& ring, const RegionTable& memory, std::span<SplitDeviceState> heads,
                       const SplitDeviceOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0) return Errc::bad_argument;
    if (heads.size() < split_device_state_count(size)) return Errc::no_memory;
    for (SplitDeviceState& head : heads) head = {};
    ring_ = ring;
    descriptors_ = ring.descriptors();
    avail_entries_ = ring.avail_entries();
    used_entries_ = ring.used_entries();
    heads_ = heads.data();
    memory_ = &memory;
    mask_ = size - 1u;
    next_avail_ = seen_avail_ = options.start_index;
    next_used_ = published_ = notified_ = load_acquire(ring.used()[SplitRing::kIndex]); // [split.device.init.used]
    start_avail_ = options.start_index;
    start_used_ = static_cast<std::uint16_t>(next_used_);
    order_ = options.order;
    plain_heads_ = order_ == UseOrder::any ? size : 0u;
    ordered_heads_ = size - plain_heads_;
    turn_ = order_ == UseOrder::any ? kNone : next_avail_ & mask_;
    waiting_ = 0;
    publications_ = notifications_ = 0;
    max_chain_ = options.max_chain > size ? options.max_chain : size;
    event_index_ = options.event_index;
    indirect_ = options.indirect;
    ordering_ = options.ordering;
    publishes_with_care_ = ordering_ == Ordering::platform || order_ == UseOrder::in_order;
    error_ = Errc::ok;
    // With event index both flags fields stay 0 (virtio 1.2 §2.7.10.2).
    if (event_index_ == EventIndex::on) store_relaxed(ring_.used()[SplitRing::kFlags], 0);
    ask_for_kicks();
    return Errc::ok;
}

SplitDevice::Shape SplitDevice::latch(Errc why) noexcept {
    error_ = why;
    plain_heads_ = ordered_heads_ = 0;
    close_turn();
    seen_avail_ = next_avail_;
    return {};
}

Errc SplitDevice::push_other(std::size_t head, std::uint32_t written) noexcept {
    if (error_ != Errc::ok) return error_;
    if (order_ == UseOrder::any || head > mask_) return Errc::bad_argument; // not out
    SplitDeviceState& done = heads_[head];
    if (done.state == 0 || (done.state & kWaits) != 0) return Errc::bad_argument;
    done.state |= kWaits;
    done.written = written;
    ++waiting_;
    close_turn();
    while (waiting_ != 0 && (heads_[oldest_].state & kWaits) != 0) {
        SplitDeviceState& next = heads_[oldest_];
        complete(next, next.written, oldest_);
        --waiting_;
    }
    if (waiting_ == 0) turn_ = oldest_;
    return Errc::ok;
}

void SplitDevice::close_turn() noexcept {
    if (turn_ != kNone) oldest_ = turn_;
    turn_ = kNone;
}

void SplitDevice::prepare_publication() noexcept {
    // One entry, where the first of a batch would have its own, with the id of the last (virtio 1.2 §2.7.9).
    if (order_ == UseOrder::in_order) write_used(published_, batch_last_ & kId, batch_written_);
    if (ordering_ == Ordering::platform) platform_fence();
}

SplitDevice::Shape SplitDevice::pop_other(std::span<HostSegment> storage, std::uint32_t id, std::size_t head) noexcept {
    ChainWalk walk{.memory = *memory_, .storage = storage};
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
    if (walk.segments == 0) return latch(Errc::chain_empty);
    return accept(id, head,
                  {.readable = static_cast<std::uint16_t>(walk.segments - walk.writable),
                   .writable = static_cast<std::uint16_t>(walk.writable),
                   .descriptors = static_cast<std::uint16_t>(count)});
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
