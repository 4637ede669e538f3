// SPDX-License-Identifier: BSD-2-Clause
// The device side of a split virtqueue (virtio 1.2 §2.7), for servers and for the twins of tests. The driver is not
// trusted: each descriptor is read once, every index, length, flag and address of it is checked, and a walk is bounded
// (docs/hardening.md).
#pragma once

#include "vfsproto/virtqueue/device_queue.hpp"
#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/split_layout.hpp"

namespace vfsproto {

// Is VIRTIO_F_INDIRECT_DESC negotiated?
enum class IndirectTables : std::uint8_t { refused, accepted };

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
    // The most descriptors of one chain, those of an indirect table included. 0: the ring size (virtio 1.2 §2.7.5.3.1).
    std::uint16_t max_chain = 0;
};

// Plain words, written by the queue's owner.
struct SplitDeviceCounters {
    std::size_t chains{}; // popped
    std::size_t completions{};
    std::size_t publications{};
    std::size_t notifications{}; // asked for by the driver
};

// A model of DeviceQueue. One owner at a time.
class SplitDevice {
public:
    SplitDevice() noexcept = default;
    SplitDevice(const SplitDevice&) = delete;
    SplitDevice& operator=(const SplitDevice&) = delete;

    // Starts serving with kicks asked for. The ring's memory is the driver's; `memory` is what descriptors may point into
    // and must outlive the queue, it may change between calls. The used index continues where the ring has it.
    // Errors: bad_argument (no ring), no_memory (too few heads).
    [[nodiscard]] Errc init(const SplitRing& ring, const RegionTable& memory, std::span<SplitHead> heads,
                            const SplitDeviceOptions& options) noexcept;

    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] const SplitDeviceCounters& counters() const noexcept { return counters_; }
    // The next available index to be served (vhost-user GET_VRING_BASE, once outstanding() is 0).
    [[nodiscard]] std::uint16_t next_avail() const noexcept { return next_avail_; }
    // Chains popped and not pushed.
    [[nodiscard]] std::uint16_t outstanding() const noexcept { return outstanding_; }

    // Descriptors of zero bytes are passed over. A violation latches the queue with its own error and returns false; the
    // chain that caused it never reaches the caller.
    [[nodiscard]] bool pop(Chain& chain) noexcept {
        if (next_avail_ == seen_avail_ && !look_for_more()) return false;
        const std::uint32_t head = load_relaxed(avail_[SplitRing::kEntries + (next_avail_ & mask_)]);
        if (head > mask_ || heads_[head] != SplitHead::home) [[unlikely]]
            return latch(Errc::avail_head_invalid);

        Walk walk{chain.storage.data(), chain.storage.data() + chain.storage.size(), *memory_};
        SplitDescValue desc = load_descriptor(descriptors_[head]);
        std::uint32_t count = 1;
        for (;; ++count) {
            if ((desc.flags & split::kIndirect) != 0) [[unlikely]] {
                const Errc why = walk_table(walk, desc, count - 1);
                if (why != Errc::ok) return latch(why);
                break;
            }
            if (!walk.add(desc)) [[unlikely]]
                return latch(walk.why);
            if ((desc.flags & split::kNext) == 0) break;
            if (desc.next > mask_) [[unlikely]]
                return latch(Errc::chain_next_invalid);
            if (count >= max_chain_) [[unlikely]]
                return latch(Errc::chain_too_long);
            desc = load_descriptor(descriptors_[desc.next]);
        }
        if (walk.readable + walk.writable == 0) [[unlikely]]
            return latch(Errc::chain_empty);
        if (walk.bytes >> 32 != 0) [[unlikely]]
            return latch(Errc::chain_too_long);

        heads_[head] = SplitHead::out;
        ++next_avail_;
        ++outstanding_;
        ++counters_.chains;
        chain.head = static_cast<std::uint16_t>(head);
        chain.readable_count = walk.readable;
        chain.writable_count = walk.writable;
        chain.descriptors = static_cast<std::uint16_t>(count);
        return true;
    }

    // Staged until publish(). `written` is at most the writable bytes of the chain: the caller's promise to the driver.
    [[nodiscard]] Errc push(const Chain& done, std::uint32_t written) noexcept {
        if (error_ != Errc::ok) [[unlikely]]
            return error_;
        if (done.head > mask_ || heads_[done.head] != SplitHead::out) [[unlikely]]
            return Errc::bad_argument;
        heads_[done.head] = SplitHead::home;
        --outstanding_;
        const std::uint16_t at = next_used_++;
        SplitUsed& entry = used_entries_[at & mask_];
        store_relaxed(entry.id, done.head);
        store_relaxed(entry.len, written);
        return Errc::ok;
    }

    void publish() noexcept {
        if (next_used_ == published_) return;
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        store_release(used_[SplitRing::kIndex], next_used_);
        counters_.completions += static_cast<std::uint16_t>(next_used_ - published_);
        ++counters_.publications;
        published_ = next_used_;
    }

    [[nodiscard]] bool wants_notification() noexcept {
        publish();
        if (published_ == notified_) return false;
        const std::uint16_t old_index = notified_;
        notified_ = published_;
        store_load_fence();
        const bool wanted = event_index_ == EventIndex::on
                                ? need_event(load_relaxed(*ring_.used_event()), published_, old_index)
                                : (load_relaxed(avail_[SplitRing::kFlags]) & split::kNoInterrupt) == 0;
        if (wanted) ++counters_.notifications;
        return wanted;
    }

    // On a latched queue: false, nothing will be served any more.
    [[nodiscard]] bool arm() noexcept {
        if (error_ != Errc::ok) return false;
        ask_for_kicks();
        store_load_fence();
        return load_acquire(avail_[SplitRing::kIndex]) != next_avail_;
    }

    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(), static_cast<std::uint16_t>(next_avail_ - 1)); // the farthest away
        } else {
            store_relaxed(used_[SplitRing::kFlags], split::kNoNotify);
        }
    }

private:
    // Collects a chain's segments into the caller's storage.
    struct Walk {
        HostSegment* out;
        HostSegment* const end;
        const RegionTable& memory;
        std::uint16_t readable = 0;
        std::uint16_t writable = 0;
        std::uint64_t bytes = 0;
        Errc why = Errc::ok;

        [[nodiscard]] bool add(const SplitDescValue& desc) noexcept {
            const bool is_writable = (desc.flags & split::kWrite) != 0;
            if (!is_writable && writable != 0) [[unlikely]]
                return fail(Errc::chain_order);
            if (desc.len == 0) [[unlikely]]
                return true;
            std::byte* const data = memory.translate(DeviceAddr{desc.addr}, desc.len);
            if (data == nullptr) [[unlikely]]
                return fail(Errc::chain_address);
            if (out == end) [[unlikely]]
                return fail(Errc::chain_too_long);
            *out++ = {data, desc.len};
            bytes += desc.len;
            ++(is_writable ? writable : readable);
            return true;
        }
        [[nodiscard]] bool fail(Errc errc) noexcept {
            why = errc;
            return false;
        }
    };

    // Reads the available index when all that was seen is served. False: nothing new, or latched.
    [[nodiscard]] bool look_for_more() noexcept {
        if (error_ != Errc::ok) [[unlikely]]
            return false;
        const std::uint16_t index = load_acquire(avail_[SplitRing::kIndex]);
        const std::uint16_t pending = static_cast<std::uint16_t>(index - next_avail_);
        if (pending == 0) return false;
        // Each chain that is out holds a descriptor at least.
        if (pending > static_cast<std::uint32_t>(mask_) + 1 - outstanding_) [[unlikely]] {
            return latch(Errc::avail_index_jump);
        }
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        seen_avail_ = index;
        return true;
    }

    void ask_for_kicks() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.avail_event(), next_avail_);
        } else {
            store_relaxed(used_[SplitRing::kFlags], 0);
        }
    }

    void store_load_fence() const noexcept {
        if (ordering_ == Ordering::platform) [[unlikely]] {
            platform_fence();
        } else {
            full_fence();
        }
    }

    // Also makes every later pop() take the path that looks at the error.
    bool latch(Errc why) noexcept {
        error_ = why;
        seen_avail_ = next_avail_;
        return false;
    }

    [[nodiscard]] Errc walk_table(Walk& walk, const SplitDescValue& table, std::uint32_t before) const noexcept;

    // Hot.
    const SplitDesc* descriptors_ = nullptr;
    const Le16* avail_ = nullptr;
    Le16* used_ = nullptr;
    SplitUsed* used_entries_ = nullptr;
    SplitHead* heads_ = nullptr;
    const RegionTable* memory_ = nullptr;
    std::uint16_t mask_ = 0;
    std::uint16_t next_avail_ = 0;
    std::uint16_t seen_avail_ = 0; // published by the driver, as of the last look
    std::uint16_t next_used_ = 0;
    std::uint16_t published_ = 0;
    std::uint16_t notified_ = 0; // used index at the last notification decision
    std::uint16_t outstanding_ = 0;
    std::uint16_t max_chain_ = 0;
    EventIndex event_index_ = EventIndex::off;
    IndirectTables indirect_ = IndirectTables::refused;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    SplitDeviceCounters counters_{};
    SplitRing ring_;
};

static_assert(DeviceQueue<SplitDevice>);

} // namespace vfsproto
