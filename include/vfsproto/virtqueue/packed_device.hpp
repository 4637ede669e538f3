// SPDX-License-Identifier: BSD-2-Clause
// The device side of a packed virtqueue (virtio 1.2 §2.8), for servers and for the twins of tests. The driver is not
// trusted: each descriptor is read once, every id, length, flag and address of it is checked, and a walk is bounded
// (docs/hardening.md). Used descriptors of a burst become visible at once, as a driver's do (packed_driver.hpp).
#pragma once

#include "vfsproto/virtqueue/device_queue.hpp"
#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/packed_layout.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

#include <utility>

namespace vfsproto {

struct ChainWalk; // of the bodies

// What the device side knows of the chain with one head. Storage of the caller, private.
struct PackedDeviceState {
    std::uint32_t bytes = 0;   // of its descriptors in the ring; 0: not out with the device's owner
    std::uint32_t written = 0; // with IN_ORDER: of one that waits for those before it
};

[[nodiscard]] constexpr std::size_t packed_device_state_count(std::uint16_t size) noexcept { return size; }

struct PackedDeviceOptions {
    EventIndex event_index = EventIndex::off;
    IndirectTables indirect = IndirectTables::accepted;
    Ordering ordering = Ordering::smp;
    // With in_order, completions are kept back until all chains before them are completed. What is published at once is
    // one batch, of which only the last length is told: who owes each of them publishes after each push().
    UseOrder order = UseOrder::any;
    // The places of the first chain to serve and of the first used descriptor: both the start for a fresh ring, else
    // where the queue was stopped (vhost-user SET_VRING_BASE: the low and the high half).
    std::uint16_t start_avail = packed::kStart;
    std::uint16_t start_used = packed::kStart;
    // The most entries of an indirect table, where drivers are allowed more than the ring size. Less than the ring size:
    // the ring size.
    std::uint16_t max_chain = 0;
};

// A model of DeviceQueue. One owner at a time.
class PackedDevice {
public:
    PackedDevice() noexcept = default;
    PackedDevice(const PackedDevice&) = delete;
    PackedDevice& operator=(const PackedDevice&) = delete;

    // Starts serving; look once before waiting for a kick. The ring's memory is the driver's; `memory` is what
    // descriptors may point into, it must outlive the queue and may change between calls. Errors: bad_argument (no ring,
    // a start outside it), no_memory (too few heads).
    [[nodiscard]] Errc init(const PackedRing& ring, const RegionTable& memory, std::span<PackedDeviceState> heads,
                            const PackedDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDeviceCounters counters() const noexcept {
        return {popped(), order_ == UseOrder::any ? pushed_ : completions_, publications_, notifications_};
    }
    // The places of the next chain to be served and of the next used descriptor (vhost-user GET_VRING_BASE, once
    // outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept {
        return packed_position(next_avail_ - descriptors_, avail_word_);
    }
    [[nodiscard]] std::uint16_t next_used() const noexcept {
        return packed_position(first_at_ - descriptors_, used_word_);
    }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept { return static_cast<std::uint16_t>(popped() - pushed_); }

    // Descriptors of zero bytes are passed over. A violation latches the queue with its own error and returns false; the
    // chain that caused it never reaches the caller.
    [[gnu::always_inline, nodiscard]] bool pop(Chain& chain) noexcept {
        Shape shape;
        if (!pop_alone(chain.storage, shape)) {
            shape = pop_linked(chain.storage);
            if (shape.descriptors == 0) return false;
        }
        chain.head = shape.head;
        chain.readable_count = shape.readable;
        chain.writable_count = shape.writable;
        chain.descriptors = shape.descriptors;
        return true;
    }

    // Staged until publish(). `written` is at most the writable bytes of the chain: the caller's promise to the driver.
    [[gnu::always_inline, nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept {
        const std::size_t head = done.head;
        const std::size_t bytes = head < plain_heads_ ? heads_[head].bytes : 0;
        // [packed.device.push.fast]
        if (bytes != 0) [[likely]] {
            stage(head, written, bytes);
            return Errc::ok;
        }
        if (head != turn_ || heads_[head].bytes == 0) return push_other(head, written);
        ++pushed_;
        complete(heads_[head], written, turn_);
        return Errc::ok;
    }

    void publish() noexcept {
        if (write_ == &first_ && batch_last_ == 0) return;
        publish_staged();
    }

    [[nodiscard]] bool wants_notification() noexcept {
        publish();
        const std::size_t used = passed_used_ + static_cast<std::size_t>(first_at_ - descriptors_);
        const std::size_t count = used - announced_;
        if (count == 0) return false;
        announced_ = used;
        const std::uint16_t from = std::exchange(announced_place_, used_place_);
        store_load_fence(ordering_);                                // [packed.device.notify.fence]
        const bool is_wanted = driver_wants_interrupt(from, count); // [packed.device.notify.look]
        if (is_wanted) ++notifications_;
        return is_wanted;
    }

    // On a latched queue: false, nothing will be served any more.
    [[nodiscard]] bool arm() noexcept {
        if (error_ != Errc::ok) return false;
        ask_for_kicks();                                      // [packed.device.arm.ask]
        store_load_fence(ordering_);                          // [packed.device.arm.fence]
        return is_available(load_acquire(next_avail_->word)); // [packed.device.arm.look]
    }

    void disarm() noexcept { store_relaxed(*ring_.device_event(), packed_event(0, packed::kDisable)); }

private:
    static constexpr std::uint64_t kBothWraps = PackedDesc::flags(packed::kBoth);
    static constexpr std::uint64_t kWriteFlag = PackedDesc::flags(packed::kWrite);
    // PackedDeviceState::bytes with IN_ORDER: the number of descriptors (1 to 32768), whether the chain is completed behind one
    // that is not, and the id.
    static constexpr unsigned kCountOfHead = 16;
    static constexpr std::uint32_t kHeadWaits = 0x8000;
    static constexpr std::uint32_t kIdOfHead = 0x7fff;
    static constexpr std::size_t kNone = ~std::size_t{0};

    // Of a chain. Returned in registers, so that the caller's own stays out of memory.
    struct Shape {
        std::uint16_t head = 0;
        std::uint16_t readable = 0;
        std::uint16_t writable = 0;
        std::uint16_t descriptors = 0; // 0: there is none
    };

    // The shortest way: one direct, writable descriptor in the region hit last. Then comes pop_linked() for every legal
    // direct chain, and pop_other() for what is left. Each starts anew: nothing read here is used there, so that a driver
    // that changes a descriptor in between gains nothing.
    [[gnu::always_inline, nodiscard]] bool pop_alone(std::span<HostSegment> storage, Shape& shape) noexcept {
        PackedDesc* const at = next_avail_;
        const std::uint64_t word = load_acquire(at->word); // [packed.device.pop.available]
        // One comparison for all: with other flags than these it is no id any more.
        const std::uint64_t id = word >> PackedDesc::kIdShift ^ alone_top_;
        const auto take = [&](std::size_t head, std::uint32_t bytes) __attribute__((always_inline)) {
            const std::uint32_t len = PackedDesc::len_of(word);
            std::byte* const data = memory_->translate_recent(DeviceAddr{load_relaxed(at->addr)}, len);
            if (data == nullptr || storage.empty() || heads_[head].bytes != 0) [[unlikely]]
                return false;
            heads_[head].bytes = bytes;
            next_avail_ = at + 1;
            if (at + 1 == end_) [[unlikely]]
                wrap_avail();
            storage[0] = {data, len};
            shape = {.head = static_cast<std::uint16_t>(head), .readable = 0, .writable = 1, .descriptors = 1};
            return true;
        };
        if (id < plain_heads_) [[likely]]
            return take(static_cast<std::size_t>(id), sizeof(PackedDesc));
        if (id >= ordered_heads_) return false;
        return take(static_cast<std::size_t>(at - descriptors_), static_cast<std::uint32_t>(id) | 1 << kCountOfHead);
    }

    // Chains: as many as descriptors, but for those behind the first of each.
    [[nodiscard]] std::size_t popped() const noexcept {
        return passed_avail_ + static_cast<std::size_t>(next_avail_ - descriptors_);
    }
    void wrap_avail() noexcept {
        passed_avail_ += size_;
        next_avail_ = descriptors_;
        avail_word_ ^= kBothWraps;
        alone_top_ ^= kBothWraps >> PackedDesc::kIdShift;
    }
    [[nodiscard]] bool is_available(std::uint64_t word) const noexcept { return (word & kBothWraps) == avail_word_; }

    [[gnu::always_inline]] void stage(std::size_t head, std::uint32_t written, std::size_t bytes) noexcept {
        heads_[head].bytes = 0;
        ++pushed_;
        write_used(head, written, bytes);
    }
    // Writes a used descriptor, the first one since publish() not yet into the ring.
    [[gnu::always_inline]] void write_used(std::uint64_t id, std::uint32_t written, std::size_t bytes) noexcept {
        PackedDesc* const at = write_;
        store_relaxed(at->word, used_descriptor(id, written));
        write_ = packed_after(at, bytes);
        if (write_ >= edge_) [[unlikely]]
            cross_edge(bytes);
    }
    // With IN_ORDER, one more for the batch: the oldest chain that is out. `at` is where it begins; the next one follows.
    [[gnu::always_inline]] void complete(PackedDeviceState& oldest, std::uint32_t written, std::size_t& at) noexcept {
        const std::uint32_t bytes = oldest.bytes;
        oldest.bytes = 0;
        batch_last_ = bytes;
        batch_written_ = written;
        at += bytes >> kCountOfHead;
        if (at >= size_) [[unlikely]]
            wrap(at);
    }
    void wrap(std::size_t& at) const noexcept;
    void close_turn() noexcept;
    [[nodiscard]] std::uint64_t used_descriptor(std::uint64_t id, std::uint32_t written) const noexcept {
        // The length means something with WRITE only (virtio 1.2 §2.8.4).
        const std::uint64_t wrote = written != 0 ? kWriteFlag : 0;
        return used_word_ | id << PackedDesc::kIdShift | written | wrote;
    }
    // From here on the next used descriptor goes to first_, not into the ring: `at` is its place there.
    void begin_burst(PackedDesc* at) noexcept {
        first_at_ = at;
        used_place_ = packed_position(at - descriptors_, used_word_);
        write_ = &first_;
        edge_ = &first_ + 1; // [packed.device.burst.edge]
    }
    void publish_staged() noexcept {
        if (plain_heads_ == 0) [[unlikely]]
            return publish_otherwise();
        store_release(first_at_->word, first_.word.value()); // [packed.device.publish.first]
        end_burst();
    }
    void end_burst() noexcept {
        ++publications_;
        begin_burst(write_);
    }
    void publish_otherwise() noexcept;
    [[gnu::always_inline]] void stage_batch() noexcept;
    // Where the next used descriptor goes after one that was the first of a burst, or the last of the ring.
    void cross_edge(std::size_t bytes) noexcept;

    void ask_for_kicks() noexcept {
        const std::uint32_t event =
            event_index_ == EventIndex::on ? packed_event(next_avail(), packed::kDescriptor) : packed::kEnable;
        store_relaxed(*ring_.device_event(), event); // [packed.device.ask.event]
    }
    // For that many descriptors from this place on.
    [[nodiscard]] bool driver_wants_interrupt(std::uint16_t from, std::size_t count) const noexcept {
        const std::uint32_t event = load_relaxed(*ring_.driver_event()); // [packed.device.event.look]
        if (event_index_ == EventIndex::on) {
            // [packed.device.event.fast]
            if (event == packed_event(from, packed::kDescriptor)) return true; // as a driver asks that has seen all
            if ((event >> 16 & packed::kEventFlags) == packed::kDescriptor) {
                // Of more descriptors than the ring has, whatever the driver waits for was among them.
                return count > size_ ||
                       packed_event_due(static_cast<std::uint16_t>(event), used_place_,
                                        static_cast<std::uint32_t>(count), static_cast<std::uint16_t>(size_));
            }
        }
        return (event >> 16 & packed::kEventFlags) != packed::kDisable;
    }

    // Also makes every later pop() and push() take the path that looks at the error. Returns that nothing was popped.
    Shape latch(Errc why) noexcept;
    [[nodiscard]] Shape pop_linked(std::span<HostSegment> storage) noexcept;
    // Any chain, legal or not, or none. Names the violation.
    [[nodiscard]] Shape pop_other(std::span<HostSegment> storage) noexcept;
    [[nodiscard]] Errc walk_table(ChainWalk& walk, std::uint64_t addr, std::uint64_t word) const noexcept;
    [[nodiscard]] Shape accept(std::uint32_t id, Shape shape) noexcept;
    [[nodiscard]] Errc push_other(std::size_t head, std::uint32_t written) noexcept;

    // Hot.
    PackedDesc* next_avail_ = &first_; // where the next chain will be
    std::uint64_t avail_word_ = 0;     // the flags that say "available" there
    std::uint64_t alone_top_ = 0;      // those of a chain for pop_alone(), as the upper half of a word
    std::uint64_t plain_heads_ = 0;    // the ring size, or 0 where the short ways of pop() and push() are closed
    std::uint64_t ordered_heads_ = 0;  // the same of those with IN_ORDER
    const RegionTable* memory_ = nullptr;
    PackedDeviceState* heads_ = nullptr;
    PackedDesc* end_ = nullptr;
    std::size_t size_ = 0;
    std::uint16_t announced_place_ = 0; // of that decision
    std::uint16_t used_place_ = 0;      // first_at_ in the driver's words
    std::size_t passed_avail_ = 0;      // of popped(), what is not next_avail_
    std::size_t passed_used_ = 0;       // used descriptors in the laps that are complete
    std::size_t announced_ = 0;         // used descriptors at the last notification decision
    std::size_t pushed_ = 0;            // chains; runs freely, as popped() does
    PackedDesc* write_ = &first_;       // where the next used descriptor goes
    PackedDesc* edge_ = nullptr;        // reaching this, write_ jumps
    std::uint64_t used_word_ = 0;       // the flags that say "used" there
    PackedDesc* first_at_ = nullptr;
    PackedDesc first_{}; // of the used descriptors that are not published
    PackedDesc* descriptors_ = nullptr;
    EventIndex event_index_ = EventIndex::off;
    IndirectTables indirect_ = IndirectTables::refused;
    Ordering ordering_ = Ordering::smp;
    UseOrder order_ = UseOrder::any;
    Errc error_ = Errc::wrong_state;
    PackedRing ring_;

    // IN_ORDER: a chain's head is where it begins in the ring; what is completed up to the oldest one out is one batch.
    std::size_t turn_ = kNone; // the head of the oldest one, while push() may take the short way with it
    std::size_t oldest_ = 0;   // …, while it may not
    std::size_t batch_start_ = 0;
    std::size_t waiting_ = 0;         // chains completed behind one that is not
    std::uint32_t batch_last_ = 0;    // PackedDeviceState::bytes of its last chain; 0: there is none
    std::uint32_t batch_written_ = 0; // "

    // Cold.
    std::uint32_t max_chain_ = 0;
    std::size_t completions_ = 0; // published
    std::size_t publications_ = 0;
    std::size_t notifications_ = 0;
};

static_assert(DeviceQueue<PackedDevice>);

} // namespace vfsproto
