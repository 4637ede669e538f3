// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/split_driver.hpp"

#include "vfsproto/base/smaller.hpp"

namespace vfsproto {

Errc SplitDriver::init(const SplitRing& ring, std::span<SplitDriverState> states,
                       const SplitDriverOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0 || options.max_segments == 0 || options.direct_segments == 0) return Errc::bad_argument;
    if (states.size() < split_driver_state_count(size)) return Errc::no_memory;
    const std::uint16_t max_segments = smaller(options.max_segments, size);
    const bool has_tables = options.indirect.size() != 0;
    if (has_tables) {
        if (options.indirect.size() < split_indirect_bytes(size, max_segments)) return Errc::no_memory;
        if (!is_aligned(options.indirect, kSplitAlign.descriptors)) return Errc::bad_argument;
    }
    ring_ = ring;
    states_ = states.data();
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
    if (states_ == nullptr || in_flight() != 0) return Errc::wrong_state;
    reset_state();
    return Errc::ok;
}

void SplitDriver::reset_state() noexcept {
    ring_.clear();
    for (std::uint32_t i = 0; i <= mask_; ++i) {
        // [split.reset.next]
        states_[i] = {.writable = SplitDriverState::kNeverUsed, .next = SplitDriverState::kNeverHead};
    }
    free_head_ = SplitDriverState::kEnd;
    if (order_ == UseOrder::any) {
        // Chains have fixed heads, direct_segments_ apart. The list hands out the first one first.
        for (std::uint32_t n = limits_.max_inflight; n-- > 0;) {
            const std::uint32_t head = n * direct_segments_;
            states_[head].next = free_head_;
            free_head_ = static_cast<std::uint16_t>(head);
        }
    }
    in_order_ = {};
    counters_.chains += published_;
    counters_.descriptors += avail_index_;
    avail_index_ = published_ = last_used_ = 0;
    asked_by_flags_ = event_index_ == EventIndex::off; // zeroed flags let the device interrupt
    is_fast_ = event_index_ == EventIndex::on && ordering_ == Ordering::smp;
    poll_is_fast_ = is_fast_ && order_ == UseOrder::any;
    error_ = Errc::ok;
}

void SplitDriver::set_doorbell(Doorbell doorbell) noexcept {
    doorbell_ = doorbell.ring != nullptr ? doorbell : Doorbell{[](void*, std::uint16_t) noexcept {}, nullptr};
}

Errc SplitDriver::submit_slow(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
    if (error_ != Errc::ok) return error_;
    const std::size_t count = readable.size() + writable.size();
    if (!is_from_1_to<std::size_t>(count, limits_.max_segments)) return Errc::bad_argument;
    if (avail_index_ - last_used_ >= limits_.max_inflight) return Errc::queue_full;
    if (count > direct_segments_) return submit_indirect(readable, writable, token);
    return submit_in_order(readable, writable, token); // in any order the fast path takes direct chains
}

// A chain's head names its table, so that tables need no bookkeeping of their own.
Errc SplitDriver::submit_indirect(std::span<const Segment> readable, std::span<const Segment> writable,
                                  Token token) noexcept {
    const bool is_in_order = order_ == UseOrder::in_order;
    const std::uint16_t head = is_in_order ? in_order_.next_head : free_head_;
    const std::size_t offset = std::size_t{head} * limits_.max_segments * sizeof(SplitDesc);
    const Bytes bytes = write_descriptors(descriptors_at(indirect_.host() + offset), 0, readable, writable);
    if (!is_from_1_to(bytes.total, kMaxChainBytes)) return Errc::bad_argument;
    const std::size_t count = readable.size() + writable.size();
    const Segment table{indirect_.device() + offset, static_cast<std::uint32_t>(count * sizeof(SplitDesc))};
    store_descriptor(descriptors_[head], table, SplitDesc::pack(split::kIndirect, 0));
    states_[head].prepared = PreparedId::none;
    const auto writable_bytes = static_cast<std::uint32_t>(bytes.total - bytes.readable);
    if (is_in_order) {
        commit_in_order(1, writable_bytes, token);
    } else {
        commit(states_[head], head, writable_bytes, token);
    }
    return Errc::ok;
}

// Submits a direct chain behind the one before it (virtio 1.2 §2.7.5).
Errc SplitDriver::submit_in_order(std::span<const Segment> readable, std::span<const Segment> writable,
                                  Token token) noexcept {
    const std::size_t count = readable.size() + writable.size();
    const std::uint32_t head = in_order_.next_head;
    // [split.in_order.end]
    const Bytes bytes = head + count > mask_ + std::size_t{1}
                            ? write_wrapped(readable, writable)
                            : write_descriptors(descriptors_ + head, head, readable, writable);
    if (!is_from_1_to(bytes.total, kMaxChainBytes)) return Errc::bad_argument;
    commit_in_order(count, static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
    return Errc::ok;
}

// Writes a chain that wraps: the descriptor after the last one of the table is descriptor 0.
SplitDriver::Bytes SplitDriver::write_wrapped(std::span<const Segment> readable,
                                              std::span<const Segment> writable) noexcept {
    std::size_t left = readable.size() + writable.size();
    std::uint32_t index = in_order_.next_head;
    Bytes bytes;
    bool has_empty = false;
    const auto put = [&](const Segment& segment, std::uint16_t flags) {
        const std::uint32_t next = (index + 1) & mask_;
        if (--left != 0) flags |= split::kNext;
        store_descriptor(descriptors_[index], segment, SplitDesc::pack(flags, next));
        has_empty |= segment.len == 0;
        bytes.total += segment.len;
        index = next;
    };
    for (const Segment& segment : readable) put(segment, 0);
    bytes.readable = bytes.total;
    for (const Segment& segment : writable) put(segment, split::kWrite);
    return has_empty ? Bytes{} : bytes;
}

void SplitDriver::commit_in_order(std::size_t descriptors, std::uint32_t writable, Token token) noexcept {
    const std::uint16_t head = in_order_.next_head;
    SplitDriverState& state = states_[head];
    state.order = static_cast<std::uint16_t>(avail_index_);
    state.descriptors = static_cast<std::uint16_t>(descriptors);
    state.next = SplitDriverState::kEnd; // the free list stays empty
    in_order_.next_head = static_cast<std::uint16_t>((head + descriptors) & mask_);
    counters_.descriptors += descriptors - 1;
    commit(state, head, writable, token);
}

Errc SplitDriver::classify(std::uint32_t id) const noexcept {
    if (id > mask_) return Errc::ring_id_out_of_range;
    const SplitDriverState& head = states_[id];
    if (head.next == SplitDriverState::kInFlight) return Errc::ring_used_length;
    return head.writable == SplitDriverState::kNeverUsed ? Errc::ring_id_not_live : Errc::ring_double_completion;
}

// Reads the used entry that ends the next batch. Returns false when that latched the queue.
inline bool SplitDriver::find_batch(std::size_t pending) noexcept {
    const SplitUsed& entry = used_entries_[last_used_ & mask_];
    const std::uint32_t id = load_relaxed(entry.id);
    const std::uint32_t len = load_relaxed(entry.len);
    if (id > mask_ || states_[id].next != SplitDriverState::kInFlight || len > states_[id].writable) [[unlikely]] {
        latch(classify(id));
        return false;
    }
    const std::size_t before = static_cast<std::uint16_t>(states_[id].order - last_used_);
    if (before >= pending) [[unlikely]] {
        latch(Errc::ring_id_not_live); // the used index says that this chain is not used
        return false;
    }
    in_order_.batch_left = before + 1;
    in_order_.batch_len = len;
    return true;
}

inline std::size_t SplitDriver::collect_in_order(std::span<Completion> out, std::size_t pending) noexcept {
    const std::size_t most = smaller(pending, out.size());
    const std::uint32_t mask = mask_;
    std::size_t done = 0;
    while (done < most && (in_order_.batch_left != 0 || find_batch(pending - done))) {
        const std::size_t run = smaller(in_order_.batch_left, most - done);
        std::uint32_t head = in_order_.oldest;
        for (const std::size_t until = done + run; done < until; ++done) {
            SplitDriverState& state = states_[head];
            out[done] = {state.token, state.writable};
            state.next = SplitDriverState::kEnd;
            head = (head + state.descriptors) & mask;
        }
        in_order_.oldest = head;
        last_used_ += run;
        in_order_.batch_left -= run;
        if (in_order_.batch_left == 0) out[done - 1].written = in_order_.batch_len;
    }
    counters_.completions += done;
    counters_.polls += done != 0 ? 1 : 0;
    return done;
}

std::size_t SplitDriver::poll_slow(std::span<Completion> out, std::uint16_t pending) noexcept {
    if (error_ != Errc::ok) return 0;
    if (ordering_ == Ordering::platform) platform_fence();
    if (asked_by_flags_) disarm();
    poll_is_fast_ = ordering_ == Ordering::smp && order_ == UseOrder::any;
    if (pending > static_cast<std::uint16_t>(published_ - last_used_)) return latch(Errc::ring_index_jump);
    if (order_ == UseOrder::in_order) return collect_in_order(out, pending);
    return collect(out.data(), smaller<std::size_t>(pending, out.size()));
}

// Closes every fast path, so that each call looks at error_.
std::size_t SplitDriver::latch(Errc why) noexcept {
    error_ = why;
    is_fast_ = poll_is_fast_ = false;
    free_head_ = SplitDriverState::kEnd;
    return 0;
}

std::size_t SplitDriver::evacuate(std::span<Completion> out) noexcept {
    if (states_ == nullptr) return 0;
    latch(error_ == Errc::ok ? Errc::device_gone : error_);
    std::size_t done = 0;
    for (std::uint32_t i = 0; i <= mask_ && done < out.size(); ++i) {
        if (states_[i].next != SplitDriverState::kInFlight) continue;
        states_[i].next = SplitDriverState::kEnd; // a latched queue keeps no list [split.evacuate.next]
        out[done++] = {states_[i].token, 0};
    }
    last_used_ += done;
    return done;
}

} // namespace vfsproto
