// SPDX-License-Identifier: BSD-2-Clause
// The device side of a split virtqueue (virtio 1.2 §2.7), for servers and for the twins of tests. The driver is not
// trusted: each descriptor is read once, every index, length, flag and address of it is checked, and a walk is bounded
// (docs/hardening.md).
#pragma once

#include "vfsproto/virtqueue/device_queue.hpp"
#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"
#include "vfsproto/virtqueue/split_layout.hpp"

namespace vfsproto {

struct ChainWalk; // of the bodies

// What the device side knows of the chain with one head. Storage of the caller, private.
struct SplitDeviceState {
    std::uint32_t state = 0;   // 0: not out with the device's owner. Else SplitDevice::kOut and more
    std::uint32_t written = 0; // with IN_ORDER: of one that waits for those before it
};

[[nodiscard]] constexpr std::size_t split_device_state_count(std::uint16_t size) noexcept { return size; }

struct SplitDeviceOptions {
    EventIndex event_index = EventIndex::off;
    IndirectTables indirect = IndirectTables::accepted;
    Ordering ordering = Ordering::smp;
    // With in_order, completions are kept back until all chains before them are completed.
    UseOrder order = UseOrder::any;
    // The first available index to serve: 0 for a fresh ring, else what the queue was stopped with (vhost-user
    // SET_VRING_BASE).
    std::uint16_t start_index = 0;
    // The most descriptors of one chain, those of an indirect table included, where drivers are allowed more than the
    // ring size (virtio 1.2 §2.7.5.3.1 allows no more; some drivers do it). Less than the ring size: the ring size.
    std::uint16_t max_chain = 0;
};

// A model of DeviceQueue. One owner at a time.
class SplitDevice {
public:
    SplitDevice() noexcept = default;
    SplitDevice(const SplitDevice&) = delete;
    SplitDevice& operator=(const SplitDevice&) = delete;

    // Starts serving; look once before waiting for a kick. The ring's memory is the driver's; `memory` is what
    // descriptors may point into, it must outlive the queue and may change between calls. The used index continues where
    // the ring has it. Errors: bad_argument (no ring), no_memory (too few heads).
    [[nodiscard]] Errc init(const SplitRing& ring, const RegionTable& memory, std::span<SplitDeviceState> heads,
                            const SplitDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDeviceCounters counters() const noexcept {
        return {next_avail_ - start_avail_, published_ - start_used_, publications_, notifications_};
    }
    // The next available index to be served (vhost-user GET_VRING_BASE, once outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept { return static_cast<std::uint16_t>(next_avail_); }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept { return static_cast<std::uint16_t>(held() - waiting_); }

    // Descriptors of zero bytes are passed over. A violation latches the queue with its own error and returns false; the
    // chain that caused it never reaches the caller.
    [[gnu::always_inline, nodiscard]] bool pop(Chain& chain) noexcept {
        if (next_avail_ == seen_avail_ && !look_for_more()) return false;
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
        if (head < plain_heads_ && heads_[head].state != 0) [[likely]] {
            heads_[head].state = 0;
            write_used(next_used_++, static_cast<std::uint32_t>(head), written);
            return Errc::ok;
        }
        if (head != turn_ || heads_[head].state == 0) return push_other(head, written);
        complete(heads_[head], written, turn_);
        return Errc::ok;
    }

    void publish() noexcept {
        if (next_used_ == published_) return;
        if (publishes_with_care_) [[unlikely]]
            prepare_publication();
        // [split.device.publish.index]
        store_release(ring_.used()[SplitRing::kIndex], static_cast<std::uint16_t>(next_used_));
        ++publications_;
        published_ = next_used_;
    }

    [[nodiscard]] bool wants_notification() noexcept {
        publish();
        if (published_ == notified_) return false;
        const auto old_index = static_cast<std::uint16_t>(notified_);
        const auto new_index = static_cast<std::uint16_t>(published_);
        // Published, but not asked about, so often that the index came round: whatever the driver waits for was among it.
        const bool went_round = published_ - notified_ > 0xffff;
        notified_ = published_;
        store_load_fence(ordering_); // [split.device.notify.fence]
        // [split.device.notify.look]
        const bool is_wanted = event_index_ == EventIndex::on
                                   ? went_round || need_event(load_relaxed(*ring_.used_event()), new_index, old_index)
                                   : (load_relaxed(ring_.avail()[SplitRing::kFlags]) & split::kNoInterrupt) == 0;
        if (is_wanted) ++notifications_;
        return is_wanted;
    }

    // On a latched queue: false, nothing will be served any more.
    [[nodiscard]] bool arm() noexcept {
        if (error_ != Errc::ok) return false;
        ask_for_kicks();             // [split.device.arm.ask]
        store_load_fence(ordering_); // [split.device.arm.fence]
        // [split.device.arm.look]
        return load_acquire(ring_.avail()[SplitRing::kIndex]) != static_cast<std::uint16_t>(next_avail_);
    }

    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(), static_cast<std::uint16_t>(next_avail_ - 1)); // the farthest away
        } else {
            store_relaxed(ring_.used()[SplitRing::kFlags], split::kNoNotify);
        }
    }

private:
    // SplitDeviceState::state: out; with IN_ORDER, completed behind one that is not; the id (of 15 bits).
    static constexpr std::uint32_t kOut = 0x1'0000;
    static constexpr std::uint32_t kWaits = 0x8000;
    static constexpr std::uint32_t kId = 0x7fff;
    static constexpr std::uint32_t kShapeFlags = split::kNext | split::kWrite | split::kIndirect;
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
        const std::size_t place = next_avail_ & mask_;
        const std::uint32_t id = load_relaxed(avail_entries_[place]);
        const auto take = [&](std::size_t head) __attribute__((always_inline)) {
            const SplitDesc& at = descriptors_[id];
            if ((load_relaxed(at.link) & kShapeFlags) != split::kWrite) return false;
            const std::uint32_t len = load_relaxed(at.len);
            std::byte* const data = memory_->translate_recent(DeviceAddr{load_relaxed(at.addr)}, len);
            if (data == nullptr || storage.empty() || heads_[head].state != 0) [[unlikely]]
                return false;
            heads_[head].state = kOut | id;
            ++next_avail_;
            storage[0] = {data, len};
            shape = {.head = static_cast<std::uint16_t>(head), .readable = 0, .writable = 1, .descriptors = 1};
            return true;
        };
        if (id < plain_heads_) [[likely]]
            return take(id);
        return id < ordered_heads_ && take(place);
    }

    [[gnu::always_inline, nodiscard]] Shape pop_linked(std::span<HostSegment> storage) noexcept {
        const std::uint32_t mask = mask_;
        const std::size_t place = next_avail_ & mask;
        const std::uint32_t id = load_relaxed(avail_entries_[place]);
        if (id > mask) [[unlikely]]
            return latch(Errc::avail_head_invalid);
        const std::size_t head = ordered_heads_ == 0 ? id : place;
        if (heads_[head].state != 0) [[unlikely]]
            return latch(Errc::avail_head_invalid);

        const RegionTable& memory = *memory_;
        const SplitDesc* const table = descriptors_;
        HostSegment* out = storage.data();
        HostSegment* const end = out + storage.size();
        std::uint32_t readable = 0;
        std::uint32_t writable = 0;
        for (std::uint32_t next = id;;) {
            const SplitDesc desc = load_descriptor(table[next]);
            std::byte* const data = memory.translate_recent(DeviceAddr{desc.addr.value()}, desc.len.value());
            if (data == nullptr || out == end || desc.has(split::kIndirect)) [[unlikely]]
                return pop_other(storage, id, head);
            *out++ = {data, desc.len.value()};
            if (desc.has(split::kWrite)) {
                ++writable;
            } else if (writable == 0) {
                ++readable;
            } else [[unlikely]] {
                return pop_other(storage, id, head);
            }
            if (!desc.has(split::kNext)) break;
            next = desc.next();
            if (next > mask) [[unlikely]]
                return pop_other(storage, id, head);
        }
        return accept(id, head,
                      {.readable = static_cast<std::uint16_t>(readable),
                       .writable = static_cast<std::uint16_t>(writable),
                       .descriptors = static_cast<std::uint16_t>(readable + writable)});
    }

    // A head is a chain's id, the number of its first descriptor; with IN_ORDER its place in the available ring.
    [[nodiscard]] Shape accept(std::uint32_t id, std::size_t head, Shape shape) noexcept {
        heads_[head].state = kOut | id;
        ++next_avail_;
        shape.head = static_cast<std::uint16_t>(head);
        return shape;
    }

    void write_used(std::size_t index, std::uint32_t id, std::uint32_t written) noexcept {
        SplitUsed& entry = used_entries_[index & mask_];
        store_relaxed(entry.id, id); // [split.device.push.entry]
        store_relaxed(entry.len, written);
    }
    // With IN_ORDER, one more for the batch: the oldest chain that is out, whose head is `at`; then it is the next one.
    [[gnu::always_inline]] void complete(SplitDeviceState& oldest, std::uint32_t written, std::size_t& at) noexcept {
        batch_last_ = oldest.state;
        batch_written_ = written;
        oldest.state = 0;
        ++next_used_;
        at = (at + 1) & mask_;
    }
    // Chains popped and not in the used ring.
    [[nodiscard]] std::uint16_t held() const noexcept {
        return static_cast<std::uint16_t>((next_avail_ - start_avail_) - (next_used_ - start_used_));
    }

    // Reads the available index when all that was seen is served. False: nothing new, or latched.
    [[nodiscard]] bool look_for_more() noexcept {
        if (error_ != Errc::ok) [[unlikely]]
            return false;
        const std::uint16_t index = load_acquire(ring_.avail()[SplitRing::kIndex]); // [split.device.pop.index]
        const std::uint32_t pending = static_cast<std::uint16_t>(index - next_avail_);
        if (pending == 0) {
            if (comes_alone_) prefetch(&avail_entries_[next_avail_ & mask_]); // [split.device.pop.prefetch]
            return false;
        }
        comes_alone_ = pending == 1; // [split.device.pop.alone]
        // Each chain that is out holds a descriptor at least.
        if (pending > mask_ + 1 - held()) [[unlikely]]
            return latch(Errc::avail_index_jump), false;
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        seen_avail_ = next_avail_ + pending;
        return true;
    }

    void ask_for_kicks() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(), static_cast<std::uint16_t>(next_avail_)); // [split.device.ask.event]
        } else {
            store_relaxed(ring_.used()[SplitRing::kFlags], 0);
        }
    }

    // Also makes every later pop() and push() take the path that looks at the error. Returns that nothing was popped.
    Shape latch(Errc why) noexcept;
    // Any chain, legal or not: indirect, several regions, empty descriptors. Names the violation.
    [[nodiscard]] Shape pop_other(std::span<HostSegment> storage, std::uint32_t id, std::size_t head) noexcept;
    [[nodiscard]] Errc walk_table(ChainWalk& walk, const SplitDesc& table, std::uint32_t count) const noexcept;
    [[nodiscard]] Errc push_other(std::size_t head, std::uint32_t written) noexcept;
    void close_turn() noexcept;
    // With a fence for hardware, or in order.
    void prepare_publication() noexcept;

    // Hot. Indices run freely in whole words; the ring holds their low 16 bits.
    const SplitDesc* descriptors_ = nullptr;
    const Le16* avail_entries_ = nullptr;
    SplitUsed* used_entries_ = nullptr;
    SplitDeviceState* heads_ = nullptr;
    std::size_t plain_heads_ = 0;   // the ring size, or 0 where the short ways of pop() and push() are closed
    std::size_t ordered_heads_ = 0; // the same of those with IN_ORDER
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
    // The last look found one chain: who polls then fetches the next entry together with the index, so that it need not come
    // after it. With more of them under way it would be taken from a driver that writes there.
    bool comes_alone_ = false;
    bool publishes_with_care_ = false; // a fence for hardware, or IN_ORDER
    Errc error_ = Errc::wrong_state;
    SplitRing ring_;

    // IN_ORDER: what is completed up to the oldest chain out is one batch.
    std::size_t turn_ = kNone;        // the head of the oldest one, while push() may take the short way with it
    std::size_t oldest_ = 0;          // …, while it may not
    std::size_t waiting_ = 0;         // chains completed behind one that is not
    std::uint32_t batch_last_ = 0;    // SplitDeviceState::state of its last chain
    std::uint32_t batch_written_ = 0; // "

    // Cold.
    std::uint16_t start_avail_ = 0;
    std::uint16_t start_used_ = 0;
    std::size_t publications_ = 0;
    std::size_t notifications_ = 0;
};

static_assert(DeviceQueue<SplitDevice>);

} // namespace vfsproto
