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

// Whether a head is out with the device's owner. Storage of the caller, private.
enum class SplitHead : std::uint8_t { home, out };

[[nodiscard]] constexpr std::size_t split_head_count(std::uint16_t size) noexcept { return size; }

struct SplitDeviceOptions {
    EventIndex event_index = EventIndex::off;
    IndirectTables indirect = IndirectTables::accepted;
    Ordering ordering = Ordering::smp;
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
    [[nodiscard]] Errc init(const SplitRing& ring, const RegionTable& memory, std::span<SplitHead> heads,
                            const SplitDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] RingDeviceCounters counters() const noexcept {
        return {next_avail_ - start_avail_, published_ - start_used_, publications_, notifications_};
    }
    // The next available index to be served (vhost-user GET_VRING_BASE, once outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept { return static_cast<std::uint16_t>(next_avail_); }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept {
        return static_cast<std::uint16_t>((next_avail_ - start_avail_) - (next_used_ - start_used_));
    }

    // Descriptors of zero bytes are passed over. A violation latches the queue with its own error and returns false; the
    // chain that caused it never reaches the caller.
    [[gnu::always_inline, nodiscard]] bool pop(Chain& chain) noexcept {
        if (next_avail_ == seen_avail_ && !look_for_more()) return false;
        const std::uint32_t mask = mask_;
        const std::uint32_t head = load_relaxed(avail_entries_[next_avail_ & mask]);
        if (head > mask || heads_[head] != SplitHead::home) [[unlikely]]
            return latch(Errc::avail_head_invalid);

        chain.head = static_cast<std::uint16_t>(head);

        // The usual chain. For any other, pop_slow() starts anew: nothing read here is used there, so that a driver that
        // changes a descriptor in between gains nothing.
        HostSegment* out = chain.storage.data();
        HostSegment* const end = out + chain.storage.size();
        std::uint32_t readable = 0;
        std::uint32_t writable = 0;
        const SplitDesc* at = descriptors_ + head;
        for (;;) {
            const SplitDesc desc = load_descriptor(*at);
            std::byte* const data = memory_->translate_recent(DeviceAddr{desc.addr.value()}, desc.len.value());
            if (data == nullptr || out == end || desc.has(split::kIndirect)) [[unlikely]]
                return pop_slow(chain, head);
            *out++ = {data, desc.len.value()};
            if (desc.has(split::kWrite)) {
                ++writable;
            } else if (writable == 0) {
                ++readable;
            } else [[unlikely]] {
                return pop_slow(chain, head);
            }
            if (!desc.has(split::kNext)) break;
            if (desc.next() > mask) [[unlikely]]
                return pop_slow(chain, head);
            at = descriptors_ + desc.next();
        }
        chain.descriptors = static_cast<std::uint16_t>(readable + writable);
        accept(chain, head, readable, writable);
        return true;
    }

    // Staged until publish(). `written` is at most the writable bytes of the chain: the caller's promise to the driver.
    [[nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept {
        const std::uint32_t head = done.head;
        if (head > mask_ || heads_[head] != SplitHead::out) [[unlikely]]
            return refuse_push();
        heads_[head] = SplitHead::home;
        SplitUsed& entry = used_entries_[next_used_++ & mask_];
        store_relaxed(entry.id, head);
        store_relaxed(entry.len, written);
        return Errc::ok;
    }

    void publish() noexcept {
        if (next_used_ == published_) return;
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
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
        store_load_fence(ordering_);
        const bool is_wanted = event_index_ == EventIndex::on
                                   ? went_round || need_event(load_relaxed(*ring_.used_event()), new_index, old_index)
                                   : (load_relaxed(ring_.avail()[SplitRing::kFlags]) & split::kNoInterrupt) == 0;
        if (is_wanted) ++notifications_;
        return is_wanted;
    }

    // On a latched queue: false, nothing will be served any more.
    [[nodiscard]] bool arm() noexcept {
        if (error_ != Errc::ok) return false;
        ask_for_kicks();
        store_load_fence(ordering_);
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
    void accept(Chain& chain, std::uint32_t head, std::uint32_t readable, std::uint32_t writable) noexcept {
        heads_[head] = SplitHead::out;
        ++next_avail_;
        chain.readable_count = static_cast<std::uint16_t>(readable);
        chain.writable_count = static_cast<std::uint16_t>(writable);
    }

    // Reads the available index when all that was seen is served. False: nothing new, or latched.
    [[nodiscard]] bool look_for_more() noexcept {
        if (error_ != Errc::ok) [[unlikely]]
            return false;
        const std::uint16_t index = load_acquire(ring_.avail()[SplitRing::kIndex]);
        const std::uint32_t pending = static_cast<std::uint16_t>(index - next_avail_);
        if (pending == 0) return false;
        // Each chain that is out holds a descriptor at least.
        if (pending > mask_ + 1 - outstanding()) [[unlikely]]
            return latch(Errc::avail_index_jump);
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        seen_avail_ = next_avail_ + pending;
        return true;
    }

    void ask_for_kicks() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(), static_cast<std::uint16_t>(next_avail_));
        } else {
            store_relaxed(ring_.used()[SplitRing::kFlags], 0);
        }
    }

    // Also makes every later pop() take the path that looks at the error. False: nothing was popped.
    bool latch(Errc why) noexcept;
    // Any chain, legal or not: indirect, several regions, empty descriptors. Names the violation.
    [[nodiscard]] bool pop_slow(Chain& chain, std::uint32_t head) noexcept;
    [[nodiscard]] Errc walk_table(ChainWalk& walk, const SplitDesc& table, std::uint32_t count) const noexcept;
    [[nodiscard]] Errc refuse_push() const noexcept;

    // Hot. Indices run freely in whole words; the ring holds their low 16 bits.
    const SplitDesc* descriptors_ = nullptr;
    const Le16* avail_entries_ = nullptr;
    SplitUsed* used_entries_ = nullptr;
    SplitHead* heads_ = &no_head_; // before init(): push() finds that nothing is out
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
    Errc error_ = Errc::wrong_state;
    SplitRing ring_;

    // Cold.
    SplitHead no_head_ = SplitHead::home;
    std::uint16_t start_avail_ = 0;
    std::uint16_t start_used_ = 0;
    std::size_t publications_ = 0;
    std::size_t notifications_ = 0;
};

static_assert(DeviceQueue<SplitDevice>);

} // namespace vfsproto
