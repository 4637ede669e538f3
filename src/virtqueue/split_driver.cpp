// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/split_driver.hpp"

#include "vfsproto/base/smaller.hpp"

namespace vfsproto {

Errc SplitDriver::init(const SplitRing& ring, std::span<SplitShadow> shadow,
                       const SplitDriverOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0 || options.max_segments == 0 || options.direct_segments == 0) return Errc::bad_argument;
    if (shadow.size() < split_shadow_count(size)) return Errc::no_memory;
    const std::uint16_t max_segments = smaller(options.max_segments, size);
    const bool has_tables = options.indirect.size() != 0;
    if (has_tables) {
        if (options.indirect.size() < split_indirect_bytes(size, max_segments)) return Errc::no_memory;
        if (!is_aligned(options.indirect, kSplitAlign.descriptors)) return Errc::bad_argument;
    }
    ring_ = ring;
    shadow_ = shadow.data();
    indirect_ = options.indirect;
    direct_segments_ = has_tables ? smaller(options.direct_segments, max_segments) : max_segments;
    event_index_ = options.event_index;
    ordering_ = options.ordering;
    set_doorbell(options.doorbell);
    counters_ = {};
    published_ = 0;
    limits_ = {.max_inflight = static_cast<std::uint16_t>(size / direct_segments_), .max_segments = max_segments};
    descriptors_ = ring.descriptors();
    avail_entries_ = ring.avail_entries();
    published_index_ = ring.avail() + SplitRing::kIndex;
    used_event_ = ring.used_event();
    avail_event_ = ring.avail_event();
    used_index_ = ring.used() + SplitRing::kIndex;
    used_entries_ = ring.used_entries();
    mask_ = size - 1u;
    reset_state();
    return Errc::ok;
}

Errc SplitDriver::restart() noexcept {
    if (shadow_ == nullptr || in_flight() != 0) return Errc::wrong_state;
    reset_state();
    return Errc::ok;
}

void SplitDriver::reset_state() noexcept {
    ring_.clear();
    for (std::uint32_t i = 0; i <= mask_; ++i) {
        shadow_[i] = {.writable = SplitShadow::kNeverUsed, .next = SplitShadow::kNeverHead};
    }
    // Chains stand at fixed places, one behind the other; the list hands out the first one first.
    free_head_ = SplitShadow::kEnd;
    for (std::uint32_t n = limits_.max_inflight; n-- > 0;) {
        const std::uint32_t head = n * direct_segments_;
        shadow_[head].next = free_head_;
        free_head_ = static_cast<std::uint16_t>(head);
    }
    direct_room_ = direct_segments_;
    counters_.chains += published_;
    avail_index_ = published_ = last_used_ = 0;
    interrupts_asked_ = event_index_ == EventIndex::off; // zeroed flags let the device interrupt
    takes_care_ = interrupts_asked_ || ordering_ == Ordering::platform;
    is_plain_ = !takes_care_;
    error_ = Errc::ok;
}

void SplitDriver::set_doorbell(Doorbell doorbell) noexcept {
    doorbell_ = doorbell.ring != nullptr ? doorbell : Doorbell{[](void*, std::uint16_t) noexcept {}, nullptr};
}

Errc SplitDriver::submit_other(std::span<const Segment> readable, std::span<const Segment> writable,
                               Token token) noexcept {
    if (error_ != Errc::ok) return error_;
    const std::size_t count = readable.size() + writable.size();
    if (count == 0 || count > limits_.max_segments) return Errc::bad_argument;
    if (free_head_ == SplitShadow::kEnd) return Errc::queue_full;

    // A head descriptor names its table, so that tables need no bookkeeping of their own.
    const std::uint16_t head = free_head_;
    const std::size_t offset = std::size_t{head} * limits_.max_segments * sizeof(SplitDesc);
    const Bytes bytes = write_descriptors(descriptors_at(indirect_.host() + offset), 0, readable, writable);
    if (bytes.total - 1 >= kMaxChainBytes) return Errc::bad_argument;
    shadow_[head].recipe = 0;
    const Segment table{indirect_.device() + offset, static_cast<std::uint32_t>(count * sizeof(SplitDesc))};
    store_descriptor(descriptors_[head], table, SplitDesc::pack(split::kIndirect, 0));
    ++counters_.descriptors;
    commit(shadow_[head], head, static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
    return Errc::ok;
}

Errc SplitDriver::classify(std::uint32_t id) const noexcept {
    if (id > mask_) return Errc::ring_id_out_of_range;
    const SplitShadow& head = shadow_[id];
    if (head.next == SplitShadow::kLive) return Errc::ring_used_length;
    return head.writable == SplitShadow::kNeverUsed ? Errc::ring_id_not_live : Errc::ring_double_completion;
}

bool SplitDriver::poll_with_care() noexcept {
    if (error_ != Errc::ok) return false;
    if (ordering_ == Ordering::platform) platform_fence();
    if (interrupts_asked_) disarm();
    takes_care_ = ordering_ == Ordering::platform;
    return true;
}

std::size_t SplitDriver::latch(Errc why) noexcept {
    error_ = why;
    takes_care_ = true;
    is_plain_ = false;
    direct_room_ = 0;
    free_head_ = SplitShadow::kEnd;
    return 0;
}

std::size_t SplitDriver::evacuate(std::span<Completion> out) noexcept {
    if (shadow_ == nullptr) return 0;
    latch(error_ == Errc::ok ? Errc::device_gone : error_);
    std::size_t done = 0;
    for (std::uint32_t i = 0; i <= mask_ && done < out.size(); ++i) {
        if (shadow_[i].next != SplitShadow::kLive) continue;
        shadow_[i].next = SplitShadow::kEnd; // no list is kept on a latched queue
        out[done++] = {shadow_[i].token, 0};
    }
    last_used_ += done;
    return done;
}

} // namespace vfsproto
