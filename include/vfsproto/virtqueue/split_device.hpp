// SPDX-License-Identifier: BSD-2-Clause
// The device side of a split virtqueue (virtio 1.2 §2.7), for servers and for the twins of tests. The driver is not
// trusted: each descriptor is read once, every index, length, flag and address of it is checked, and a walk is bounded
// (docs/hardening.md).
//
//   split_device.hpp        the contract, and the state
//   split_device_fast.hpp   the fast paths, compiled into the caller
//   split_device.cpp        everything else
#pragma once

#include "vfsproto/virtqueue/detail/notification.hpp"
#include "vfsproto/virtqueue/detail/split_layout.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

namespace vfsproto {

struct ChainWalk; // src/virtqueue/chain_walk.hpp

// The device side's state of the chain with one head. The array is storage of the caller, and private.
struct SplitDeviceState {
    std::uint32_t state = 0;   // 0: not out with the device's owner. Else SplitDevice::kOut and more
    std::uint32_t written = 0; // IN_ORDER: the written length of a chain that waits for those before it
};

[[nodiscard]] constexpr std::size_t split_device_state_count(std::uint16_t size) noexcept { return size; }

struct SplitDeviceOptions {
    EventIndex event_index = EventIndex::off;
    IndirectTables indirect = IndirectTables::accepted;
    Ordering ordering = Ordering::smp;
    // UseOrder::in_order keeps completions back until all chains before them are completed.
    UseOrder order = UseOrder::any;
    // The first available index to serve: 0 for a fresh ring, else where the queue was stopped (vhost-user
    // SET_VRING_BASE).
    std::uint16_t start_index = 0;
    // The most descriptors of one chain, those of an indirect table included. A value below the ring size means the ring
    // size; virtio 1.2 §2.7.5.3.1 allows no more, but some drivers do it.
    std::uint16_t max_chain = 0;
};

// A model of DeviceQueue. One owner at a time; no call sleeps.
//
// Example (tests/unit/virtqueue/ring_examples_test.cpp):
//
//     do {
//         Chain chain{.storage = segments};
//         while (device.pop(chain)) {
//             const std::uint32_t written = answer(chain.readable(), chain.writable());
//             if (device.push(chain, written) != Errc::ok) break;
//         }
//         if (device.wants_notification()) interrupt();
//     } while (device.arm());
class SplitDevice {
public:
    SplitDevice() noexcept = default;
    SplitDevice(const SplitDevice&) = delete;
    SplitDevice& operator=(const SplitDevice&) = delete;

    // Starts serving; look once before waiting for a kick. The ring's memory is the driver's. Descriptors may point into
    // `memory`, which must outlive the queue and may change between calls. The used index continues where the ring has
    // it. Errors: bad_argument (no ring), no_memory (too few states).
    [[nodiscard]] Errc init(const SplitRing& ring, const RegionTable& memory, std::span<SplitDeviceState> states,
                            const SplitDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDeviceCounters counters() const noexcept {
        return {next_avail_ - start_avail_, published_ - start_used_, publications_, notifications_};
    }
    // The next available index to be served (vhost-user GET_VRING_BASE, once outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept { return static_cast<std::uint16_t>(next_avail_); }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept {
        return static_cast<std::uint16_t>(held() - in_order_.waiting);
    }

    // Takes the next chain; false if there is none. Passes over descriptors of zero bytes. A violation latches the queue
    // with its own error and returns false; the chain that caused it never reaches the caller.
    [[gnu::always_inline, nodiscard]] bool pop(Chain& chain) noexcept;

    // Stages a used entry until publish(). `written` is at most the writable bytes of the chain: the caller's promise to
    // the driver. Errors: bad_argument when this chain is not out; the violation that latched the queue.
    [[gnu::always_inline, nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept;

    void publish() noexcept;

    // Publishes. Returns true if the driver asked for an interrupt for what was published since the last call; the caller
    // must send one.
    [[nodiscard]] bool wants_notification() noexcept;

    // Asks for a kick. Returns true if a chain is available already. Always false on a latched queue: nothing will be
    // served any more.
    [[nodiscard]] bool arm() noexcept;

    // Asks for no kicks while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(),
                          static_cast<std::uint16_t>(next_avail_ - 1)); // the index that is reached last
        } else {
            store_relaxed(ring_.used()[SplitRing::kFlags], split::kNoNotify);
        }
    }

private:
    // Bits of SplitDeviceState::state:
    static constexpr std::uint32_t kOut = 0x1'0000; // with the device's owner
    static constexpr std::uint32_t kWaits = 0x8000; // IN_ORDER: completed behind a chain that is not
    static constexpr std::uint32_t kId = 0x7fff;
    static constexpr std::uint32_t kShapeFlags = split::kNext | split::kWrite | split::kIndirect;
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
    // between gains nothing. The first two know only the region that was hit last.
    [[gnu::always_inline, nodiscard]] bool pop_single(std::span<HostSegment> storage, Shape& shape) noexcept;
    [[gnu::always_inline, nodiscard]] Shape pop_direct(std::span<HostSegment> storage) noexcept;
    [[nodiscard]] Shape pop_slow(std::span<HostSegment> storage, std::uint32_t id, std::size_t head) noexcept;
    [[nodiscard]] Errc walk_table(ChainWalk& walk, const SplitDesc& table, std::uint32_t count) const noexcept;
    [[nodiscard]] Shape accept(std::uint32_t id, std::size_t head, Shape shape) noexcept;
    [[nodiscard]] bool look_for_more() noexcept;

    [[nodiscard]] Errc push_slow(std::size_t head, std::uint32_t written) noexcept;
    void write_used(std::size_t index, std::uint32_t id, std::uint32_t written) noexcept;
    [[gnu::always_inline]] void complete(SplitDeviceState& oldest, std::uint32_t written, std::size_t& next) noexcept;
    void prepare_publication() noexcept;
    void ask_for_kicks() noexcept;

    // Latches the queue. Returns that nothing was popped.
    Shape latch(Errc why) noexcept;
    void close_fast_push() noexcept;
    // Chains popped and not in the used ring.
    [[nodiscard]] std::uint16_t held() const noexcept {
        return static_cast<std::uint16_t>((next_avail_ - start_avail_) - (next_used_ - start_used_));
    }

    // The fast paths use these. Indices run freely in whole words; the ring holds their low 16 bits. A head is a chain's id, which is the number
    // of its first descriptor; with IN_ORDER it is the chain's place in the available ring.
    const SplitDesc* descriptors_ = nullptr;
    const Le16* avail_entries_ = nullptr;
    SplitUsed* used_entries_ = nullptr;
    SplitDeviceState* states_ = nullptr;
    std::size_t fast_heads_ = 0;         // in any order: the ring size; 0 on a latched queue: pop() and push() are slow
    std::size_t fast_ordered_heads_ = 0; // with IN_ORDER: the ring size; 0 on a latched queue
    const RegionTable* memory_ = nullptr;
    std::size_t next_avail_ = 0;
    std::size_t seen_avail_ = 0; // published by the driver, as of the last look
    std::size_t next_used_ = 0;
    std::size_t published_ = 0;
    std::size_t notified_ = 0; // used index at the last notification decision
    std::uint32_t mask_ = 0;
    std::uint32_t max_chain_ = 0;
    EventIndex event_index_ = EventIndex::off;
    IndirectTables indirect_ = IndirectTables::refused;
    Ordering ordering_ = Ordering::smp;
    UseOrder order_ = UseOrder::any;
    // The last look found one chain. While it polls, the device then fetches the next available entry together with the
    // index, so that the entry need not come after it. With more chains under way, the line would be taken from a driver
    // that writes there.
    bool last_look_found_one_ = false;
    bool publish_is_slow_ = false; // a fence for hardware, or IN_ORDER
    Errc error_ = Errc::wrong_state;
    SplitRing ring_;

    // IN_ORDER: the chains completed up to the oldest one that is out are a batch, told by one used entry (virtio 1.2
    // §2.7.9). The head of the oldest chain out is in oldest_fast while push() may take the fast path with it. Else it is
    // in oldest_slow, and oldest_fast is kNone: a chain waits, the queue is latched, or it is not IN_ORDER.
    struct InOrder {
        std::size_t oldest_fast = kNone;
        std::size_t oldest_slow = 0;
        std::size_t waiting = 0;         // chains completed behind one that is not
        std::uint32_t batch_last = 0;    // SplitDeviceState::state of the batch's last chain
        std::uint32_t batch_written = 0; // bytes written to that chain
    } in_order_;

    // Cold.
    std::uint16_t start_avail_ = 0;
    std::uint16_t start_used_ = 0;
    std::size_t publications_ = 0;
    std::size_t notifications_ = 0;
};

} // namespace vfsproto

#include "vfsproto/virtqueue/detail/split_device_fast.hpp" // IWYU pragma: export

static_assert(vfsproto::DeviceQueue<vfsproto::SplitDevice>);
