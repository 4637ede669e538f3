// SPDX-License-Identifier: BSD-2-Clause
// The driver side of a packed virtqueue (virtio 1.2 §2.8). The device is not trusted: what is in flight stands in a private
// shadow, and of the ring only the word of a used descriptor is ever read, once, and checked (docs/hardening.md).
//
// A burst becomes visible at once. A device takes descriptors in ring order, so that all of a burst may be written and
// flagged while the first one is kept back: kick() writes that one last, by a single store behind everything else.
#pragma once

#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/packed_layout.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

namespace vfsproto {

// What the driver knows of the buffer with one id. Storage of the caller, private: the device must not reach it.
struct PackedDriverState {
    std::uint64_t id = 0;              // where the word of a descriptor has it
    PackedDriverState* next = nullptr; // the following free one
    std::size_t bytes = 0;             // of the descriptors in the ring, of the last chain; 0: there was none
    std::uint32_t limit = 0;           // in flight: the bytes the device may write, plus one. Else 0
    Token token{};
};

struct PackedDriverOptions {
    EventIndex event_index = EventIndex::off;
    Ordering ordering = Ordering::smp;
    UseOrder order = UseOrder::any;
    // The most segments of one chain, readable and writable together. Above the ring size: the ring size (a chain may
    // not be longer, not even through an indirect table: virtio 1.2 §2.8.19).
    std::uint16_t max_segments = 4;
    // Room for one indirect table per chain in flight, packed_indirect_bytes() long and 16-byte aligned, reachable by the
    // device, owned by the caller. Empty: VIRTIO_F_INDIRECT_DESC is not negotiated, chains are direct.
    Region indirect{};
    // With indirect tables: chains of up to this many segments are direct all the same. The ring always has room for
    // max_inflight chains, which is its size divided by this. 0: a chain is direct unless it takes more than a 32nd of
    // the ring.
    std::uint16_t direct_segments = 0;
    Doorbell doorbell{};
};

inline constexpr std::uint16_t kPackedRingShare = 32;

// Elements of the shadow array for a ring of this many descriptors.
[[nodiscard]] constexpr std::size_t packed_driver_state_count(std::uint16_t size) noexcept { return size; }
[[nodiscard]] constexpr std::size_t packed_indirect_bytes(std::uint16_t size, std::uint16_t max_segments) noexcept {
    return std::size_t{16} * size * (max_segments < size ? max_segments : size);
}

// A model of RequestQueue. One owner at a time; every call is legal in interrupt context if the owner's lock is.
class PackedDriver {
public:
    PackedDriver() noexcept = default;
    PackedDriver(const PackedDriver&) = delete;
    PackedDriver& operator=(const PackedDriver&) = delete;

    // Zeroes the ring and starts it empty. To be called before the device learns of the ring; ring memory and shadow stay
    // the caller's and outlive the queue. Errors: bad_argument (options), no_memory (shadow or indirect too small).
    [[nodiscard]] Errc init(const PackedRing& ring, std::span<PackedDriverState> shadow,
                            const PackedDriverOptions& options) noexcept;
    // After a device reset, or a reset of the queue alone (VIRTIO_F_RING_RESET), once evacuate() has said 0: the ring as
    // after init(). Errors: wrong_state while tokens are out.
    [[nodiscard]] Errc restart() noexcept;
    // Transports know the doorbell only once the queue is enabled.
    void set_doorbell(Doorbell doorbell) noexcept { doorbell_ = doorbell; }

    [[nodiscard]] QueueLimits limits() const noexcept { return limits_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDriverCounters counters() const noexcept {
        RingDriverCounters counters = counters_;
        counters.chains += published_;
        counters.descriptors += passed_ + static_cast<std::size_t>(first_at_ - descriptors_);
        counters.completions += completed_;
        return counters;
    }
    [[nodiscard]] std::uint16_t size() const noexcept { return ring_.size(); }
    // Submitted and not yet polled, published or not.
    [[nodiscard]] std::uint16_t in_flight() const noexcept {
        return static_cast<std::uint16_t>(submitted_ - completed_);
    }
    // The place of the first descriptor that is not published: notification_data() is made of it.
    [[nodiscard]] std::uint16_t next_position() const noexcept { return next_position_; }

    // Errors: queue_full; bad_argument (no segment, more than max_segments, an empty segment, 4 GiB less a byte or more in
    // all); the violation that latched the queue. After an error nothing was submitted.
    [[gnu::always_inline, nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                                  Token token) noexcept {
        const std::size_t count = readable.size() + writable.size();
        if (count != 1 && count - 1 >= direct_segments_) [[unlikely]]
            return submit_other(readable, writable, token);
        PackedDriverState* const shadow = free_;
        if (shadow == nullptr) [[unlikely]]
            return refuse_submit();
        const std::uint32_t limit = limit_of(readable, writable);
        if (limit == 0) [[unlikely]]
            return Errc::bad_argument;

        PackedDesc* at = write_;
        const std::uint64_t id = shadow->id;
        const auto put = [&](Segment segment, std::uint32_t flags) __attribute__((always_inline)) {
            store_relaxed(at->addr, to_number(segment.addr));
            store_relaxed(at->word, avail_word_ | id | PackedDesc::flags(flags) | segment.len);
            if (++at == edge_) [[unlikely]]
                at = cross_edge(at);
        };
        // Each but the last has NEXT; the wrap counter may change within a chain.
        const std::size_t linked_readable = readable.size() - (writable.empty() ? 1 : 0);
        for (std::size_t i = 0; i < linked_readable; ++i) put(readable[i], packed::kNext);
        for (std::size_t i = 0; i + 1 < writable.size(); ++i) put(writable[i], packed::kNext | packed::kWrite);
        if (writable.empty()) {
            put(readable[linked_readable], 0);
        } else {
            put(writable[writable.size() - 1], packed::kWrite);
        }
        write_ = at;
        commit(*shadow, limit, count, token);
        return Errc::ok;
    }

    void kick() noexcept {
        if (submitted_ == published_ || error_ != Errc::ok) return;
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        PackedDesc* const from = first_at_;
        const std::uint16_t from_place = next_position_;
        store_relaxed(from->addr, first_.addr.value());
        store_release(from->word, first_.word.value()); // [packed.kick.publish]
        published_ = submitted_;
        ++counters_.publications;
        begin_burst(write_);
        store_load_fence(ordering_);                      // [packed.kick.fence]
        if (!device_wants_kick(from, from_place)) return; // [packed.kick.look]
        ++counters_.doorbells;
        if (doorbell_.ring != nullptr) doorbell_.ring(doorbell_.context, next_position_);
    }

    // What completed before a violation is returned in order; the violation then shows in error(). Without event index, a
    // poll that finds something also takes back what arm() asked for (a hint).
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        const std::size_t due = published_ - completed_;
        const std::size_t most = due < out.size() ? due : out.size();
        const std::size_t done = cares_ == 0 ? collect(out.data(), most) : collect_with_care(out.data(), most);
        if (done == 0) {
            ++counters_.empty_polls;
            return 0;
        }
        ++counters_.polls;
        return done;
    }

    // Capped at what is in flight. Asks for a notification once the device passed as many descriptors as the n shortest
    // chains have: n completions are that many at least, whichever they are. On a latched queue: true.
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept {
        if (error_ != Errc::ok) return true;
        if (event_index_ == EventIndex::on) {
            // [packed.arm.wanted]
            const std::uint16_t place =
                completions > 1 ? place_of_many(completions) : packed_position(used_ - descriptors_, used_flags());
            store_relaxed(*ring_.driver_event(), packed_event(place, packed::kDescriptor)); // [packed.arm.ask]
        } else {
            store_relaxed(*ring_.driver_event(), packed_event(0, packed::kEnable));
            cares_ |= kTakeBack;
        }
        store_load_fence(ordering_); // [packed.arm.fence]
        // [packed.arm.look]
        return (is_used(load_acquire(used_->word)) && published_ != completed_) || batch_left_ != 0;
    }

    // Asks for no interrupts while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        store_relaxed(*ring_.driver_event(), packed_event(0, packed::kDisable));
        cares_ &= ~kTakeBack;
    }

    // Latches a healthy queue with device_gone. Oldest first is not promised. `written` is 0.
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    static constexpr std::uint64_t kMaxChainBytes = 0xfffffffe; // PackedDriverState::limit is one more
    // cares_, bits:
    static constexpr std::uint8_t kTakeBack = 1;      // without event index: arm() let the device interrupt
    static constexpr std::uint8_t kPlatformFence = 2; // what is read next was written by hardware
    static constexpr std::uint8_t kInOrder = 4;
    static constexpr std::uint64_t kBothWraps = PackedDesc::flags(packed::kBoth);
    static constexpr std::uint64_t kWriteFlag = PackedDesc::flags(packed::kWrite);

    // PackedDriverState::limit of such a chain; 0: it is not legal. To be asked before anything is written: a descriptor that is
    // flagged and then refused would be found behind the next burst.
    [[gnu::always_inline, nodiscard]] static std::uint32_t limit_of(std::span<const Segment> readable,
                                                                    std::span<const Segment> writable) noexcept {
        // [packed.submit.alone]
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

    void commit(PackedDriverState& shadow, std::uint32_t limit, std::size_t descriptors, Token token) noexcept {
        free_ = shadow.next;
        shadow.limit = limit;
        shadow.bytes = descriptors * sizeof(PackedDesc);
        shadow.token = token;
        ++submitted_;
    }

    // From here on the first descriptor goes to first_, not into the ring: `at` is its place there.
    void begin_burst(PackedDesc* at) noexcept {
        first_at_ = at;
        next_position_ = packed_position(at - descriptors_, avail_word_);
        write_ = &first_;
        edge_ = &first_ + 1;
    }
    // Where the next descriptor goes after one that was the first of a burst, or the last of the ring.
    [[nodiscard]] PackedDesc* cross_edge(PackedDesc* at) noexcept {
        if (edge_ != end_) {
            at = first_at_ + 1;
            edge_ = end_;
            if (at != end_) return at;
        }
        avail_word_ ^= kBothWraps;
        passed_ += ring_.size();
        return descriptors_;
    }
    // For what was published from this place on.
    [[nodiscard]] bool device_wants_kick(const PackedDesc* from, std::uint16_t from_place) const noexcept {
        const std::uint32_t event = load_relaxed(*ring_.device_event()); // [packed.event.look]
        if (event_index_ == EventIndex::on) {
            // [packed.event.fast]
            if (event == packed_event(from_place, packed::kDescriptor))
                return true; // as a device asks that has seen all
            if ((event >> 16 & packed::kEventFlags) == packed::kDescriptor) {
                const std::ptrdiff_t step = first_at_ - from; // 0: the whole ring
                const auto count = static_cast<std::uint32_t>(step > 0 ? step : step + ring_.size());
                return packed_event_due(static_cast<std::uint16_t>(event), next_position_, count, ring_.size());
            }
        }
        return (event >> 16 & packed::kEventFlags) != packed::kDisable;
    }

    // The wrap counter at used_ as a word has it.
    [[nodiscard]] std::uint64_t used_flags() const noexcept { return used_top_ << PackedDesc::kIdShift; }
    [[nodiscard]] bool is_used(std::uint64_t word) const noexcept { return ((word ^ used_flags()) & kBothWraps) == 0; }
    [[nodiscard]] PackedDesc* next_used(PackedDesc* at, std::size_t bytes) noexcept {
        at = packed_after(at, bytes);
        if (at >= end_) [[unlikely]] {
            at -= ring_.size();
            used_top_ ^= kBothWraps >> PackedDesc::kIdShift;
        }
        return at;
    }

    // Takes up to n used descriptors. The caller knows that so many chains were published.
    [[gnu::always_inline, nodiscard]] std::size_t collect(Completion* out, std::size_t n) noexcept {
        PackedDriverState* const shadows = shadow_;
        const std::uint64_t ids = ids_;
        PackedDesc* at = used_;
        PackedDriverState* free = free_;
        std::size_t done = 0;
        for (; done < n; ++done) {
            std::uint64_t word = load_acquire(at->word); // [packed.poll.used]
            // One comparison for all: of a buffer that was not written to, or not used, this is no id.
            std::uint64_t id = word >> PackedDesc::kIdShift ^ used_top_; // [packed.poll.id]
            if (id >= ids || PackedDesc::len_of(word) >= shadows[id].limit) [[unlikely]] {
                const Unusual found = judge(word);
                if (found.why != Errc::ok) return stop_at_violation(found.why, done, at, free);
                if (!found.is_completion) break;
                id = found.id;
                word = found.len;
            }
            PackedDriverState& shadow = shadows[id];
            out[done] = {shadow.token, PackedDesc::len_of(word)};
            shadow.limit = 0;
            shadow.next = free;
            free = &shadow;
            at = next_used(at, shadow.bytes);
        }
        used_ = at;
        free_ = free;
        completed_ += done;
        return done;
    }
    // … with what completed before it.
    [[nodiscard]] std::size_t stop_at_violation(Errc why, std::size_t done, PackedDesc* at,
                                                PackedDriverState* free) noexcept;
    // The same with IN_ORDER: one used descriptor tells of its buffer and of all before it.
    [[gnu::always_inline, nodiscard]] std::size_t collect_in_order(Completion* out, std::size_t n) noexcept;
    [[nodiscard]] bool find_batch() noexcept;

    // What a descriptor that is not the usual used one comes to.
    struct Unusual {
        Errc why = Errc::ok;
        bool is_completion = false; // no: it is not used, or a violation
        std::uint16_t id = 0;
        std::uint32_t len = 0;
    };
    [[nodiscard]] Unusual judge(std::uint64_t word) const noexcept;
    // With what few polls have to do besides.
    [[nodiscard]] std::size_t collect_with_care(Completion* out, std::size_t n) noexcept;
    // Takes submit() to where the error is looked at, and poll() to nothing.
    void latch(Errc why) noexcept;
    [[nodiscard]] Errc refuse_submit() const noexcept;
    [[nodiscard]] Errc submit_other(std::span<const Segment> readable, std::span<const Segment> writable,
                                    Token token) noexcept;
    // Of the last descriptor of so many of the shortest chains in flight.
    [[nodiscard]] std::uint16_t place_of_many(std::uint16_t completions) const noexcept;
    [[nodiscard]] std::uint32_t least_descriptors(std::size_t chains) const noexcept;
    void reset_state() noexcept;

    // Hot.
    PackedDesc* write_ = nullptr;       // where the next descriptor goes
    PackedDesc* edge_ = nullptr;        // reaching this, write_ jumps
    std::uint64_t avail_word_ = 0;      // the flags that say "available" at write_
    PackedDriverState* free_ = nullptr; // none once latched
    std::size_t submitted_ = 0;         // chains; the three run freely
    std::size_t direct_segments_ = 0;   // most segments of a direct chain
    PackedDesc* used_ = nullptr;        // where the next used descriptor will be
    std::uint64_t used_top_ = 0;        // the flags that say "used, and written to" there, as the upper half of a word
    std::uint64_t ids_ = 0;             // as limits_.max_inflight
    PackedDriverState* shadow_ = nullptr;
    std::size_t published_ = 0;
    std::size_t completed_ = 0;
    PackedDesc* end_ = nullptr;
    std::size_t passed_ = 0; // descriptors in the laps that are complete
    PackedDesc* descriptors_ = nullptr;
    EventIndex event_index_ = EventIndex::off;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    std::uint8_t cares_ = 0; // of collect_with_care()
    PackedDesc* first_at_ = nullptr;
    PackedDesc first_{};              // of the burst that is not published
    std::uint16_t next_position_ = 0; // first_at_ as the device says it
    RingDriverCounters counters_{};   // chains, descriptors, completions: of the time before the last restart
    Doorbell doorbell_{};
    PackedRing ring_;

    // IN_ORDER: the chain in flight that is the oldest, the free one that is the last, and what one used descriptor told of.
    PackedDriverState* oldest_ = nullptr;
    PackedDriverState* last_free_ = nullptr;
    std::size_t batch_left_ = 0;  // chains
    std::uint32_t batch_len_ = 0; // of the last of them

    // Cold.
    Region indirect_;
    std::uint16_t direct_limit_ = 0;
    QueueLimits limits_{};
};

static_assert(RequestQueue<PackedDriver>);

} // namespace vfsproto
