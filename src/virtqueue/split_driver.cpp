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
    order_ = options.order;
    set_doorbell(options.doorbell);
    counters_ = {};
    avail_index_ = published_ = 0;
    limits_ = {.max_inflight = static_cast<std::uint16_t>(size / direct_segments_),
               .max_segments = max_segments,
               .written = order_ == UseOrder::any ? WrittenLength::exact : WrittenLength::upper_bound};
    most_in_flight_ = limits_.max_inflight;
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
        shadow_[i] = {.writable = SplitShadow::kNeverUsed, .next = SplitShadow::kNeverHead}; // [split.reset.next]
    }
    free_head_ = SplitShadow::kEnd;
    if (order_ == UseOrder::any) {
        // Chains stand at fixed places, one behind the other; the list hands out the first one first.
        for (std::uint32_t n = limits_.max_inflight; n-- > 0;) {
            const std::uint32_t head = n * direct_segments_;
            shadow_[head].next = free_head_;
            free_head_ = static_cast<std::uint16_t>(head);
        }
    }
    ordered_room_ = order_ == UseOrder::in_order ? direct_segments_ : 0;
    ordered_head_ = 0;
    oldest_ = 0;
    batch_left_ = 0;
    counters_.chains += published_;
    counters_.descriptors += avail_index_;
    avail_index_ = published_ = last_used_ = 0;
    interrupts_asked_ = event_index_ == EventIndex::off; // zeroed flags let the device interrupt
    is_plain_ = !interrupts_asked_ && ordering_ == Ordering::smp;
    takes_care_ = !is_plain_ || order_ == UseOrder::in_order;
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
    if (avail_index_ - last_used_ >= most_in_flight_) return Errc::queue_full;
    if (count <= ordered_room_) return submit_round_the_end(readable, writable, token);

    // A head descriptor names its table, so that tables need no bookkeeping of their own.
    const std::uint16_t head = order_ == UseOrder::in_order ? ordered_head_ : free_head_;
    const std::size_t offset = std::size_t{head} * limits_.max_segments * sizeof(SplitDesc);
    const Bytes bytes = write_descriptors(descriptors_at(indirect_.host() + offset), 0, readable, writable);
    if (bytes.total - 1 >= kMaxChainBytes) return Errc::bad_argument;
    shadow_[head].recipe = 0;
    const Segment table{indirect_.device() + offset, static_cast<std::uint32_t>(count * sizeof(SplitDesc))};
    store_descriptor(descriptors_[head], table, SplitDesc::pack(split::kIndirect, 0));
    const auto writable_bytes = static_cast<std::uint32_t>(bytes.total - bytes.readable);
    if (order_ == UseOrder::in_order) {
        commit_in_order(1, writable_bytes, token);
    } else {
        commit(shadow_[head], head, writable_bytes, token);
    }
    return Errc::ok;
}

// Of the last descriptor of the table the next is the first.
Errc SplitDriver::submit_round_the_end(std::span<const Segment> readable, std::span<const Segment> writable,
                                       Token token) noexcept {
    std::size_t left = readable.size() + writable.size();
    std::uint32_t at = ordered_head_;
    Bytes bytes;
    bool has_empty = false;
    const auto put = [&](const Segment& segment, std::uint16_t flags) {
        const std::uint32_t next = (at + 1) & mask_;
        if (--left != 0) flags |= split::kNext;
        store_descriptor(descriptors_[at], segment, SplitDesc::pack(flags, next));
        has_empty |= segment.len == 0;
        bytes.total += segment.len;
        at = next;
    };
    for (const Segment& segment : readable) put(segment, 0);
    bytes.readable = bytes.total;
    for (const Segment& segment : writable) put(segment, split::kWrite);
    if (has_empty || bytes.total - 1 >= kMaxChainBytes) return Errc::bad_argument;
    commit_in_order(readable.size() + writable.size(), static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
    return Errc::ok;
}

Errc SplitDriver::classify(std::uint32_t id) const noexcept {
    if (id > mask_) return Errc::ring_id_out_of_range;
    const SplitShadow& head = shadow_[id];
    if (head.next == SplitShadow::kLive) return Errc::ring_used_length;
    return head.writable == SplitShadow::kNeverUsed ? Errc::ring_id_not_live : Errc::ring_double_completion;
}

// False: the queue is latched.
inline bool SplitDriver::find_batch(std::size_t pending) noexcept {
    const SplitUsed& entry = used_entries_[last_used_ & mask_];
    const std::uint32_t id = load_relaxed(entry.id);
    const std::uint32_t len = load_relaxed(entry.len);
    if (id > mask_ || shadow_[id].next != SplitShadow::kLive || len > shadow_[id].writable) [[unlikely]] {
        latch(classify(id));
        return false;
    }
    const std::size_t before = static_cast<std::uint16_t>(shadow_[id].order - last_used_);
    if (before >= pending) [[unlikely]] {
        latch(Errc::ring_id_not_live); // the used index says that this one is not used
        return false;
    }
    batch_left_ = before + 1;
    batch_len_ = len;
    return true;
}

inline std::size_t SplitDriver::collect_in_order(std::span<Completion> out, std::size_t pending) noexcept {
    const std::size_t most = smaller(pending, out.size());
    const std::uint32_t mask = mask_;
    std::size_t done = 0;
    while (done < most && (batch_left_ != 0 || find_batch(pending - done))) {
        const std::size_t run = smaller(batch_left_, most - done);
        std::uint32_t head = oldest_;
        for (const std::size_t until = done + run; done < until; ++done) {
            SplitShadow& shadow = shadow_[head];
            out[done] = {shadow.token, shadow.writable};
            shadow.next = SplitShadow::kEnd;
            head = (head + shadow.descriptors) & mask;
        }
        oldest_ = head;
        last_used_ += run;
        batch_left_ -= run;
        if (batch_left_ == 0) out[done - 1].written = batch_len_;
    }
    counters_.completions += done;
    counters_.polls += done != 0 ? 1 : 0;
    return done;
}

std::size_t SplitDriver::poll_with_care(std::span<Completion> out, std::uint16_t pending) noexcept {
    if (error_ != Errc::ok) return 0;
    if (ordering_ == Ordering::platform) platform_fence();
    if (interrupts_asked_) disarm();
    takes_care_ = ordering_ == Ordering::platform || order_ == UseOrder::in_order;
    if (pending > static_cast<std::uint16_t>(published_ - last_used_)) return latch(Errc::ring_index_jump);
    if (order_ == UseOrder::in_order) return collect_in_order(out, pending);
    return collect(out.data(), smaller<std::size_t>(pending, out.size()));
}

std::size_t SplitDriver::latch(Errc why) noexcept {
    error_ = why;
    takes_care_ = true;
    is_plain_ = false;
    ordered_room_ = 0;
    free_head_ = SplitShadow::kEnd;
    return 0;
}

std::size_t SplitDriver::evacuate(std::span<Completion> out) noexcept {
    if (shadow_ == nullptr) return 0;
    latch(error_ == Errc::ok ? Errc::device_gone : error_);
    std::size_t done = 0;
    for (std::uint32_t i = 0; i <= mask_ && done < out.size(); ++i) {
        if (shadow_[i].next != SplitShadow::kLive) continue;
        // [split.evacuate.next]
        shadow_[i].next = SplitShadow::kEnd; // no list is kept on a latched queue
        out[done++] = {shadow_[i].token, 0};
    }
    last_used_ += done;
    return done;
}

} // namespace vfsproto
