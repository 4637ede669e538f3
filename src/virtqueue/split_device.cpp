// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/split_device.hpp"

namespace vfsproto {

Errc SplitDevice::init(const SplitRing& ring, const RegionTable& memory, std::span<SplitHead> heads,
                       const SplitDeviceOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0) return Errc::bad_argument;
    if (heads.size() < split_head_count(size)) return Errc::no_memory;
    for (SplitHead& head : heads) head = SplitHead::home;
    ring_ = ring;
    descriptors_ = ring.descriptors();
    avail_ = ring.avail();
    used_ = ring.used();
    used_entries_ = ring.used_entries();
    heads_ = heads.data();
    memory_ = &memory;
    mask_ = static_cast<std::uint16_t>(size - 1);
    next_avail_ = seen_avail_ = options.start_index;
    next_used_ = published_ = notified_ = load_acquire(used_[SplitRing::kIndex]);
    outstanding_ = 0;
    max_chain_ = options.max_chain == 0 ? size : options.max_chain;
    event_index_ = options.event_index;
    indirect_ = options.indirect;
    ordering_ = options.ordering;
    counters_ = {};
    error_ = Errc::ok;
    // With event index both flags fields stay 0 (virtio 1.2 §2.7.10.1).
    if (event_index_ == EventIndex::on) store_relaxed(used_[SplitRing::kFlags], 0);
    ask_for_kicks();
    return Errc::ok;
}

// A table is the last descriptor of its chain; its own WRITE flag means nothing (virtio 1.2 §2.7.5.3.2). `before` are the
// descriptors that came before it.
Errc SplitDevice::walk_table(Walk& walk, const SplitDescValue& table, std::uint32_t before) const noexcept {
    if (indirect_ == IndirectTables::refused || (table.flags & split::kNext) != 0) return Errc::chain_indirect;
    if (table.len == 0 || table.len % sizeof(SplitDesc) != 0) return Errc::chain_indirect;
    std::byte* const host = memory_->translate(DeviceAddr{table.addr}, table.len);
    if (host == nullptr) return Errc::chain_address;

    const std::uint32_t entries = table.len / sizeof(SplitDesc);
    std::uint32_t index = 0;
    for (std::uint32_t count = before + 1; count <= max_chain_; ++count) {
        const SplitDescValue desc = load_descriptor_at(host + std::size_t{index} * sizeof(SplitDesc));
        if ((desc.flags & split::kIndirect) != 0) return Errc::chain_indirect;
        if (!walk.add(desc)) return walk.why;
        if ((desc.flags & split::kNext) == 0) return Errc::ok;
        if (desc.next >= entries) return Errc::chain_next_invalid;
        index = desc.next;
    }
    return Errc::chain_too_long;
}

} // namespace vfsproto
