// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/virtqueue/packed_driver.hpp"

#include "vfsproto/base/smaller.hpp"

namespace vfsproto {

namespace {

constexpr std::uint16_t direct_within(std::uint16_t size, std::uint16_t asked, std::uint16_t max_segments) noexcept {
    if (asked == 0) asked = size / kPackedDirectPart;
    if (asked == 0) asked = 1;
    return smaller(asked, max_segments);
}

constexpr std::size_t smallest(std::size_t a, std::size_t b, std::size_t c) noexcept {
    const std::size_t least = a < b ? a : b;
    return least < c ? least : c;
}

// least_descriptors() looks at no more ids than this.
constexpr std::size_t kMostLookedAt = 256;

} // namespace

Errc PackedDriver::init(const PackedRing& ring, std::span<PackedDriverState> states,
                        const PackedDriverOptions& options) noexcept {
    const std::uint16_t size = ring.size();
    if (size == 0 || options.max_segments == 0) return Errc::bad_argument;
    if (states.size() < packed_driver_state_count(size)) return Errc::no_memory;
    const std::uint16_t max_segments = smaller(options.max_segments, size);
    const bool has_tables = options.indirect.size() != 0;
    if (has_tables) {
        if (options.indirect.size() < packed_indirect_bytes(size, max_segments)) return Errc::no_memory;
        if (!is_aligned(options.indirect, kPackedAlign.descriptors)) return Errc::bad_argument;
    }
    ring_ = ring;
    states_ = states.data();
    indirect_ = options.indirect;
    event_index_ = options.event_index;
    ordering_ = options.ordering;
    doorbell_ = options.doorbell;
    const std::uint16_t direct = has_tables ? direct_within(size, options.direct_segments, max_segments) : max_segments;
    limits_ = {.max_inflight = static_cast<std::uint16_t>(size / direct),
               .max_segments = max_segments,
               .written = options.order == UseOrder::any ? WrittenLength::exact : WrittenLength::upper_bound};
    ids_ = limits_.max_inflight;
    direct_segments_ = direct;
    descriptors_ = ring.descriptors();
    end_ = descriptors_ + size;
    reset_state();
    counters_ = {};
    return Errc::ok;
}

Errc PackedDriver::restart() noexcept {
    if (states_ == nullptr || in_flight() != 0) return Errc::wrong_state;
    counters_ = counters();
    reset_state();
    return Errc::ok;
}

void PackedDriver::reset_state() noexcept {
    ring_.clear();
    for (std::uint32_t i = 0; i < ring_.size(); ++i) {
        states_[i] = {};
        states_[i].id = PackedDesc::pack(0, i, 0);
        if (i + 1u < limits_.max_inflight) states_[i].next = &states_[i + 1];
    }
    free_ = in_order_.oldest = states_;
    in_order_.last_free = &states_[limits_.max_inflight - 1];
    in_order_.batch_left = 0;
    full_laps_ = 0;
    submitted_ = published_ = completed_ = 0;
    // Both wrap counters start at 1 (virtio 1.2 §2.8.1).
    avail_word_ = PackedDesc::flags(packed::kAvail);
    used_top_ = (kBothWraps | kWriteFlag) >> PackedDesc::kIdShift; // [packed.reset.top]
    used_ = descriptors_;
    begin_burst(descriptors_);
    poll_extras_ = ordering_ == Ordering::platform ? kPlatformFence : std::uint8_t{0};
    if (limits_.written != WrittenLength::exact) poll_extras_ |= kInOrder;
    if (event_index_ == EventIndex::on) {
        store_relaxed(*ring_.driver_event(), packed_event(packed::kStart, packed::kDescriptor));
    } else {
        poll_extras_ |= kTakeBack; // zeroed flags let the device interrupt
    }
    error_ = Errc::ok;
}

Errc PackedDriver::submit_slow(std::span<const Segment> readable, std::span<const Segment> writable,
                               Token token) noexcept {
    if (error_ != Errc::ok) return error_;
    const std::size_t count = readable.size() + writable.size();
    if (!is_from_1_to<std::size_t>(count, limits_.max_segments)) return Errc::bad_argument;
    if (free_ == nullptr) return Errc::queue_full;
    return submit_indirect(readable, writable, token); // the fast path takes direct chains
}

// A chain's id names its table, so that tables need no bookkeeping of their own. Entries are used one after the other, and
// WRITE is the only flag they know (virtio 1.2 §2.8.7).
Errc PackedDriver::submit_indirect(std::span<const Segment> readable, std::span<const Segment> writable,
                                   Token token) noexcept {
    PackedDriverState& state = *free_;
    const std::uint32_t limit = limit_of(readable, writable);
    if (limit == 0) return Errc::bad_argument;
    const std::size_t offset = static_cast<std::size_t>(&state - states_) * limits_.max_segments * sizeof(PackedDesc);
    PackedDesc* entry = packed_descriptors_at(indirect_.host() + offset);
    for (const Segment segment : readable) {
        store_relaxed(entry->addr, to_number(segment.addr));
        store_relaxed(entry++->word, segment.len);
    }
    for (const Segment segment : writable) {
        store_relaxed(entry->addr, to_number(segment.addr));
        store_relaxed(entry++->word, segment.len | kWriteFlag);
    }
    const auto table_bytes = static_cast<std::uint32_t>((readable.size() + writable.size()) * sizeof(PackedDesc));
    PackedDesc* at = write_;
    store_relaxed(at->addr, to_number(indirect_.device() + offset));
    store_relaxed(at->word, avail_word_ | state.id | PackedDesc::pack(table_bytes, 0, packed::kIndirect));
    if (++at == write_end_) at = write_on(at);
    write_ = at;
    commit(state, limit, 1, token);
    return Errc::ok;
}

// Returns the position of the last descriptor that the n shortest chains in flight may take.
std::uint16_t PackedDriver::position_of_many(std::uint16_t completions) const noexcept {
    const std::size_t out = published_ - completed_;
    const std::size_t wanted = completions < out ? completions : out;
    const PackedDesc* at = used_ + (wanted > 1 ? least_descriptors(wanted) - 1 : 0); // [packed.arm.many]
    std::uint64_t flags = used_flags();
    if (at >= end_) {
        at -= ring_.size();
        flags ^= kBothWraps;
    }
    return packed_position(at - descriptors_, flags);
}

// Returns how many descriptors the n shortest chains in flight have, or fewer.
std::uint32_t PackedDriver::least_descriptors(std::size_t chains) const noexcept {
    constexpr std::size_t kLongest = 15; // longer ones count as long as this
    std::uint16_t number_of[kLongest + 1] = {};
    std::size_t looked_at = 0;
    // [packed.least.bound]
    for (; looked_at < limits_.max_inflight && looked_at < kMostLookedAt; ++looked_at) {
        const PackedDriverState& state = states_[looked_at];
        // Ids are handed out from the first one on.
        if (state.bytes == 0) break; // [packed.least.unused]
        if (state.limit == 0) continue;
        const std::size_t length = state.bytes / sizeof(PackedDesc);
        ++number_of[length < kLongest ? length : kLongest]; // [packed.least.longest]
    }
    std::size_t left = chains;
    std::size_t sum = 0;
    // [packed.least.unseen]
    if (looked_at == kMostLookedAt && looked_at < limits_.max_inflight) { // not all were looked at
        const std::size_t unseen = limits_.max_inflight - kMostLookedAt;
        sum = left < unseen ? left : unseen;
        left -= sum;
    }
    // [packed.least.lengths]
    for (std::size_t length = 1; length <= kLongest && left != 0; ++length) {
        const std::size_t n = left < number_of[length] ? left : number_of[length];
        sum += n * length;
        left -= n;
    }
    return static_cast<std::uint32_t>(sum + left); // [packed.least.rest]
}

// Latches the queue. Returns what completed before.
std::size_t PackedDriver::stop_at_violation(Errc why, std::size_t done, PackedDesc* at,
                                            PackedDriverState* free) noexcept {
    used_ = at;   // [packed.violation.used]
    free_ = free; // [packed.violation.free]
    completed_ += done;
    latch(why);
    return done;
}

PackedDriver::Judged PackedDriver::judge(std::uint64_t word) const noexcept {
    if (!is_used(word)) return {};
    const std::uint32_t id = PackedDesc::id_of(word);
    if (id >= ring_.size()) return {.why = Errc::ring_id_out_of_range};
    const PackedDriverState& state = states_[id];
    if (state.bytes == 0) return {.why = Errc::ring_id_not_live};
    if (state.limit == 0) return {.why = Errc::ring_double_completion};
    // The length is reserved without WRITE, and the other flags never mean anything here (virtio 1.2 §2.8.4).
    const std::uint32_t len = (word & kWriteFlag) != 0 ? PackedDesc::len_of(word) : 0;
    if (len >= state.limit) return {.why = Errc::ring_used_length};
    return {.is_completion = true, .id = static_cast<std::uint16_t>(id), .len = len};
}

// Reads the used descriptor that ends the next batch. Returns false when there is none, or that latched the queue.
inline bool PackedDriver::find_batch() noexcept {
    const std::uint64_t word = load_acquire(used_->word);
    std::uint64_t id = word >> PackedDesc::kIdShift ^ used_top_; // one comparison, as in collect()
    std::uint32_t len = PackedDesc::len_of(word);
    if (id >= ids_ || len >= states_[id].limit) [[unlikely]] {
        const Judged last = judge(word);
        if (last.why != Errc::ok) latch(last.why);
        if (!last.is_completion) return false;
        id = last.id;
        len = last.len;
    }
    std::ptrdiff_t before = states_ + id - in_order_.oldest;
    if (before < 0) before += limits_.max_inflight;
    if (static_cast<std::size_t>(before) >= published_ - completed_) [[unlikely]] {
        latch(Errc::ring_id_not_live);
        return false;
    }
    in_order_.batch_left = static_cast<std::size_t>(before) + 1;
    in_order_.batch_len = len;
    return true;
}

inline std::size_t PackedDriver::collect_in_order(Completion* out, std::size_t n) noexcept {
    const PackedDriverState* const end = states_ + ids_;
    std::size_t done = 0;
    while (done < n && (in_order_.batch_left != 0 || find_batch())) {
        PackedDriverState* state = in_order_.oldest;
        const auto lap = static_cast<std::size_t>(end - state);
        const std::size_t run = smallest(in_order_.batch_left, n - done, lap);
        std::size_t bytes = 0;
        // Ids are given back and given out in order, so that the run is linked already.
        in_order_.last_free->next = state;
        if (free_ == nullptr) free_ = state;
        for (const std::size_t until = done + run; done < until; ++done, ++state) {
            out[done] = {state->token, state->limit - 1};
            state->limit = 0;
            bytes += state->bytes;
        }
        in_order_.last_free = state - 1;
        in_order_.last_free->next = nullptr;
        in_order_.oldest = run == lap ? states_ : state;
        used_ = next_used(used_, bytes); // together they are no longer than the ring
        in_order_.batch_left -= run;
        completed_ += run;
        if (in_order_.batch_left == 0) out[done - 1].written = in_order_.batch_len;
    }
    return done;
}

std::size_t PackedDriver::collect_slow(Completion* out, std::size_t n) noexcept {
    const std::size_t done = (poll_extras_ & kInOrder) != 0 ? collect_in_order(out, n) : collect(out, n);
    if (done == 0) return 0;
    if ((poll_extras_ & kPlatformFence) != 0) platform_fence();
    if ((poll_extras_ & kTakeBack) != 0) disarm();
    return done;
}

// Leaves nothing for poll() to find, and nothing for the fast path of submit().
void PackedDriver::latch(Errc why) noexcept {
    error_ = why;
    free_ = nullptr;
    counters_.chains += published_ - completed_;
    published_ = completed_;
}

std::size_t PackedDriver::evacuate(std::span<Completion> out) noexcept {
    if (states_ == nullptr) return 0; // [packed.evacuate.unset]
    latch(error_ == Errc::ok ? Errc::device_gone : error_);
    std::size_t done = 0;
    for (std::uint32_t i = 0; i < limits_.max_inflight && done < out.size(); ++i) {
        if (states_[i].limit == 0) continue;
        states_[i].limit = 0; // no list is kept on a latched queue
        out[done++] = {states_[i].token, 0};
    }
    submitted_ -= done; // not counted as completions
    return done;
}

} // namespace vfsproto
