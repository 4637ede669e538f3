// SPDX-License-Identifier: BSD-2-Clause
// The driver side of a split virtqueue (virtio 1.2 §2.7). The device is not trusted: the state of what is in flight is
// private to the driver, the descriptor table and the available ring are written and never read, and each value that the
// device controls is read once and checked (docs/hardening.md).
//
//   split_driver.hpp        the contract, and the state
//   split_driver_fast.hpp   the fast paths, compiled into the caller
//   split_driver.cpp        everything else
#pragma once

#include "vfsproto/base/bounds.hpp"
#include "vfsproto/virtqueue/detail/notification.hpp"
#include "vfsproto/virtqueue/detail/split_layout.hpp"
#include "vfsproto/virtqueue/prepared_chain.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

#include <utility>

namespace vfsproto {

// The driver's state of one descriptor. The array is storage of the caller, and private: the device must not reach it. An
// element is as large as a descriptor, so that one offset finds both.
struct alignas(16) SplitDriverState {
    // `next` is the following free head, or one of these:
    static constexpr std::uint16_t kInFlight = 0xffff;      // the head of a chain that the device has
    static constexpr std::uint16_t kEnd = 0xfffe;           // free, and the last of the free list
    static constexpr std::uint16_t kNeverHead = 0xfffd;     // not the first descriptor of a chain
    static constexpr std::uint32_t kNeverUsed = 0xffffffff; // `writable` before the first chain

    std::uint32_t writable{}; // bytes the device may write
    std::uint16_t next{};
    Token token{};
    PreparedId prepared{};       // the chain whose descriptors are in the table from here on
    std::uint16_t order{};       // IN_ORDER: the chain's index in the available ring
    std::uint16_t descriptors{}; // IN_ORDER: how many descriptors of the table the chain takes
};
static_assert(sizeof(SplitDriverState) == 16 && SplitDriverState::kNeverHead > kSplitMaxSize);

struct SplitDriverOptions {
    EventIndex event_index = EventIndex::off;
    Ordering ordering = Ordering::smp;
    // UseOrder::in_order: a chain begins where the one before it ended, so that the ring prepares no chains.
    UseOrder order = UseOrder::any;
    // The most segments of one chain, readable and writable together. A value above the ring size means the ring size:
    // a chain may not be longer, not even in an indirect table (virtio 1.2 §2.7.5.3.1). Without indirect tables each
    // chain owns that many descriptors, and max_inflight is the ring size divided by it.
    std::uint16_t max_segments = 4;
    // Room for one indirect table per descriptor: split_indirect_bytes() long, 16-byte aligned, reachable by the device,
    // owned by the caller. If empty, VIRTIO_F_INDIRECT_DESC is not negotiated and all chains are direct.
    Region indirect{};
    // Chains of up to this many segments are direct, even if there are indirect tables, and each chain owns that many
    // descriptors. A larger value saves the device a look-up and costs depth: max_inflight is the ring size divided by it.
    std::uint16_t direct_segments = 1;
    Doorbell doorbell{};
};

// Elements of the state array for a ring of this many entries.
[[nodiscard]] constexpr std::size_t split_driver_state_count(std::uint16_t size) noexcept { return size; }
[[nodiscard]] constexpr std::size_t split_indirect_bytes(std::uint16_t size, std::uint16_t max_segments) noexcept {
    return std::size_t{16} * size * (max_segments < size ? max_segments : size);
}

// A model of RequestQueue and PreparesChains. One owner at a time; every call is legal in interrupt context if the owner's
// lock is. No call sleeps.
//
// Example (tests/unit/virtqueue/ring_examples_test.cpp):
//
//     const auto ring = SplitRing::in(ring_memory, kSize);
//     SplitDriver driver;
//     Errc errc = driver.init(*ring, driver_states, {.event_index = EventIndex::on, .doorbell = doorbell});
//
// Then the device is told where the ring is. For each request:
//
// Example (tests/unit/virtqueue/ring_examples_test.cpp):
//
//     errc = driver.submit({&request, 1}, {&reply, 1}, Token{7});
//     driver.kick();
//     Completion done[4];
//     while (driver.poll(done) == 0) {
//         if (!driver.arm(1)) wait_for_interrupt();
//     }
class SplitDriver {
public:
    SplitDriver() noexcept = default;
    SplitDriver(const SplitDriver&) = delete;
    SplitDriver& operator=(const SplitDriver&) = delete;

    // Zeroes the ring and starts it empty. To be called before the device learns of the ring. Ring memory and states
    // remain the caller's and must outlive the queue. Errors: bad_argument (options), no_memory (too few states, or the
    // indirect room is too small).
    [[nodiscard]] Errc init(const SplitRing& ring, std::span<SplitDriverState> states,
                            const SplitDriverOptions& options) noexcept;
    // Puts the ring back to what init() made, after a device reset. Errors: wrong_state until evacuate() has said 0.
    [[nodiscard]] Errc restart() noexcept;
    // Replaces the doorbell: a transport knows it only once the queue is enabled.
    void set_doorbell(Doorbell doorbell) noexcept;

    [[nodiscard]] QueueLimits limits() const noexcept { return limits_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDriverCounters counters() const noexcept {
        RingDriverCounters counters = counters_;
        counters.chains += published_;
        counters.descriptors += avail_index_;
        return counters;
    }
    [[nodiscard]] std::uint16_t size() const noexcept { return ring_.size(); }
    // Chains submitted and not yet polled, published or not.
    [[nodiscard]] std::uint16_t in_flight() const noexcept {
        return static_cast<std::uint16_t>(avail_index_ - last_used_);
    }

    // Writes the chain's descriptors; kick() publishes them. Errors: queue_full; bad_argument (no segment, more than
    // max_segments, an empty segment, 4 GiB or more in all); the violation that latched the queue. After an error nothing
    // was submitted.
    [[gnu::always_inline, nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                                  Token token) noexcept;
    // The number of segments is known to the compiler, which unrolls the loops.
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept;

    // Submits a chain that repeats the last one submitted as `id`, except for one segment. `Varying` is that segment's
    // index in the chain, readable segments first. Errors: as submit().
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(const Segment (&readable)[R], const Segment (&writable)[W], Token token, PreparedId id) noexcept;
    // Submits the chain that has_prepared() found, with this segment at `Varying`; `others` are the lengths of all other
    // segments. Errors: bad_argument, for this segment.
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(Segment segment, PreparedLengths others, Token token) noexcept;
    // True if the next free head still has the descriptors of `id`. Always false when the queue is full or latched.
    [[gnu::always_inline, nodiscard]] bool has_prepared(PreparedId id) const noexcept {
        return free_head_ != SplitDriverState::kEnd && states_[free_head_].prepared == id;
    }
    // Returns the first of `count` ids that nobody else has.
    [[nodiscard]] PreparedId reserve_prepared(std::uint32_t count) noexcept {
        return PreparedId{std::exchange(next_prepared_, next_prepared_ + count)};
    }

    // Publishes what was submitted since the last kick, and rings the doorbell if the device asks for it.
    void kick() noexcept;

    // Returns what completed before a violation, in the device's order; the violation then shows in error(). Without event
    // index, a poll that finds something also takes back what arm() asked for (a hint: virtio 1.2 §2.7.7).
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept;

    // Asks for an interrupt after that many completions, but at most what is in flight: more could not come. The caller
    // counts only chains that complete without waiting for something else. Always true on a latched queue.
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept;

    // Asks for no interrupts while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            // The index that is reached last. [split.disarm.event]
            store_relaxed(*used_event_, static_cast<std::uint16_t>(last_used_ - 1));
        } else {
            store_relaxed(ring_.avail()[SplitRing::kFlags], split::kNoInterrupt);
            asked_by_flags_ = false;
        }
    }

    // Hands tokens in flight back, in no particular order, with `written` 0. Latches a healthy queue with device_gone.
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    // A longer chain is against virtio 1.2 §2.7.5.2, and could not be told from SplitDriverState::kNeverUsed.
    static constexpr std::uint64_t kMaxChainBytes = SplitDriverState::kNeverUsed - 1;

    struct Bytes {
        std::uint64_t total = 0; // 0: there is an empty segment
        std::uint64_t readable = 0;
    };

    // Submitting, in split_driver_fast.hpp.
    template <std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_chain(std::span<const Segment, R> readable,
                                                        std::span<const Segment, W> writable, Token token,
                                                        PreparedId id) noexcept;
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    leave_fast_path(std::span<const Segment, R> readable, std::span<const Segment, W> writable, Token token) noexcept;
    template <std::size_t R, std::size_t W>
    [[gnu::always_inline]] static Bytes write_descriptors(SplitDesc* desc, std::uint32_t first,
                                                          std::span<const Segment, R> readable,
                                                          std::span<const Segment, W> writable) noexcept;
    template <std::size_t N, class F>
    [[gnu::always_inline]] static void for_each(std::span<const Segment, N> segments, F&& take) noexcept;
    void commit(SplitDriverState& state, std::uint16_t head, std::uint32_t writable, Token token) noexcept;

    // Submitting, in split_driver.cpp.
    [[nodiscard]] Errc submit_slow(std::span<const Segment> readable, std::span<const Segment> writable,
                                   Token token) noexcept;
    [[nodiscard]] Errc submit_indirect(std::span<const Segment> readable, std::span<const Segment> writable,
                                       Token token) noexcept;
    [[nodiscard]] Errc submit_in_order(std::span<const Segment> readable, std::span<const Segment> writable,
                                       Token token) noexcept;
    [[nodiscard]] Bytes write_wrapped(std::span<const Segment> readable, std::span<const Segment> writable) noexcept;
    void commit_in_order(std::size_t descriptors, std::uint32_t writable, Token token) noexcept;

    // Notifying.
    void kick_slow() noexcept;
    [[nodiscard]] bool arm_slow(std::uint16_t completions) noexcept;
    void publish(std::size_t index) noexcept;
    void ring_doorbell() noexcept;
    void ask_for(std::uint16_t completions) noexcept;
    [[nodiscard]] std::uint16_t at_most_in_flight(std::uint16_t completions) const noexcept;

    // Completing.
    [[nodiscard]] std::uint16_t completed() const noexcept;
    [[nodiscard]] std::size_t poll_slow(std::span<Completion> out, std::uint16_t pending) noexcept;
    [[nodiscard]] std::size_t collect(Completion* out, std::size_t n) noexcept;
    void finish_collect(std::size_t done, std::uint32_t free_head) noexcept;
    [[gnu::always_inline, nodiscard]] std::size_t collect_in_order(std::span<Completion> out,
                                                                   std::size_t pending) noexcept;
    [[nodiscard]] bool find_batch(std::size_t pending) noexcept;

    // Latches the queue. Returns 0: nothing was polled.
    std::size_t latch(Errc why) noexcept;
    // Names the violation of a used entry with this id.
    [[nodiscard]] Errc classify(std::uint32_t id) const noexcept;
    void reset_state() noexcept;

    // The fast paths use these. Indices run freely in whole words; the ring holds their low 16 bits.
    SplitDesc* descriptors_ = nullptr;
    Le16* avail_entries_ = nullptr;
    Le16* published_index_ = nullptr;
    Le16* used_event_ = nullptr;
    const Le16* avail_event_ = nullptr;
    const Le16* used_index_ = nullptr;
    const SplitUsed* used_entries_ = nullptr;
    SplitDriverState* states_ = nullptr;
    std::uint32_t direct_segments_ = 0; // the most segments of a direct chain
    std::uint32_t mask_ = 0;
    // kEnd: the ring is full. A latched queue has given its free list up and IN_ORDER keeps none, so that the fast path
    // leaves both to submit_slow(), which tells them by error_ and order_.
    std::uint16_t free_head_ = SplitDriverState::kEnd;
    std::size_t avail_index_ = 0; // where the next chain goes in the available ring
    std::size_t published_ = 0;   // the index the device was told; the last kick was decided at it
    std::size_t last_used_ = 0;
    EventIndex event_index_ = EventIndex::off;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    UseOrder order_ = UseOrder::any;
    bool is_fast_ = false;        // kick() and arm(): healthy, with event index, Ordering::smp
    bool poll_is_fast_ = false;   // poll(): neither IN_ORDER, nor a hardware fence, nor asked_by_flags_
    bool asked_by_flags_ = false; // without event index: avail.flags lets the device interrupt
    // Totals up to the last restart, plus every descriptor but the first of each later chain. counters() adds the rest.
    RingDriverCounters counters_{};
    Doorbell doorbell_{};
    SplitRing ring_;

    // IN_ORDER: chains lie one behind the other in the table (virtio 1.2 §2.7.5), and one used entry completes its chain
    // and all before it (§2.7.9). These chains are a batch; poll() may return it in several parts.
    struct InOrder {
        std::uint16_t next_head = 0; // of the next chain
        std::uint32_t oldest = 0;    // head of the oldest chain in flight
        std::size_t batch_left = 0;  // chains of the batch that poll() has not returned
        std::uint32_t batch_len = 0; // bytes written to its last chain
    } in_order_;

    // Cold.
    Region indirect_;
    QueueLimits limits_{};
    std::uint32_t next_prepared_ = 1;
};

} // namespace vfsproto

#include "vfsproto/virtqueue/detail/split_driver_fast.hpp" // IWYU pragma: export

static_assert(vfsproto::RequestQueue<vfsproto::SplitDriver>);
static_assert(vfsproto::PreparesChains<vfsproto::SplitDriver>);
