// SPDX-License-Identifier: BSD-2-Clause
// The fast paths of SplitDriver, compiled into the caller. Included by split_driver.hpp alone.
//
// A fast path takes a healthy queue in any order. It skips the look at error_ and order_: free_head_, is_fast_ and
// poll_is_fast_ stand for both. Whatever else there is (full, latched, IN_ORDER, an indirect table, no event index, a
// hardware fence) goes to the function of the same name with _slow. Instructions for one buffer of a burst of 32, both
// sides: docs/bench/ring.md.
#pragma once

#include "vfsproto/virtqueue/split_driver.hpp"

#include <utility>

namespace vfsproto {

inline Errc SplitDriver::submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                Token token) noexcept {
    return submit_chain(readable, writable, token, PreparedId::none);
}

template <std::size_t R, std::size_t W>
inline Errc SplitDriver::submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept {
    return submit_chain(std::span<const Segment, R>(readable), std::span<const Segment, W>(writable), token,
                        PreparedId::none);
}

// Takes direct chains only. A single segment is always direct: that needs no look at direct_segments_.
template <std::size_t R, std::size_t W> inline Errc SplitDriver::submit_chain(std::span<const Segment, R> readable,
                                                                              std::span<const Segment, W> writable,
                                                                              Token token, PreparedId id) noexcept {
    const std::size_t count = readable.size() + writable.size();
    const std::uint16_t head = free_head_;
    // [split.submit.direct]
    if (head == SplitDriverState::kEnd || (count != 1 && !is_from_1_to<std::size_t>(count, direct_segments_)))
        [[unlikely]] {
        return leave_fast_path(readable, writable, token);
    }
    SplitDriverState& state = states_[head];
    state.prepared = PreparedId::none;
    const Bytes bytes = write_descriptors(descriptors_ + head, head, readable, writable);
    if (!is_from_1_to(bytes.total, kMaxChainBytes)) [[unlikely]]
        return Errc::bad_argument;
    if (id != PreparedId::none) state.prepared = id;
    counters_.descriptors += count - 1;
    commit(state, head, static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
    return Errc::ok;
}

template <std::size_t Varying, std::size_t R, std::size_t W>
inline Errc SplitDriver::submit_prepared(const Segment (&readable)[R], const Segment (&writable)[W], Token token,
                                         PreparedId id) noexcept {
    static_assert(Varying < R + W);
    const std::span<const Segment, R> all_readable(readable);
    const std::span<const Segment, W> all_writable(writable);
    if (!has_prepared(id)) [[unlikely]]
        return submit_chain(all_readable, all_writable, token, id);
    Segment varying;
    PreparedLengths others{0, 0};
    std::size_t index = 0;
    const auto look_at = [&](Segment each, std::uint32_t& sum) __attribute__((always_inline)) {
        if (index++ == Varying) {
            varying = each;
        } else {
            sum += each.len;
        }
    };
    for_each(all_readable, [&](Segment each) __attribute__((always_inline)) { look_at(each, others.readable); });
    for_each(all_writable, [&](Segment each) __attribute__((always_inline)) { look_at(each, others.writable); });
    return submit_prepared<Varying, R, W>(varying, others, token);
}

// Writes address and length of one descriptor: 2 stores instead of 9 for a chain of three. Only the new segment needs a
// check; the others were checked when the chain was prepared.
template <std::size_t Varying, std::size_t R, std::size_t W>
inline Errc SplitDriver::submit_prepared(Segment segment, PreparedLengths others, Token token) noexcept {
    const std::uint16_t head = free_head_;
    // The others were no more than that when they were prepared.
    const auto room = static_cast<std::uint32_t>(kMaxChainBytes - others.readable - others.writable);
    if (!is_from_1_to(segment.len, room)) [[unlikely]]
        return Errc::bad_argument;
    SplitDesc& desc = descriptors_[head + Varying];
    store_relaxed(desc.addr, to_number(segment.addr)); // [split.prepared.segment]
    store_relaxed(desc.len, segment.len);
    counters_.descriptors += R + W - 1;
    commit(states_[head], head, others.writable + (Varying < R ? 0 : segment.len), token);
    return Errc::ok;
}

// Calls submit_slow(). Copies fixed-size arrays first, so that the fast path can keep the originals in registers.
template <std::size_t R, std::size_t W> inline Errc SplitDriver::leave_fast_path(std::span<const Segment, R> readable,
                                                                                 std::span<const Segment, W> writable,
                                                                                 Token token) noexcept {
    if constexpr (R == std::dynamic_extent || W == std::dynamic_extent) {
        return submit_slow(readable, writable, token);
    } else {
        Segment all[R + W];
        std::size_t count = 0;
        for_each(readable, [&](Segment segment) __attribute__((always_inline)) { all[count++] = segment; });
        for_each(writable, [&](Segment segment) __attribute__((always_inline)) { all[count++] = segment; });
        return submit_slow({all, R}, {all + R, W}, token);
    }
}

// Writes a chain's descriptors, which follow each other in a table from number `first` on.
template <std::size_t R, std::size_t W>
inline SplitDriver::Bytes SplitDriver::write_descriptors(SplitDesc* desc, std::uint32_t first,
                                                         std::span<const Segment, R> readable,
                                                         std::span<const Segment, W> writable) noexcept {
    Bytes bytes;
    bool has_empty = false;
    const std::size_t count = readable.size() + writable.size();
    const std::uint32_t base = SplitDesc::pack(0, first);
    std::uint32_t written = 0;
    const auto put = [&](Segment segment, std::uint16_t flags) __attribute__((always_inline)) {
        // [split.submit.link]
        const std::uint32_t link =
            ++written != count ? base + SplitDesc::pack(flags, written) + split::kNext : SplitDesc::pack(flags, 0);
        store_descriptor(*desc++, segment, link); // [split.submit.descriptor]
        has_empty |= segment.len == 0;
        bytes.total += segment.len;
    };
    for_each(readable, [&](Segment segment) __attribute__((always_inline)) { put(segment, 0); });
    bytes.readable = bytes.total;
    for_each(writable, [&](Segment segment) __attribute__((always_inline)) { put(segment, split::kWrite); });
    return has_empty ? Bytes{} : bytes;
}

// Calls `take` with a copy of each segment: the compiler cannot know that the ring lies elsewhere. Where the number is
// known there is no loop.
template <std::size_t N, class F>
inline void SplitDriver::for_each(std::span<const Segment, N> segments, F&& take) noexcept {
    if constexpr (N == std::dynamic_extent) {
        for (const Segment& segment : segments) take(Segment{segment.addr, segment.len});
    } else {
        [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
            (take(Segment{segments[I].addr, segments[I].len}), ...);
        }(std::make_index_sequence<N>{});
    }
}

// Takes the head from the free list and puts it into the available ring; kick() publishes it.
inline void SplitDriver::commit(SplitDriverState& state, std::uint16_t head, std::uint32_t writable,
                                Token token) noexcept {
    free_head_ = state.next;
    state.writable = writable;
    state.next = SplitDriverState::kInFlight;
    state.token = token;
    store_relaxed(avail_entries_[avail_index_++ & mask_], head);
}

inline void SplitDriver::kick() noexcept {
    const std::size_t index = avail_index_;
    const std::size_t before = published_;
    if (index == before) return;
    if (!is_fast_) [[unlikely]]
        return kick_slow();
    publish(index); // [split.kick.publish]
    full_fence();   // [split.kick.fence]
    // [split.kick.look]
    if (need_event(load_relaxed(*avail_event_), static_cast<std::uint16_t>(index),
                   static_cast<std::uint16_t>(before))) {
        ring_doorbell();
    }
}

inline std::size_t SplitDriver::poll(std::span<Completion> out) noexcept {
    const std::uint16_t pending = completed();
    if (pending == 0) {
        ++counters_.empty_polls;
        return 0;
    }
    if (!poll_is_fast_) [[unlikely]]
        return poll_slow(out, pending);
    if (pending > static_cast<std::uint16_t>(published_ - last_used_)) [[unlikely]]
        return latch(Errc::ring_index_jump);
    return collect(out.data(), pending < out.size() ? pending : out.size());
}

inline bool SplitDriver::arm(std::uint16_t completions) noexcept {
    if (!is_fast_) [[unlikely]]
        return arm_slow(completions);
    // [split.arm.wanted]
    const std::uint16_t wanted = completions > 1 ? at_most_in_flight(completions) : std::uint16_t{1};
    ask_for(wanted);              // [split.arm.ask]
    full_fence();                 // [split.arm.fence]
    return completed() >= wanted; // [split.arm.look]
}

// The used entries that the device published and poll() has not taken.
inline std::uint16_t SplitDriver::completed() const noexcept {
    return static_cast<std::uint16_t>(load_acquire(*used_index_) - last_used_); // [split.poll.index]
}

// Takes n used entries. The caller knows that the device published that many.
inline std::size_t SplitDriver::collect(Completion* out, std::size_t n) noexcept {
    const SplitUsed* const entries = used_entries_;
    SplitDriverState* const states = states_;
    const std::uint32_t mask = mask_;
    const std::size_t first = last_used_;
    std::uint32_t free_head = free_head_;
    for (std::size_t done = 0; done < n; ++done) {
        const SplitUsed& entry = entries[(first + done) & mask];
        const std::uint32_t id = load_relaxed(entry.id);
        const std::uint32_t len = load_relaxed(entry.len);
        if (id > mask || states[id].next != SplitDriverState::kInFlight || len > states[id].writable) [[unlikely]] {
            finish_collect(done, free_head);
            latch(classify(id));
            return done;
        }
        states[id].next = static_cast<std::uint16_t>(free_head);
        free_head = id;
        out[done] = {states[id].token, len};
    }
    finish_collect(n, free_head);
    return n;
}

inline void SplitDriver::finish_collect(std::size_t done, std::uint32_t free_head) noexcept {
    last_used_ += done;
    free_head_ = static_cast<std::uint16_t>(free_head);
    counters_.completions += done;
    ++counters_.polls;
}

inline void SplitDriver::publish(std::size_t index) noexcept {
    store_release(*published_index_, static_cast<std::uint16_t>(index)); // [split.publish.index]
    published_ = index;
    ++counters_.publications;
}

inline void SplitDriver::ring_doorbell() noexcept {
    ++counters_.doorbells;
    doorbell_.ring(doorbell_.context, static_cast<std::uint16_t>(published_));
}

// Asks for an interrupt by event index.
inline void SplitDriver::ask_for(std::uint16_t completions) noexcept {
    store_relaxed(*used_event_, static_cast<std::uint16_t>(last_used_ + completions - 1)); // [split.ask.event]
}

// Returns at least 1.
inline std::uint16_t SplitDriver::at_most_in_flight(std::uint16_t completions) const noexcept {
    const auto out = static_cast<std::uint16_t>(published_ - last_used_);
    const std::uint16_t wanted = completions < out ? completions : out;
    return wanted != 0 ? wanted : std::uint16_t{1};
}

// The slow paths of kick() and arm(). They are in a header so that a simulation can get in between their accesses.
[[gnu::noinline]] inline void SplitDriver::kick_slow() noexcept {
    if (error_ != Errc::ok) return;
    const auto before = static_cast<std::uint16_t>(published_);
    if (ordering_ == Ordering::platform) platform_fence();
    publish(avail_index_);       // [split.kick_slow.publish]
    store_load_fence(ordering_); // [split.kick_slow.fence]
    // [split.kick_slow.look]
    const bool is_wanted = event_index_ == EventIndex::on
                               ? need_event(load_relaxed(*avail_event_), static_cast<std::uint16_t>(published_), before)
                               : (load_relaxed(ring_.used()[SplitRing::kFlags]) & split::kNoNotify) == 0;
    if (is_wanted) ring_doorbell();
}

[[gnu::noinline]] inline bool SplitDriver::arm_slow(std::uint16_t completions) noexcept {
    if (error_ != Errc::ok) return true;
    std::uint16_t wanted = 1;
    if (event_index_ == EventIndex::on) {
        wanted = at_most_in_flight(completions);
        ask_for(wanted); // [split.arm_slow.ask]
    } else {
        store_relaxed(ring_.avail()[SplitRing::kFlags], 0);
        asked_by_flags_ = true;
        poll_is_fast_ = false;
    }
    store_load_fence(ordering_);  // [split.arm_slow.fence]
    return completed() >= wanted; // [split.arm_slow.look]
}

} // namespace vfsproto
