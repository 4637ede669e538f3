// SPDX-License-Identifier: BSD-2-Clause
// The fast paths of PackedDriver, compiled into the caller. Included by packed_driver.hpp alone.
//
// A fast path skips the look at error_ (free_ and published_ stand for it) and at what few queues do in poll() (poll_extras_).
// Whatever else there is (full, latched, an indirect table, IN_ORDER, no event index, a hardware fence) goes to the function
// of the same name with _slow. Instructions for one buffer of a burst of 32, both sides: docs/bench/ring.md.
#pragma once

#include "vfsproto/virtqueue/packed_driver.hpp"

namespace vfsproto {

// Takes direct chains only. A single segment is always direct: that needs no look at direct_segments_.
inline Errc PackedDriver::submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                 Token token) noexcept {
    const std::size_t count = readable.size() + writable.size();
    if (count != 1 && !is_from_1_to(count, direct_segments_)) [[unlikely]]
        return submit_slow(readable, writable, token);
    PackedDriverState* const state = free_;
    if (state == nullptr) [[unlikely]]
        return submit_slow(readable, writable, token);
    const std::uint32_t limit = limit_of(readable, writable);
    if (limit == 0) [[unlikely]]
        return Errc::bad_argument;

    PackedDesc* at = write_;
    const std::uint64_t id = state->id;
    const auto put = [&](Segment segment, std::uint32_t flags) __attribute__((always_inline)) {
        store_relaxed(at->addr, to_number(segment.addr));
        store_relaxed(at->word, avail_word_ | id | PackedDesc::flags(flags) | segment.len);
        if (++at == write_end_) [[unlikely]]
            at = write_on(at);
    };
    // Each descriptor but the last has NEXT; the wrap counter may change within a chain.
    const std::size_t linked_readable = readable.size() - (writable.empty() ? 1 : 0);
    for (std::size_t i = 0; i < linked_readable; ++i) put(readable[i], packed::kNext);
    for (std::size_t i = 0; i + 1 < writable.size(); ++i) put(writable[i], packed::kNext | packed::kWrite);
    if (writable.empty()) {
        put(readable[linked_readable], 0);
    } else {
        put(writable[writable.size() - 1], packed::kWrite);
    }
    write_ = at;
    commit(*state, limit, count, token);
    return Errc::ok;
}

// Returns PackedDriverState::limit of such a chain; 0: it is not legal. To be asked before anything is written: a
// descriptor that is flagged and then refused would be found behind the next burst.
inline std::uint32_t PackedDriver::limit_of(std::span<const Segment> readable,
                                            std::span<const Segment> writable) noexcept {
    // Fast path for one buffer to write to; the loops say the same. [packed.submit.alone]
    if (readable.empty() && writable.size() == 1) {
        const std::uint32_t limit = writable[0].len + 1;
        return limit > 1 ? limit : 0;
    }
    bool has_empty = false;
    std::uint64_t total = 0;
    std::uint64_t writable_bytes = 0;
    for (const Segment& segment : readable) {
        has_empty |= segment.len == 0;
        total += segment.len;
    }
    for (const Segment& segment : writable) {
        has_empty |= segment.len == 0;
        writable_bytes += segment.len;
    }
    total += writable_bytes;
    return has_empty || total > kMaxChainBytes ? 0 : static_cast<std::uint32_t>(writable_bytes) + 1;
}

inline void PackedDriver::commit(PackedDriverState& state, std::uint32_t limit, std::size_t descriptors,
                                 Token token) noexcept {
    free_ = state.next;
    state.limit = limit;
    state.bytes = descriptors * sizeof(PackedDesc);
    state.token = token;
    ++submitted_;
}

// Returns where the next descriptor goes after burst_first_, or after the last descriptor of the ring.
inline PackedDesc* PackedDriver::write_on(PackedDesc* at) noexcept {
    if (write_end_ != end_) {
        at = burst_at_ + 1;
        write_end_ = end_;
        if (at != end_) return at;
    }
    avail_word_ ^= kBothWraps;
    full_laps_ += ring_.size();
    return descriptors_;
}

// Starts a burst whose first descriptor belongs to `at`: submit() writes it to burst_first_.
inline void PackedDriver::begin_burst(PackedDesc* at) noexcept {
    burst_at_ = at;
    next_position_ = packed_position(at - descriptors_, avail_word_);
    write_ = &burst_first_;
    write_end_ = &burst_first_ + 1;
}

inline void PackedDriver::kick() noexcept {
    if (submitted_ == published_ || error_ != Errc::ok) return;
    if (ordering_ == Ordering::platform) [[unlikely]]
        platform_fence();
    PackedDesc* const from = burst_at_;
    const std::uint16_t from_position = next_position_;
    store_relaxed(from->addr, burst_first_.addr.value());
    store_release(from->word, burst_first_.word.value()); // [packed.kick.publish]
    published_ = submitted_;
    ++counters_.publications;
    begin_burst(write_);
    store_load_fence(ordering_);                         // [packed.kick.fence]
    if (!device_wants_kick(from, from_position)) return; // [packed.kick.look]
    ++counters_.doorbells;
    if (doorbell_.ring != nullptr) doorbell_.ring(doorbell_.context, next_position_);
}

// True if the device asks for a notification of what was published from this position on.
inline bool PackedDriver::device_wants_kick(const PackedDesc* from, std::uint16_t from_position) const noexcept {
    const std::uint32_t event = load_relaxed(*ring_.device_event()); // [packed.event.look]
    if (event_index_ == EventIndex::on) {
        // Fast path for a device that has seen all before; packed_event_due() says the same. [packed.event.fast]
        if (event == packed_event(from_position, packed::kDescriptor)) return true;
        if ((event >> 16 & packed::kEventFlags) == packed::kDescriptor) {
            const std::ptrdiff_t step = burst_at_ - from; // 0: the whole ring
            const auto count = static_cast<std::uint32_t>(step > 0 ? step : step + ring_.size());
            return packed_event_due(static_cast<std::uint16_t>(event), next_position_, count, ring_.size());
        }
    }
    return (event >> 16 & packed::kEventFlags) != packed::kDisable;
}

inline std::size_t PackedDriver::poll(std::span<Completion> out) noexcept {
    const std::size_t due = published_ - completed_;
    const std::size_t most = due < out.size() ? due : out.size();
    const std::size_t done = poll_extras_ == 0 ? collect(out.data(), most) : collect_slow(out.data(), most);
    if (done == 0) {
        ++counters_.empty_polls;
        return 0;
    }
    ++counters_.polls;
    return done;
}

// Takes up to n used descriptors. The caller knows that that many chains were published.
inline std::size_t PackedDriver::collect(Completion* out, std::size_t n) noexcept {
    PackedDriverState* const states = states_;
    const std::uint64_t ids = ids_;
    PackedDesc* at = used_;
    PackedDriverState* free = free_;
    std::size_t done = 0;
    for (; done < n; ++done) {
        std::uint64_t word = load_acquire(at->word); // [packed.poll.used]
        // One comparison for id and flags: if the descriptor is not used, or was not written to, this is above all ids.
        std::uint64_t id = word >> PackedDesc::kIdShift ^ used_top_; // [packed.poll.id]
        if (id >= ids || PackedDesc::len_of(word) >= states[id].limit) [[unlikely]] {
            const Judged found = judge(word);
            if (found.why != Errc::ok) return stop_at_violation(found.why, done, at, free);
            if (!found.is_completion) break;
            id = found.id;
            word = found.len;
        }
        PackedDriverState& state = states[id];
        out[done] = {state.token, PackedDesc::len_of(word)};
        state.limit = 0;
        state.next = free;
        free = &state;
        at = next_used(at, state.bytes);
    }
    used_ = at;
    free_ = free;
    completed_ += done;
    return done;
}

// Returns the place of the used descriptor after one at `at`, whose chain has so many bytes of descriptors.
inline PackedDesc* PackedDriver::next_used(PackedDesc* at, std::size_t bytes) noexcept {
    at = packed_after(at, bytes);
    if (at >= end_) [[unlikely]] {
        at -= ring_.size();
        used_top_ ^= kBothWraps >> PackedDesc::kIdShift;
    }
    return at;
}

inline bool PackedDriver::arm(std::uint16_t completions) noexcept {
    if (error_ != Errc::ok) return true;
    if (event_index_ == EventIndex::on) {
        // [packed.arm.wanted]
        const std::uint16_t position =
            completions > 1 ? position_of_many(completions) : packed_position(used_ - descriptors_, used_flags());
        store_relaxed(*ring_.driver_event(), packed_event(position, packed::kDescriptor)); // [packed.arm.ask]
    } else {
        store_relaxed(*ring_.driver_event(), packed_event(0, packed::kEnable));
        poll_extras_ |= kTakeBack;
    }
    store_load_fence(ordering_); // [packed.arm.fence]
    // [packed.arm.look]
    return (is_used(load_acquire(used_->word)) && published_ != completed_) || in_order_.batch_left != 0;
}

} // namespace vfsproto
