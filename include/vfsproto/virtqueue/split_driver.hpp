// SPDX-License-Identifier: BSD-2-Clause
// The driver side of a split virtqueue (virtio 1.2 §2.7). The device is not trusted: what is in flight stands in a private
// shadow, the descriptor table and the available ring are only ever written, and each value the device controls is read
// once and checked (docs/hardening.md).
#pragma once

#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"
#include "vfsproto/virtqueue/split_layout.hpp"

namespace vfsproto {

// What the driver knows of one descriptor. Storage of the caller, private: the device must not reach it.
struct SplitShadow {
    std::uint32_t writable{}; // of the chain headed here: bytes the device may write
    std::uint16_t next{};     // the following free descriptor, or the following one of the chain
    std::uint16_t tail{};     // of the chain last headed here: its last descriptor
    std::uint16_t count{};    // of the chain headed here: descriptors it holds; 0 = no live head
    Token token{};
};
static_assert(sizeof(SplitShadow) == 12);

struct SplitDriverOptions {
    EventIndex event_index = EventIndex::off;
    Ordering ordering = Ordering::smp;
    // The most segments of one chain, readable and writable together. Above the ring size: the ring size (a chain may
    // not be longer, not even through an indirect table: virtio 1.2 §2.7.5.3.1).
    std::uint16_t max_segments = 4;
    // Room for one indirect table per descriptor, split_indirect_bytes() long and 16-byte aligned, reachable by the
    // device, owned by the caller. Empty: VIRTIO_F_INDIRECT_DESC is not negotiated, chains are direct.
    Region indirect{};
    // With indirect tables: chains of up to this many segments are direct all the same. More here saves the device a
    // look-up and costs ring entries: max_inflight is the ring size divided by it.
    std::uint16_t direct_segments = 1;
    Doorbell doorbell{};
};

// Elements of the shadow array for a ring of this many entries.
[[nodiscard]] constexpr std::size_t split_shadow_count(std::uint16_t size) noexcept { return size; }
[[nodiscard]] constexpr std::size_t split_indirect_bytes(std::uint16_t size, std::uint16_t max_segments) noexcept {
    return std::size_t{16} * size * (max_segments < size ? max_segments : size);
}

// Plain words, written by the queue's owner.
struct SplitDriverCounters {
    std::size_t chains{};      // published
    std::size_t descriptors{}; // ring entries they took
    std::size_t publications{};
    std::size_t doorbells{};
    std::size_t completions{};
    std::size_t polls{}; // that found something
    std::size_t empty_polls{};
};

// A model of RequestQueue. One owner at a time; every call is legal in interrupt context if the owner's lock is.
class SplitDriver {
public:
    SplitDriver() noexcept = default;
    SplitDriver(const SplitDriver&) = delete;
    SplitDriver& operator=(const SplitDriver&) = delete;

    // Zeroes the ring and starts it empty. To be called before the device learns of the ring; ring memory and shadow stay
    // the caller's and outlive the queue. Errors: bad_argument (options), no_memory (shadow or indirect too small).
    [[nodiscard]] Errc init(const SplitRing& ring, std::span<SplitShadow> shadow,
                            const SplitDriverOptions& options) noexcept;
    // After a device reset, once evacuate() has said 0: the ring as after init(). Errors: wrong_state while tokens are out.
    [[nodiscard]] Errc restart() noexcept;
    // Transports know the doorbell only once the queue is enabled.
    void set_doorbell(Doorbell doorbell) noexcept { doorbell_ = doorbell; }

    [[nodiscard]] QueueLimits limits() const noexcept { return limits_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }
    [[nodiscard]] const SplitDriverCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::uint16_t size() const noexcept { return ring_.size(); }
    [[nodiscard]] std::uint16_t free_descriptors() const noexcept { return static_cast<std::uint16_t>(free_count_); }
    // Submitted and not yet polled, published or not.
    [[nodiscard]] std::uint16_t in_flight() const noexcept {
        return static_cast<std::uint16_t>(avail_index_ - last_used_);
    }

    // Errors: queue_full; bad_argument (no segment, more than max_segments, an empty segment, 4 GiB or more in all); the
    // violation that latched the queue. After an error nothing was submitted.
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
        const std::size_t count = readable.size() + writable.size();
        if (count - 1 >= direct_room_) [[unlikely]]
            return submit_other(readable, writable, token);
        if (count > free_count_) [[unlikely]]
            return Errc::queue_full;
        ChainWriter chain{descriptors_, shadow_, free_head_};
        if (!chain.append(readable, split::kNext)) [[unlikely]]
            return Errc::bad_argument;
        const std::uint64_t readable_bytes = chain.bytes;
        if (!chain.append(writable, split::kNext | split::kWrite)) [[unlikely]]
            return Errc::bad_argument;
        if (chain.bytes >> 32 != 0) [[unlikely]]
            return Errc::bad_argument;
        chain.finish();

        const std::uint16_t head_index = free_head_;
        free_head_ = chain.index;
        commit(head_index, chain.last, count, chain.bytes - readable_bytes, token);
        return Errc::ok;
    }

    void kick() noexcept {
        const std::uint16_t old_index = published_;
        const std::uint16_t new_index = avail_index_;
        if (new_index == old_index || error_ != Errc::ok) return;
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        store_release(avail_[SplitRing::kIndex], new_index);
        published_ = new_index;
        counters_.chains += static_cast<std::uint16_t>(new_index - old_index);
        ++counters_.publications;
        store_load_fence();
        if (!device_wants_kick(new_index, old_index)) return;
        ++counters_.doorbells;
        if (doorbell_.ring != nullptr) doorbell_.ring(doorbell_.context);
    }

    // What completed before a violation is returned in order; the violation then shows in error(). Without event index, a
    // poll that finds something also takes back what arm() asked for (virtio 1.2 §2.7.7: a hint).
    [[nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        if (error_ != Errc::ok) [[unlikely]]
            return 0;
        const std::uint16_t pending = completed();
        if (pending == 0) {
            ++counters_.empty_polls;
            return 0;
        }
        if (pending > static_cast<std::uint16_t>(published_ - last_used_)) [[unlikely]] {
            error_ = Errc::ring_index_jump;
            return stop_submitting();
        }
        if (ordering_ == Ordering::platform) [[unlikely]]
            platform_fence();
        if (interrupts_asked_) [[unlikely]]
            disarm();
        return collect(out.data(), pending < out.size() ? pending : out.size());
    }

    // Capped at what is in flight: asking for more completions than can come would never be answered. The caller counts
    // in only chains that complete without waiting for something else. On a latched queue: true.
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept {
        if (error_ != Errc::ok) return true;
        const std::uint16_t out = static_cast<std::uint16_t>(published_ - last_used_);
        std::uint16_t wanted = completions < out ? completions : out;
        if (wanted == 0 || event_index_ == EventIndex::off) wanted = 1;
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.used_event(), static_cast<std::uint16_t>(last_used_ + wanted - 1));
        } else {
            store_relaxed(avail_[SplitRing::kFlags], 0);
            interrupts_asked_ = true;
        }
        store_load_fence();
        return completed() >= wanted;
    }

    // Asks for no interrupts while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            store_relaxed(*ring_.used_event(), static_cast<std::uint16_t>(last_used_ - 1)); // the farthest away
        } else {
            store_relaxed(avail_[SplitRing::kFlags], split::kNoInterrupt);
            interrupts_asked_ = false;
        }
    }

    // Latches a healthy queue with device_gone. Oldest first is not promised. `written` is 0.
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    // Writes a chain into free descriptors, in the order of the free list. Nothing is taken until the caller commits.
    struct ChainWriter {
        SplitDesc* const table;
        const SplitShadow* const shadow;
        std::uint16_t index;     // the next free descriptor
        std::uint16_t last{};    // the descriptor written last
        std::uint64_t rest{};    // its second word
        std::uint64_t bytes = 0; // of all segments

        [[nodiscard]] bool append(std::span<const Segment> segments, std::uint16_t flags) noexcept {
            for (const Segment& segment : segments) {
                if (segment.len == 0) [[unlikely]]
                    return false;
                last = index;
                index = shadow[last].next;
                rest = SplitDesc::pack(segment.len, flags, index);
                store_descriptor(table[last], to_number(segment.addr), rest);
                bytes += segment.len;
            }
            return true;
        }
        void finish() noexcept {
            store_relaxed(table[last].len_flags_next, rest & ~(std::uint64_t{split::kNext} << 32));
        }
    };

    // Records the chain and stages its head in the available ring; kick() publishes it.
    void commit(std::uint16_t head_index, std::uint16_t tail, std::size_t count, std::uint64_t writable,
                Token token) noexcept {
        SplitShadow& head = shadow_[head_index];
        head.writable = static_cast<std::uint32_t>(writable);
        head.tail = tail;
        head.count = static_cast<std::uint16_t>(count);
        head.token = token;
        free_count_ -= static_cast<std::uint32_t>(count);
        counters_.descriptors += count;
        const std::uint16_t at = avail_index_++;
        store_relaxed(avail_[SplitRing::kEntries + (at & mask_)], head_index);
    }

    // Used entries the device has published and poll() has not taken.
    [[nodiscard]] std::uint16_t completed() const noexcept {
        return static_cast<std::uint16_t>(load_acquire(used_[SplitRing::kIndex]) - last_used_);
    }

    [[nodiscard]] bool device_wants_kick(std::uint16_t new_index, std::uint16_t old_index) const noexcept {
        if (event_index_ == EventIndex::on) return need_event(load_relaxed(*ring_.avail_event()), new_index, old_index);
        return (load_relaxed(used_[SplitRing::kFlags]) & split::kNoNotify) == 0;
    }

    void store_load_fence() const noexcept {
        if (ordering_ == Ordering::platform) [[unlikely]] {
            platform_fence();
        } else {
            full_fence();
        }
    }

    // Takes n used entries. The caller knows that the device published so many.
    [[nodiscard]] std::size_t collect(Completion* out, std::size_t n) noexcept {
        const SplitUsed* const entries = used_entries_;
        SplitShadow* const shadow = shadow_;
        const std::uint32_t mask = mask_;
        std::uint16_t at = last_used_;
        std::uint16_t free_head = free_head_;
        std::uint32_t freed = 0;
        std::size_t done = 0;
        for (; done < n; ++done, ++at) {
            const SplitUsed& entry = entries[at & mask];
            const std::uint32_t id = load_relaxed(entry.id);
            const std::uint32_t len = load_relaxed(entry.len);
            if (id > mask) [[unlikely]] {
                error_ = Errc::ring_id_out_of_range;
                break;
            }
            SplitShadow& head = shadow[id];
            const std::uint32_t count = head.count;
            if (count == 0 || len > head.writable) [[unlikely]] {
                error_ = classify(head);
                break;
            }
            head.count = 0;
            shadow[head.tail].next = free_head;
            free_head = static_cast<std::uint16_t>(id);
            freed += count;
            out[done] = {head.token, len};
        }
        last_used_ = at;
        free_head_ = free_head;
        free_count_ += freed;
        counters_.completions += done;
        ++counters_.polls;
        if (error_ != Errc::ok) [[unlikely]]
            stop_submitting();
        return done;
    }

    [[nodiscard]] static Errc classify(const SplitShadow& head) noexcept;
    std::size_t stop_submitting() noexcept {
        direct_room_ = 0;
        return 0;
    }
    [[nodiscard]] Errc submit_other(std::span<const Segment> readable, std::span<const Segment> writable,
                                    Token token) noexcept;
    void reset_state() noexcept;

    // Hot: read or written for every request.
    SplitDesc* descriptors_ = nullptr;
    Le16* avail_ = nullptr;
    const Le16* used_ = nullptr;
    const SplitUsed* used_entries_ = nullptr;
    SplitShadow* shadow_ = nullptr;
    std::uint32_t direct_room_ = 0; // most segments of a direct chain; 0 once latched
    std::uint32_t free_count_ = 0;
    std::uint16_t mask_ = 0;
    std::uint16_t free_head_ = 0;
    std::uint16_t avail_index_ = 0; // the next to be written
    std::uint16_t published_ = 0;   // what the device has been told, and where the last kick decision was made
    std::uint16_t last_used_ = 0;
    EventIndex event_index_ = EventIndex::off;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    bool interrupts_asked_ = false; // without event index: avail.flags lets the device interrupt
    Doorbell doorbell_{};
    SplitDriverCounters counters_{};

    // Cold.
    SplitRing ring_;
    Region indirect_;
    std::uint16_t direct_segments_ = 0;
    QueueLimits limits_{};
};

static_assert(RequestQueue<SplitDriver>);

} // namespace vfsproto
