// SPDX-License-Identifier: BSD-2-Clause
// The driver side of a packed virtqueue (virtio 1.2 §2.8). The device is not trusted: the state of what is in flight is
// private to the driver, and only the word of a used descriptor is ever read from the ring, once, and checked
// (docs/hardening.md).
//
// A burst is what is submitted between two kicks. A device takes descriptors in ring order, so that it cannot see a burst
// whose first descriptor is missing. submit() holds that one back and writes all others at once, with their flags; kick()
// publishes the whole burst by one store.
//
//   ring        | used | used | (free) | avail | avail | avail | used | …
//                               burst_at_ ^                       ^ write_
//   burst_first_  the descriptor that belongs to burst_at_
//
//   packed_driver.hpp        the contract, and the state
//   packed_driver_fast.hpp   the fast paths, compiled into the caller
//   packed_driver.cpp        everything else
#pragma once

#include "vfsproto/base/bounds.hpp"
#include "vfsproto/virtqueue/detail/notification.hpp"
#include "vfsproto/virtqueue/detail/packed_layout.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

namespace vfsproto {

// The driver's state of the chain with one buffer id. The array is storage of the caller, and private: the device must not
// reach it.
struct PackedDriverState {
    std::uint64_t id = 0;              // shifted to where the word of a descriptor has it
    PackedDriverState* next = nullptr; // the following free one
    std::size_t bytes = 0;             // the size of the last chain's descriptors in the ring; 0: there was no chain
    std::uint32_t limit = 0;           // in flight: the bytes the device may write, plus one. Else 0
    Token token{};
};

struct PackedDriverOptions {
    EventIndex event_index = EventIndex::off;
    Ordering ordering = Ordering::smp;
    UseOrder order = UseOrder::any;
    // The most segments of one chain, readable and writable together. A value above the ring size means the ring size:
    // a chain may not be longer, not even in an indirect table (virtio 1.2 §2.8.19).
    std::uint16_t max_segments = 4;
    // Room for one indirect table per chain in flight: packed_indirect_bytes() long, 16-byte aligned, reachable by the
    // device, owned by the caller. If empty, VIRTIO_F_INDIRECT_DESC is not negotiated and all chains are direct.
    Region indirect{};
    // Chains of up to this many segments are direct, even if there are indirect tables. The ring always has room for
    // max_inflight chains, which is its size divided by this. 0: a chain is direct unless it takes more than a 32nd of
    // the ring.
    std::uint16_t direct_segments = 0;
    Doorbell doorbell{};
};

// By default a direct chain has at most this part of the ring: one 32nd.
inline constexpr std::uint16_t kPackedDirectPart = 32;

// Elements of the state array for a ring of this many descriptors.
[[nodiscard]] constexpr std::size_t packed_driver_state_count(std::uint16_t size) noexcept { return size; }
[[nodiscard]] constexpr std::size_t packed_indirect_bytes(std::uint16_t size, std::uint16_t max_segments) noexcept {
    return std::size_t{16} * size * (max_segments < size ? max_segments : size);
}

// A model of RequestQueue. One owner at a time; every call is legal in interrupt context if the owner's lock is. No call
// sleeps.
//
// Example (tests/unit/virtqueue/ring_examples_test.cpp):
//
//     const auto ring = PackedRing::in(ring_memory, kSize);
//     PackedDriver driver;
//     Errc errc = driver.init(*ring, driver_states, {.event_index = EventIndex::on});
//     errc = driver.submit({&request, 1}, {&reply, 1}, Token{7}); // writes descriptor 1; 0 is held back
//     errc = driver.submit({}, {&reply, 1}, Token{8});            // writes descriptor 2
//     driver.kick();                                              // writes descriptor 0: all three are available
class PackedDriver {
public:
    PackedDriver() noexcept = default;
    PackedDriver(const PackedDriver&) = delete;
    PackedDriver& operator=(const PackedDriver&) = delete;

    // Zeroes the ring and starts it empty. To be called before the device learns of the ring. Ring memory and states
    // remain the caller's and must outlive the queue. Errors: bad_argument (options), no_memory (too few states, or the
    // indirect room is too small).
    [[nodiscard]] Errc init(const PackedRing& ring, std::span<PackedDriverState> states,
                            const PackedDriverOptions& options) noexcept;
    // Puts the ring back to what init() made, after a reset of the device or of the queue alone (VIRTIO_F_RING_RESET).
    // Errors: wrong_state until evacuate() has said 0.
    [[nodiscard]] Errc restart() noexcept;
    // Replaces the doorbell: a transport knows it only once the queue is enabled.
    void set_doorbell(Doorbell doorbell) noexcept { doorbell_ = doorbell; }

    [[nodiscard]] QueueLimits limits() const noexcept { return limits_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDriverCounters counters() const noexcept {
        RingDriverCounters counters = counters_;
        counters.chains += published_;
        counters.descriptors += full_laps_ + static_cast<std::size_t>(burst_at_ - descriptors_);
        counters.completions += completed_;
        return counters;
    }
    [[nodiscard]] std::uint16_t size() const noexcept { return ring_.size(); }
    // Chains submitted and not yet polled, published or not.
    [[nodiscard]] std::uint16_t in_flight() const noexcept {
        return static_cast<std::uint16_t>(submitted_ - completed_);
    }
    // The position of the first descriptor that is not published: notification_data() is made of it.
    [[nodiscard]] std::uint16_t next_position() const noexcept { return next_position_; }

    // Writes the chain's descriptors; kick() publishes them. Errors: queue_full; bad_argument (no segment, more than
    // max_segments, an empty segment, 4 GiB less a byte or more in all); the violation that latched the queue. After an
    // error nothing was submitted.
    [[gnu::always_inline, nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                                  Token token) noexcept;

    // Publishes what was submitted since the last kick, and rings the doorbell if the device asks for it.
    void kick() noexcept;

    // Returns what completed before a violation, in the device's order; the violation then shows in error(). Without event
    // index, a poll that finds something also takes back what arm() asked for (a hint).
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept;

    // Asks for an interrupt after that many completions, but at most what is in flight. The device can only be asked by
    // descriptors: it is asked for as many as the n shortest chains in flight have, which may be reached by fewer
    // completions and never by more. Always true on a latched queue.
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept;

    // Asks for no interrupts while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        store_relaxed(*ring_.driver_event(), packed_event(0, packed::kDisable));
        poll_extras_ &= ~kTakeBack;
    }

    // Hands tokens in flight back, in no particular order, with `written` 0. Latches a healthy queue with device_gone.
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    static constexpr std::uint64_t kMaxChainBytes = 0xfffffffe; // PackedDriverState::limit is one more
    // Bits of poll_extras_:
    static constexpr std::uint8_t kTakeBack = 1;      // without event index: arm() let the device interrupt
    static constexpr std::uint8_t kPlatformFence = 2; // replies are written by hardware
    static constexpr std::uint8_t kInOrder = 4;
    static constexpr std::uint64_t kBothWraps = PackedDesc::flags(packed::kBoth);
    static constexpr std::uint64_t kWriteFlag = PackedDesc::flags(packed::kWrite);

    // Submitting.
    [[gnu::always_inline, nodiscard]] static std::uint32_t limit_of(std::span<const Segment> readable,
                                                                    std::span<const Segment> writable) noexcept;
    void commit(PackedDriverState& state, std::uint32_t limit, std::size_t descriptors, Token token) noexcept;
    [[nodiscard]] PackedDesc* write_on(PackedDesc* at) noexcept;
    [[nodiscard]] Errc submit_slow(std::span<const Segment> readable, std::span<const Segment> writable,
                                   Token token) noexcept;
    [[nodiscard]] Errc submit_indirect(std::span<const Segment> readable, std::span<const Segment> writable,
                                       Token token) noexcept;

    // Notifying.
    void begin_burst(PackedDesc* at) noexcept;
    [[nodiscard]] bool device_wants_kick(const PackedDesc* from, std::uint16_t from_position) const noexcept;
    [[nodiscard]] std::uint16_t position_of_many(std::uint16_t completions) const noexcept;
    [[nodiscard]] std::uint32_t least_descriptors(std::size_t chains) const noexcept;

    // Completing.
    [[gnu::always_inline, nodiscard]] std::size_t collect(Completion* out, std::size_t n) noexcept;
    [[nodiscard]] std::size_t collect_slow(Completion* out, std::size_t n) noexcept;
    [[gnu::always_inline, nodiscard]] std::size_t collect_in_order(Completion* out, std::size_t n) noexcept;
    [[nodiscard]] bool find_batch() noexcept;
    [[nodiscard]] std::size_t stop_at_violation(Errc why, std::size_t done, PackedDesc* at,
                                                PackedDriverState* free) noexcept;
    // The meaning of a word that the fast path does not know.
    struct Judged {
        Errc why = Errc::ok;        // else the violation
        bool is_completion = false; // false: the descriptor is not used, or a violation
        std::uint16_t id = 0;
        std::uint32_t len = 0;
    };
    [[nodiscard]] Judged judge(std::uint64_t word) const noexcept;
    // The wrap counter at used_, as the flags of a word.
    [[nodiscard]] std::uint64_t used_flags() const noexcept { return used_top_ << PackedDesc::kIdShift; }
    [[nodiscard]] bool is_used(std::uint64_t word) const noexcept { return ((word ^ used_flags()) & kBothWraps) == 0; }
    [[nodiscard]] PackedDesc* next_used(PackedDesc* at, std::size_t bytes) noexcept;

    void latch(Errc why) noexcept;
    void reset_state() noexcept;

    // The fast paths use these. submitted_, published_ and completed_ count chains and run freely.
    PackedDesc* write_ = nullptr;     // where the next descriptor goes: burst_first_, or in the ring
    PackedDesc* write_end_ = nullptr; // when write_ comes here, write_on() says where it goes on
    std::uint64_t avail_word_ = 0;    // the flags that say "available" at write_
    // nullptr: the ring is full. A latched queue has given its free list up, so that submit_slow() looks at error_.
    PackedDriverState* free_ = nullptr;
    std::size_t submitted_ = 0;
    std::size_t direct_segments_ = 0; // the most segments of a direct chain
    PackedDesc* used_ = nullptr;      // where the next used descriptor will be
    std::uint64_t used_top_ = 0;      // the flags that say "used, and written to" there, as the upper half of a word
    std::uint64_t ids_ = 0;           // limits_.max_inflight
    PackedDriverState* states_ = nullptr;
    std::size_t published_ = 0;
    std::size_t completed_ = 0;
    PackedDesc* end_ = nullptr; // behind the last descriptor of the ring
    std::size_t full_laps_ = 0; // descriptors in the laps that are complete
    PackedDesc* descriptors_ = nullptr;
    EventIndex event_index_ = EventIndex::off;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    std::uint8_t poll_extras_ = 0;   // what collect_slow() has to do; 0: poll() takes the fast path
    PackedDesc* burst_at_ = nullptr; // where burst_first_ belongs
    PackedDesc burst_first_{};
    std::uint16_t next_position_ = 0; // burst_at_ as a position
    RingDriverCounters
        counters_{}; // chains, descriptors, completions: up to the last restart; counters() adds the rest
    Doorbell doorbell_{};
    PackedRing ring_;

    // IN_ORDER: ids are given out and given back in order, and one used descriptor completes its chain and all before it
    // (virtio 1.2 §2.8.8). These chains are a batch; poll() may return it in several parts.
    struct InOrder {
        PackedDriverState* oldest = nullptr;    // chain in flight
        PackedDriverState* last_free = nullptr; // the end of the free list
        std::size_t batch_left = 0;             // chains of the batch that poll() has not returned
        std::uint32_t batch_len = 0;            // bytes written to its last chain
    } in_order_;

    // Cold.
    Region indirect_;
    QueueLimits limits_{};
};

} // namespace vfsproto

#include "vfsproto/virtqueue/detail/packed_driver_fast.hpp" // IWYU pragma: export

static_assert(vfsproto::RequestQueue<vfsproto::PackedDriver>);
