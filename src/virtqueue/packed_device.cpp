// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/packed_device.hpp"

#include "chain_walk.hpp"

namespace vfsproto {

namespace {

constexpr std::uint64_t kNext = PackedDesc::flags(packed::kNext);
constexpr std::uint64_t kIndirect = PackedDesc::flags(packed::kIndirect);
ChainWalk::Direction direction_of(std::uint64_t word) noexcept {
    return (word & PackedDesc::flags(packed::kWrite)) != 0 ? ChainWalk::Direction::writable
                                                           : ChainWalk::Direction::readable;
}

std::uint16_t offset_of(std::uint16_t place) noexcept { return place & ~packed::kWrap; }

} // namespace

Errc PackedDevice::init(const PackedRing& ring, const RegionTable& memory, std::span<PackedDeviceState> states,
                        const PackedDeviceOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0 || offset_of(options.start_avail) >= size || offset_of(options.start_used) >= size) {
        return Errc::bad_argument;
    }
    if (states.size() < packed_device_state_count(size)) return Errc::no_memory;
    for (PackedDeviceState& state : states) state = {};
    ring_ = ring;
    memory_ = &memory;
    states_ = states.data();
    descriptors_ = ring.descriptors();
    size_ = size;
    end_ = descriptors_ + size;
    event_index_ = options.event_index;
    indirect_ = options.indirect;
    ordering_ = options.ordering;
    order_ = options.order;
    max_chain_ = options.max_chain > size ? options.max_chain : size;
    next_avail_ = descriptors_ + offset_of(options.start_avail);
    avail_word_ = PackedDesc::flags((options.start_avail & packed::kWrap) != 0 ? packed::kAvail : packed::kUsed);
    used_word_ = (options.start_used & packed::kWrap) != 0 ? kBothWraps : 0;
    begin_burst(descriptors_ + offset_of(options.start_used));
    // The fast paths know nothing of fences for hardware.
    const std::uint64_t fast_size = ordering_ == Ordering::smp ? size : 0;
    fast_heads_ = order_ == UseOrder::any ? fast_size : 0;
    fast_ordered_heads_ = fast_size - fast_heads_; // [packed.device.init.ordered]
    single_top_ = (avail_word_ | kWriteFlag) >> PackedDesc::kIdShift;
    popped_before_ = 0 - static_cast<std::size_t>(offset_of(options.start_avail));
    pushed_ = completions_ = publications_ = notifications_ = 0;
    full_laps_ = 0;
    notified_ = offset_of(options.start_used);
    notified_position_ = used_position_;
    in_order_ = {.batch_start = offset_of(options.start_avail)};
    if (order_ == UseOrder::in_order) in_order_.oldest_fast = in_order_.batch_start;
    error_ = Errc::ok;
    ask_for_kicks();
    return Errc::ok;
}

// Closes every fast path, so that each call looks at error_.
PackedDevice::Shape PackedDevice::latch(Errc why) noexcept {
    error_ = why;
    fast_heads_ = fast_ordered_heads_ = 0;
    close_fast_push();
    return {};
}

PackedDevice::Shape PackedDevice::pop_direct(std::span<HostSegment> storage) noexcept {
    const std::uint64_t first = load_acquire(next_avail_->word); // [packed.device.pop_direct.available]
    if (!is_available(first)) return {};
    if ((first & kIndirect) != 0 || (fast_heads_ | fast_ordered_heads_) == 0) return pop_slow(storage);

    const RegionTable& memory = *memory_;
    const PackedDesc* at = next_avail_;
    const PackedDesc* const ring_end = end_;
    HostSegment* out = storage.data();
    HostSegment* const end = out + storage.size();
    std::uint64_t word = first;
    std::uint32_t readable = 0;
    std::uint32_t writable = 0;
    for (;;) {
        const std::uint32_t len = PackedDesc::len_of(word);
        std::byte* const data = memory.translate_recent(DeviceAddr{load_relaxed(at->addr)}, len);
        if (data == nullptr || out == end) [[unlikely]]
            return pop_slow(storage);
        *out++ = {data, len};
        if ((word & kWriteFlag) != 0) {
            ++writable;
        } else if (writable == 0) {
            ++readable;
        } else [[unlikely]] {
            return pop_slow(storage);
        }
        if ((word & kNext) == 0) break;
        if (++at == ring_end) [[unlikely]]
            at = descriptors_;
        word = load_relaxed(at->word);
        if ((word & kIndirect) != 0) [[unlikely]]
            return pop_slow(storage);
    }
    const std::uint32_t id = PackedDesc::id_of(word);
    const std::uint32_t count = readable + writable;
    if (id >= size_ || (order_ == UseOrder::any && states_[id].bytes != 0) || count > size_) [[unlikely]]
        return pop_slow(storage);
    return accept(id, {.readable = static_cast<std::uint16_t>(readable),
                       .writable = static_cast<std::uint16_t>(writable),
                       .descriptors = static_cast<std::uint16_t>(count)});
}

// Takes any chain, legal or not, or none. Names the violation.
PackedDevice::Shape PackedDevice::pop_slow(std::span<HostSegment> storage) noexcept {
    if (error_ != Errc::ok) return {};
    std::uint64_t word = load_acquire(next_avail_->word); // [packed.device.pop_slow.available]
    if (!is_available(word)) return {};                   // [packed.device.pop_slow.again]
    if (ordering_ == Ordering::platform) platform_fence();

    ChainWalk walk(*memory_, storage);
    PackedDesc* at = next_avail_;
    std::uint32_t count = 1;
    Errc why = Errc::ok; // [packed.device.pop_slow.why]
    if ((word & kIndirect) != 0) {
        why = walk_table(walk, load_relaxed(at->addr), word);
    } else {
        for (;; ++count) {
            why = walk.add(load_relaxed(at->addr), PackedDesc::len_of(word), direction_of(word));
            if (why != Errc::ok || (word & kNext) == 0) break;
            if (count == size_) return latch(Errc::chain_too_long);
            if (++at == end_) at = descriptors_;
            word = load_relaxed(at->word);
            // A table makes a chain of its own (virtio 1.2 §2.8.19).
            if ((word & kIndirect) != 0) return latch(Errc::chain_indirect);
        }
    }
    if (why != Errc::ok) return latch(why);
    if (walk.segments() == 0) return latch(Errc::chain_empty);
    const std::uint32_t id = PackedDesc::id_of(word);
    if (id >= size_ || (order_ == UseOrder::any && states_[id].bytes != 0)) return latch(Errc::avail_head_invalid);
    return accept(
        id,
        {.readable = walk.readable(), .writable = walk.writable(), .descriptors = static_cast<std::uint16_t>(count)});
}

// Adds all entries of a table, one after the other. WRITE is the only flag of an entry that means something, and it means
// nothing in the descriptor that names the table (virtio 1.2 §2.8.7).
Errc PackedDevice::walk_table(ChainWalk& walk, std::uint64_t addr, std::uint64_t word) const noexcept {
    const std::uint32_t bytes = PackedDesc::len_of(word);
    if (indirect_ == IndirectTables::refused || (word & kNext) != 0) return Errc::chain_indirect;
    if (bytes == 0 || bytes % sizeof(PackedDesc) != 0) return Errc::chain_indirect;
    const std::uint32_t entries = bytes / sizeof(PackedDesc);
    if (entries > max_chain_) return Errc::chain_too_long;
    std::byte* const host = memory_->translate(DeviceAddr{addr}, bytes);
    if (host == nullptr) return Errc::chain_address;
    Errc why = Errc::ok;
    for (std::uint32_t i = 0; i < entries && why == Errc::ok; ++i) {
        const PackedDesc entry = load_packed_at(host + std::size_t{i} * sizeof(PackedDesc));
        why = walk.add(entry.addr.value(), PackedDesc::len_of(entry.word.value()), direction_of(entry.word.value()));
    }
    return why;
}

PackedDevice::Shape PackedDevice::accept(std::uint32_t id, Shape shape) noexcept {
    const std::uint32_t descriptors = shape.descriptors;
    std::size_t head = id;
    if (order_ == UseOrder::in_order) [[unlikely]] {
        head = static_cast<std::size_t>(next_avail_ - descriptors_);
        if (states_[head].bytes != 0) return latch(Errc::avail_index_jump); // more than the ring holds
        states_[head].bytes = descriptors << kCountShift | id;
    } else {
        states_[id].bytes = descriptors * std::uint32_t{sizeof(PackedDesc)};
    }
    shape.head = static_cast<std::uint16_t>(head);
    popped_before_ -= descriptors - 1;
    const auto left = static_cast<std::uint32_t>(end_ - next_avail_);
    if (descriptors < left) {
        next_avail_ += descriptors;
    } else {
        wrap_avail();
        next_avail_ += descriptors - left;
    }
    return shape;
}

// Looks at the chain's state again: the fast path is closed, or the chain is not out.
Errc PackedDevice::push_slow(std::size_t head, std::uint32_t written) noexcept {
    if (error_ != Errc::ok) return error_;
    if (head >= size_ || states_[head].bytes == 0) return Errc::bad_argument;
    if (order_ == UseOrder::any) {
        stage(head, written, states_[head].bytes);
        return Errc::ok;
    }
    PackedDeviceState& done = states_[head];
    if ((done.bytes & kWaits) != 0) return Errc::bad_argument;
    done.bytes |= kWaits;
    done.written = written;
    ++pushed_;
    ++in_order_.waiting;
    close_fast_push();
    while (in_order_.waiting != 0 && (states_[in_order_.oldest_slow].bytes & kWaits) != 0) {
        PackedDeviceState& next = states_[in_order_.oldest_slow];
        next.bytes &= ~kWaits; // [packed.device.push_slow.waits]
        complete(next, next.written, in_order_.oldest_slow);
        --in_order_.waiting;
    }
    if (in_order_.waiting == 0) in_order_.oldest_fast = in_order_.oldest_slow; // [packed.device.push_slow.turn]
    return Errc::ok;
}

void PackedDevice::wrap(std::size_t& at) const noexcept { at -= size_; }

void PackedDevice::close_fast_push() noexcept {
    if (in_order_.oldest_fast != kNone) in_order_.oldest_slow = in_order_.oldest_fast;
    in_order_.oldest_fast = kNone;
}

// Writes one used descriptor for a batch: where its first chain began, with the id of its last (virtio 1.2 §2.8.8).
inline void PackedDevice::stage_batch() noexcept {
    const std::size_t end = in_order_.oldest_fast != kNone ? in_order_.oldest_fast : in_order_.oldest_slow;
    const std::size_t descriptors = (end > in_order_.batch_start ? 0 : size_) + end - in_order_.batch_start;
    write_used(in_order_.batch_last & kId, in_order_.batch_written, descriptors * sizeof(PackedDesc));
    in_order_.batch_start = end;
    in_order_.batch_last = 0;
    completions_ = pushed_ - in_order_.waiting;
}

// Publishes with a fence for hardware, in order, or what was pushed before a violation.
void PackedDevice::publish_slow() noexcept {
    if (ordering_ == Ordering::platform) platform_fence();
    if (in_order_.batch_last != 0) stage_batch();
    store_release(burst_at_->word, burst_first_.word.value()); // [packed.device.publish_slow.first]
    end_burst();
}

// Moves write_ on after burst_first_, or after the last descriptor of the ring. `bytes`: the size of the last step.
void PackedDevice::write_on(std::size_t bytes) noexcept {
    if (write_end_ != end_) write_ = packed_after(burst_at_, bytes);
    write_end_ = end_;
    if (write_ < end_) return;
    write_ -= size_;
    full_laps_ += size_;
    used_word_ ^= kBothWraps;
}

} // namespace vfsproto
