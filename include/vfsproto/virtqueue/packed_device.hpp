// SPDX-License-Identifier: BSD-2-Clause
// The device side of a packed virtqueue (virtio 1.2 §2.8), for servers and for the twins of tests. The driver is not
// trusted: each descriptor is read once, every id, length, flag and address of it is checked, and a walk is bounded
// (docs/hardening.md). The used descriptors between two calls of publish() are a burst: the first one is held back in
// burst_first_ and published last, as a driver does (packed_driver.hpp).
//
//   packed_device.hpp        the contract, and the state
//   packed_device_fast.hpp   the fast paths, compiled into the caller
//   packed_device.cpp        everything else
#pragma once

#include "vfsproto/virtqueue/detail/notification.hpp"
#include "vfsproto/virtqueue/detail/packed_layout.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

#include <utility>

namespace vfsproto {

struct ChainWalk; // src/virtqueue/chain_walk.hpp

// The device side's state of the chain with one head. The array is storage of the caller, and private.
struct PackedDeviceState {
    // The size of its descriptors in the ring; 0: not out with the device's owner. IN_ORDER: see PackedDevice.
    std::uint32_t bytes = 0;
    std::uint32_t written = 0; // IN_ORDER: the written length of a chain that waits for those before it
};

[[nodiscard]] constexpr std::size_t packed_device_state_count(std::uint16_t size) noexcept { return size; }

struct PackedDeviceOptions {
    EventIndex event_index = EventIndex::off;
    IndirectTables indirect = IndirectTables::accepted;
    Ordering ordering = Ordering::smp;
    // UseOrder::in_order keeps completions back until all chains before them are completed. What is published at once is
    // one batch, of which only the last length is told: publish after each push() where each length counts.
    UseOrder order = UseOrder::any;
    // The positions of the first chain to serve and of the first used descriptor: both the start for a fresh ring, else
    // where the queue was stopped (vhost-user SET_VRING_BASE: the low and the high half).
    std::uint16_t start_avail = packed::kStart;
    std::uint16_t start_used = packed::kStart;
    // The most entries of an indirect table, where drivers are allowed more than the ring size. A value below the ring
    // size means the ring size.
    std::uint16_t max_chain = 0;
};

// A model of DeviceQueue. One owner at a time; no call sleeps. It is served as a SplitDevice is, whose comment has an example.
class PackedDevice {
public:
    PackedDevice() noexcept = default;
    PackedDevice(const PackedDevice&) = delete;
    PackedDevice& operator=(const PackedDevice&) = delete;

    // Starts serving; look once before waiting for a kick. The ring's memory is the driver's. Descriptors may point into
    // `memory`, which must outlive the queue and may change between calls. Errors: bad_argument (no ring, a start outside
    // it), no_memory (too few states).
    [[nodiscard]] Errc init(const PackedRing& ring, const RegionTable& memory, std::span<PackedDeviceState> states,
                            const PackedDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDeviceCounters counters() const noexcept {
        return {popped(), order_ == UseOrder::any ? pushed_ : completions_, publications_, notifications_};
    }
    // The positions of the next chain to be served and of the next used descriptor (vhost-user GET_VRING_BASE, once
    // outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept {
        return packed_position(next_avail_ - descriptors_, avail_word_);
    }
    [[nodiscard]] std::uint16_t next_used() const noexcept {
        return packed_position(burst_at_ - descriptors_, used_word_);
    }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept { return static_cast<std::uint16_t>(popped() - pushed_); }

    // Takes the next chain; false if there is none. Passes over descriptors of zero bytes. A violation latches the queue
    // with its own error and returns false; the chain that caused it never reaches the caller.
    [[gnu::always_inline, nodiscard]] bool pop(Chain& chain) noexcept;

    // Stages a used descriptor until publish(). `written` is at most the writable bytes of the chain: the caller's promise
    // to the driver. Errors: bad_argument when this chain is not out; the violation that latched the queue.
    [[gnu::always_inline, nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept;

    void publish() noexcept;

    // Publishes. Returns true if the driver asked for an interrupt for what was published since the last call; the caller
    // must send one.
    [[nodiscard]] bool wants_notification() noexcept;

    // Asks for a kick. Returns true if a chain is available already. Always false on a latched queue: nothing will be
    // served any more.
    [[nodiscard]] bool arm() noexcept;

    // Asks for no kicks while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept { store_relaxed(*ring_.device_event(), packed_event(0, packed::kDisable)); }

private:
    static constexpr std::uint64_t kBothWraps = PackedDesc::flags(packed::kBoth);
    static constexpr std::uint64_t kWriteFlag = PackedDesc::flags(packed::kWrite);
    // PackedDeviceState::bytes with IN_ORDER: from this bit on the number of descriptors (1 to 32768); a bit that says
    // that the chain is completed behind one that is not; the id.
    static constexpr unsigned kCountShift = 16;
    static constexpr std::uint32_t kWaits = 0x8000;
    static constexpr std::uint32_t kId = 0x7fff;
    static constexpr std::size_t kNone = ~std::size_t{0};

    // The shape of a chain. It is returned in registers, so that the caller's Chain stays out of memory.
    struct Shape {
        std::uint16_t head = 0;
        std::uint16_t readable = 0;
        std::uint16_t writable = 0;
        std::uint16_t descriptors = 0; // 0: there is no chain
    };

    // Three paths, from the fastest to the slowest: one direct, writable descriptor; any legal direct chain; whatever is
    // left. Each starts anew and uses nothing that another has read, so that a driver that changes a descriptor in
    // between gains nothing. The first two know only the region that was hit last, and no fence for hardware.
    [[gnu::always_inline, nodiscard]] bool pop_single(std::span<HostSegment> storage, Shape& shape) noexcept;
    [[nodiscard]] Shape pop_direct(std::span<HostSegment> storage) noexcept;
    [[nodiscard]] Shape pop_slow(std::span<HostSegment> storage) noexcept;
    [[nodiscard]] Errc walk_table(ChainWalk& walk, std::uint64_t addr, std::uint64_t word) const noexcept;
    [[nodiscard]] Shape accept(std::uint32_t id, Shape shape) noexcept;
    // The number of chains: of all descriptors that were passed, the first one of each chain.
    [[nodiscard]] std::size_t popped() const noexcept {
        return popped_before_ + static_cast<std::size_t>(next_avail_ - descriptors_);
    }
    void wrap_avail() noexcept;
    [[nodiscard]] bool is_available(std::uint64_t word) const noexcept { return (word & kBothWraps) == avail_word_; }

    [[gnu::always_inline]] void stage(std::size_t head, std::uint32_t written, std::size_t bytes) noexcept;
    [[gnu::always_inline]] void write_used(std::uint64_t id, std::uint32_t written, std::size_t bytes) noexcept;
    [[nodiscard]] std::uint64_t used_descriptor(std::uint64_t id, std::uint32_t written) const noexcept;
    void write_on(std::size_t bytes) noexcept;
    [[nodiscard]] Errc push_slow(std::size_t head, std::uint32_t written) noexcept;
    [[gnu::always_inline]] void complete(PackedDeviceState& oldest, std::uint32_t written, std::size_t& next) noexcept;
    void wrap(std::size_t& at) const noexcept;
    void close_fast_push() noexcept;

    void begin_burst(PackedDesc* at) noexcept;
    void end_burst() noexcept;
    void publish_staged() noexcept;
    void publish_slow() noexcept;
    [[gnu::always_inline]] void stage_batch() noexcept;
    void ask_for_kicks() noexcept;
    [[nodiscard]] bool driver_wants_interrupt(std::uint16_t from, std::size_t count) const noexcept;

    // Latches the queue. Returns that nothing was popped.
    Shape latch(Errc why) noexcept;

    // The fast paths use these. A head is a chain's buffer id; with IN_ORDER it is where the chain begins in the ring.
    PackedDesc* next_avail_ = &burst_first_; // where the next chain will be
    std::uint64_t avail_word_ = 0;           // the flags that say "available" there
    std::uint64_t single_top_ = 0;           // the flags of a chain for pop_single() there, as the upper half of a word
    std::uint64_t fast_heads_ =
        0; // in any order: the ring size; 0 if latched or with a fence: pop() and push() are slow
    std::uint64_t fast_ordered_heads_ = 0; // with IN_ORDER: the ring size; 0 if latched or with a fence
    const RegionTable* memory_ = nullptr;
    PackedDeviceState* states_ = nullptr;
    PackedDesc* end_ = nullptr; // behind the last descriptor of the ring
    std::size_t size_ = 0;
    std::uint16_t notified_position_ = 0; // the used position at the last notification decision
    std::uint16_t used_position_ = 0;     // burst_at_ as a position
    std::size_t popped_before_ = 0;       // popped() without the descriptors of this lap
    std::size_t full_laps_ = 0;           // used descriptors in the laps that are complete
    std::size_t notified_ = 0;            // used descriptors at the last notification decision
    std::size_t pushed_ = 0;              // chains; runs freely, as popped() does
    PackedDesc* write_ = &burst_first_;   // where the next used descriptor goes: burst_first_, or in the ring
    PackedDesc* write_end_ = nullptr;     // when write_ comes here, write_on() says where it goes on
    std::uint64_t used_word_ = 0;         // the flags that say "used" there
    PackedDesc* burst_at_ = nullptr;      // where burst_first_ belongs
    PackedDesc burst_first_{};
    PackedDesc* descriptors_ = nullptr;
    EventIndex event_index_ = EventIndex::off;
    IndirectTables indirect_ = IndirectTables::refused;
    Ordering ordering_ = Ordering::smp;
    UseOrder order_ = UseOrder::any;
    Errc error_ = Errc::wrong_state;
    PackedRing ring_;

    // IN_ORDER: the chains completed up to the oldest one that is out are a batch, told by one used descriptor (virtio 1.2
    // §2.8.8). The head of the oldest chain out is in oldest_fast while push() may take the fast path with it. Else it is
    // in oldest_slow, and oldest_fast is kNone: a chain waits, the queue is latched, or it is not IN_ORDER.
    struct InOrder {
        std::size_t oldest_fast = kNone;
        std::size_t oldest_slow = 0;
        std::size_t batch_start = 0;
        std::size_t waiting = 0;         // chains completed behind one that is not
        std::uint32_t batch_last = 0;    // PackedDeviceState::bytes of the batch's last chain; 0: the batch is empty
        std::uint32_t batch_written = 0; // bytes written to that chain
    } in_order_;

    // Cold.
    std::uint32_t max_chain_ = 0;
    std::size_t completions_ = 0; // published
    std::size_t publications_ = 0;
    std::size_t notifications_ = 0;
};

} // namespace vfsproto

#include "vfsproto/virtqueue/detail/packed_device_fast.hpp" // IWYU pragma: export

static_assert(vfsproto::DeviceQueue<vfsproto::PackedDevice>);
