// SPDX-License-Identifier: BSD-2-Clause
// The driver side of a split virtqueue (virtio 1.2 §2.7). The device is not trusted: what is in flight stands in a private
// shadow, the descriptor table and the available ring are only ever written, and each value the device controls is read
// once and checked (docs/hardening.md).
#pragma once

#include "vfsproto/virtqueue/notification.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"
#include "vfsproto/virtqueue/split_layout.hpp"

#include <utility>

namespace vfsproto {

// What the driver knows of the chain headed at one descriptor. Storage of the caller, private: the device must not reach
// it. As large as a descriptor, so that one offset finds both.
struct alignas(16) SplitShadow {
    static constexpr std::uint16_t kLive = 0xffff;          // in flight
    static constexpr std::uint16_t kEnd = 0xfffe;           // free, and the last of the free list
    static constexpr std::uint16_t kNeverHead = 0xfffd;     // a descriptor inside a chain
    static constexpr std::uint32_t kNeverUsed = 0xffffffff; // `writable` before the first chain

    std::uint32_t writable{}; // bytes the device may write
    std::uint16_t next{};     // the following free head, or one of the above
    Token token{};
    std::uint32_t recipe{}; // of the descriptors that stand there; 0 = none
    // With IN_ORDER:
    std::uint16_t order{};       // the chain's index in the available ring
    std::uint16_t descriptors{}; // of the table it takes
};
static_assert(sizeof(SplitShadow) == 16 && SplitShadow::kNeverHead > kSplitMaxSize);

struct SplitDriverOptions {
    EventIndex event_index = EventIndex::off;
    Ordering ordering = Ordering::smp;
    // In order: chains lie one behind the other in the table, so that none is left standing for submit_varied().
    UseOrder order = UseOrder::any;
    // The most segments of one chain, readable and writable together. Above the ring size: the ring size (a chain may
    // not be longer, not even through an indirect table: virtio 1.2 §2.7.5.3.1). Without indirect tables each chain
    // owns as many ring entries, so that max_inflight is the ring size divided by it.
    std::uint16_t max_segments = 4;
    // Room for one indirect table per descriptor, split_indirect_bytes() long and 16-byte aligned, reachable by the
    // device, owned by the caller. Empty: VIRTIO_F_INDIRECT_DESC is not negotiated, chains are direct.
    Region indirect{};
    // With indirect tables: chains of up to this many segments are direct all the same, and each chain owns as many ring
    // entries. More here saves the device a look-up and costs depth: max_inflight is the ring size divided by it.
    std::uint16_t direct_segments = 1;
    Doorbell doorbell{};
};

// Elements of the shadow array for a ring of this many entries.
[[nodiscard]] constexpr std::size_t split_shadow_count(std::uint16_t size) noexcept { return size; }
[[nodiscard]] constexpr std::size_t split_indirect_bytes(std::uint16_t size, std::uint16_t max_segments) noexcept {
    return std::size_t{16} * size * (max_segments < size ? max_segments : size);
}

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
    // Submitted and not yet polled, published or not.
    [[nodiscard]] std::uint16_t in_flight() const noexcept {
        return static_cast<std::uint16_t>(avail_index_ - last_used_);
    }

    // Errors: queue_full; bad_argument (no segment, more than max_segments, an empty segment, 4 GiB or more in all); the
    // violation that latched the queue. After an error nothing was submitted.
    [[gnu::always_inline, nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                                                  Token token) noexcept {
        return submit_chain(readable, writable, token, 0);
    }
    // The same for a chain whose segments are counted when this is compiled: straight code.
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept {
        return submit_chain(std::span<const Segment, R>(readable), std::span<const Segment, W>(writable), token, 0);
    }
    // … and of whose segments only number `Varies`, the readable ones counted first, is another than in the last chain of
    // this recipe. What still stands in the ring is not written again.
    template <std::size_t Varies, std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_varied(const Segment (&readable)[R], const Segment (&writable)[W],
                                                         Token token, std::uint32_t recipe) noexcept {
        static_assert(Varies < R + W);
        if (!stands(recipe)) [[unlikely]] {
            return submit_chain(std::span<const Segment, R>(readable), std::span<const Segment, W>(writable), token,
                                recipe);
        }
        Segment varied;
        Lengths others{0, 0};
        std::size_t number = 0;
        const auto look_at = [&](Segment each, std::uint32_t& sum) __attribute__((always_inline)) {
            if (number++ == Varies) {
                varied = each;
            } else {
                sum += each.len;
            }
        };
        for_each(std::span<const Segment, R>(readable),
                 [&](Segment each) __attribute__((always_inline)) { look_at(each, others.readable); });
        for_each(std::span<const Segment, W>(writable),
                 [&](Segment each) __attribute__((always_inline)) { look_at(each, others.writable); });
        return submit_standing<Varies, R, W>(varied, others, token);
    }
    // The two halves of it, for who wants to put the segments together only when they are needed. Does the recipe stand
    // where the next chain comes to? Never on a full or a latched queue.
    [[gnu::always_inline, nodiscard]] bool stands(std::uint32_t recipe) const noexcept {
        return free_head_ != SplitShadow::kEnd && shadow_[free_head_].recipe == recipe;
    }
    // Bytes of all segments but the one that varies.
    struct Lengths {
        std::uint32_t readable;
        std::uint32_t writable;
    };
    // Only after stands() said so. Errors: bad_argument, for the segment that varies.
    template <std::size_t Varies, std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_standing(Segment varied, Lengths others, Token token) noexcept {
        const std::uint16_t head = free_head_;
        SplitShadow& shadow = shadow_[head];
        // Neither empty nor too long for the others, which were looked at when the recipe was new.
        if (varied.len - 1u >= kMaxChainBytes - others.readable - others.writable) [[unlikely]]
            return Errc::bad_argument;
        SplitDesc& desc = descriptors_[head + Varies];
        store_relaxed(desc.addr, to_number(varied.addr)); // [split.prepared.segment]
        store_relaxed(desc.len, varied.len);
        counters_.descriptors += R + W - 1;
        commit(shadow, head, others.writable + (Varies < R ? 0 : varied.len), token);
        return Errc::ok;
    }
    // That many numbers, from the one returned on, that no other recipe of this queue has.
    [[nodiscard]] std::uint32_t reserve_recipes(std::uint32_t count) noexcept {
        const std::uint32_t first = next_recipe_;
        next_recipe_ += count;
        return first;
    }

    void kick() noexcept {
        const std::size_t index = avail_index_;
        const std::size_t before = published_;
        if (index == before) return;
        if (!is_plain_) [[unlikely]]
            return kick_with_care();
        publish(index); // [split.kick.publish]
        full_fence();   // [split.kick.fence]
        // [split.kick.look]
        if (need_event(load_relaxed(*avail_event_), static_cast<std::uint16_t>(index),
                       static_cast<std::uint16_t>(before))) {
            ring_doorbell();
        }
    }

    // What completed before a violation is returned in order; the violation then shows in error(). Without event index, a
    // poll that finds something also takes back what arm() asked for (virtio 1.2 §2.7.7: a hint).
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        const std::uint16_t pending = completed();
        if (pending == 0) {
            ++counters_.empty_polls;
            return 0;
        }
        if (takes_care_) [[unlikely]]
            return poll_with_care(out, pending);
        if (pending > static_cast<std::uint16_t>(published_ - last_used_)) [[unlikely]] {
            return latch(Errc::ring_index_jump);
        }
        return collect(out.data(), pending < out.size() ? pending : out.size());
    }

    // Capped at what is in flight: asking for more completions than can come would never be answered. The caller counts
    // in only chains that complete without waiting for something else. On a latched queue: true.
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept {
        if (!is_plain_) [[unlikely]]
            return arm_with_care(completions);
        // [split.arm.wanted]
        const std::uint16_t wanted = completions > 1 ? at_most_in_flight(completions) : std::uint16_t{1};
        ask_for(wanted);              // [split.arm.ask]
        full_fence();                 // [split.arm.fence]
        return completed() >= wanted; // [split.arm.look]
    }

    // Asks for no interrupts while the owner polls (a hint; the next arm() ends it).
    void disarm() noexcept {
        if (event_index_ == EventIndex::on) {
            // [split.disarm.event]
            store_relaxed(*used_event_, static_cast<std::uint16_t>(last_used_ - 1)); // the farthest away
        } else {
            store_relaxed(ring_.avail()[SplitRing::kFlags], split::kNoInterrupt);
            interrupts_asked_ = false;
        }
    }

    // Latches a healthy queue with device_gone. Oldest first is not promised. `written` is 0.
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    // A longer chain is against virtio 1.2 §2.7.5.2, and could not be told from SplitShadow::kNeverUsed.
    static constexpr std::uint64_t kMaxChainBytes = SplitShadow::kNeverUsed - 1;

    struct Bytes {
        std::uint64_t total = 0; // 0: there is an empty segment
        std::uint64_t readable = 0;
    };
    template <std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_chain(std::span<const Segment, R> readable,
                                                        std::span<const Segment, W> writable, Token token,
                                                        std::uint32_t recipe) noexcept {
        const std::size_t count = readable.size() + writable.size();
        const std::uint16_t head = free_head_;
        if (head == SplitShadow::kEnd) [[unlikely]] {
            if (count - 1 < ordered_room_) return submit_in_order(readable, writable, token); // [split.submit.in_order]
            return submit_elsewhere(readable, writable, token);
        }
        // [split.submit.direct]
        if (count != 1 && count - 1 >= direct_segments_) [[unlikely]]
            return submit_elsewhere(readable, writable, token);

        SplitShadow& shadow = shadow_[head];
        shadow.recipe = 0;
        const Bytes bytes = write_descriptors(descriptors_ + head, head, readable, writable);
        if (bytes.total - 1 >= kMaxChainBytes) [[unlikely]]
            return Errc::bad_argument;
        if (recipe != 0) shadow.recipe = recipe;
        counters_.descriptors += count - 1;
        commit(shadow, head, static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
        return Errc::ok;
    }

    // Behind the chain before it (virtio 1.2 §2.7.5), unless the end of the table comes in between.
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_in_order(std::span<const Segment, R> readable, std::span<const Segment, W> writable, Token token) noexcept {
        const std::size_t count = readable.size() + writable.size();
        const std::uint32_t head = ordered_head_;
        // [split.in_order.end]
        if (avail_index_ - last_used_ >= most_in_flight_ || head + count > mask_ + std::size_t{1}) [[unlikely]]
            return submit_elsewhere(readable, writable, token);
        const Bytes bytes = write_descriptors(descriptors_ + head, head, readable, writable);
        if (bytes.total - 1 >= kMaxChainBytes) [[unlikely]]
            return Errc::bad_argument;
        commit_in_order(count, static_cast<std::uint32_t>(bytes.total - bytes.readable), token);
        return Errc::ok;
    }

    // Writes a chain's descriptors, which follow each other in a table from number `first` on.
    template <std::size_t R, std::size_t W>
    [[gnu::always_inline]] static Bytes write_descriptors(SplitDesc* desc, std::uint32_t first,
                                                          std::span<const Segment, R> readable,
                                                          std::span<const Segment, W> writable) noexcept {
        Bytes bytes;
        bool has_empty = false;
        const std::size_t count = readable.size() + writable.size();
        const std::uint32_t base = SplitDesc::pack(0, first);
        std::uint32_t written = 0;
        const auto put = [&](Segment segment, std::uint16_t flags) __attribute__((always_inline)) {
            // [split.submit.link]
            const std::uint32_t link =
                ++written != count ? base + SplitDesc::pack(flags, written) + split::kNext : SplitDesc::pack(flags, 0);
            store_descriptor(*desc++, segment, link); // [split.submit.descriptor]
            has_empty |= segment.len == 0;
            bytes.total += segment.len;
        };
        for_each(readable, [&](Segment segment) __attribute__((always_inline)) { put(segment, 0); });
        bytes.readable = bytes.total;
        for_each(writable, [&](Segment segment) __attribute__((always_inline)) { put(segment, split::kWrite); });
        return has_empty ? Bytes{} : bytes;
    }
    // Passes copies: the compiler cannot know that the ring is elsewhere. Without a loop where the number is known.
    template <std::size_t N, class F>
    [[gnu::always_inline]] static void for_each(std::span<const Segment, N> segments, F&& take) noexcept {
        if constexpr (N == std::dynamic_extent) {
            for (const Segment& segment : segments) take(Segment{segment.addr, segment.len});
        } else {
            [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
                (take(Segment{segments[I].addr, segments[I].len}), ...);
            }(std::make_index_sequence<N>{});
        }
    }

    // To submit_other(), by way of a copy where the segments are counted: then they themselves stay in registers.
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_elsewhere(std::span<const Segment, R> readable, std::span<const Segment, W> writable, Token token) noexcept {
        if constexpr (R == std::dynamic_extent || W == std::dynamic_extent) {
            return submit_other(readable, writable, token);
        } else {
            Segment all[R + W];
            std::size_t count = 0;
            for_each(readable, [&](Segment segment) __attribute__((always_inline)) { all[count++] = segment; });
            for_each(writable, [&](Segment segment) __attribute__((always_inline)) { all[count++] = segment; });
            return submit_other({all, R}, {all + R, W}, token);
        }
    }

    void commit_in_order(std::size_t descriptors, std::uint32_t writable, Token token) noexcept {
        const std::uint16_t head = ordered_head_;
        SplitShadow& shadow = shadow_[head];
        shadow.order = static_cast<std::uint16_t>(avail_index_);
        shadow.descriptors = static_cast<std::uint16_t>(descriptors);
        shadow.next = SplitShadow::kEnd;
        ordered_head_ = static_cast<std::uint16_t>((head + descriptors) & mask_);
        counters_.descriptors += descriptors - 1;
        commit(shadow, head, writable, token);
    }

    // Records the chain and stages its head in the available ring; kick() publishes it.
    void commit(SplitShadow& shadow, std::uint16_t head, std::uint32_t writable, Token token) noexcept {
        free_head_ = shadow.next;
        shadow.writable = writable;
        shadow.next = SplitShadow::kLive;
        shadow.token = token;
        store_relaxed(avail_entries_[avail_index_++ & mask_], head);
    }

    // Used entries the device has published and poll() has not taken.
    [[nodiscard]] std::uint16_t completed() const noexcept {
        return static_cast<std::uint16_t>(load_acquire(*used_index_) - last_used_); // [split.poll.index]
    }

    void publish(std::size_t index) noexcept {
        store_release(*published_index_, static_cast<std::uint16_t>(index)); // [split.publish.index]
        published_ = index;
        ++counters_.publications;
    }
    void ring_doorbell() noexcept {
        ++counters_.doorbells;
        doorbell_.ring(doorbell_.context, static_cast<std::uint16_t>(published_));
    }
    // With event index.
    void ask_for(std::uint16_t completions) noexcept {
        store_relaxed(*used_event_, static_cast<std::uint16_t>(last_used_ + completions - 1)); // [split.ask.event]
    }
    // At least 1.
    [[nodiscard]] std::uint16_t at_most_in_flight(std::uint16_t completions) const noexcept {
        const auto out = static_cast<std::uint16_t>(published_ - last_used_);
        const std::uint16_t wanted = completions < out ? completions : out;
        return wanted != 0 ? wanted : std::uint16_t{1};
    }
    // kick() and arm() of rings that are not plain. Here, so that a simulation gets in between their accesses.
    [[gnu::noinline]] void kick_with_care() noexcept {
        if (error_ != Errc::ok) return;
        const auto before = static_cast<std::uint16_t>(published_);
        if (ordering_ == Ordering::platform) platform_fence();
        publish(avail_index_);       // [split.kick_slow.publish]
        store_load_fence(ordering_); // [split.kick_slow.fence]
        // [split.kick_slow.look]
        const bool is_wanted =
            event_index_ == EventIndex::on
                ? need_event(load_relaxed(*avail_event_), static_cast<std::uint16_t>(published_), before)
                : (load_relaxed(ring_.used()[SplitRing::kFlags]) & split::kNoNotify) == 0;
        if (is_wanted) ring_doorbell();
    }
    [[gnu::noinline, nodiscard]] bool arm_with_care(std::uint16_t completions) noexcept {
        if (error_ != Errc::ok) return true;
        std::uint16_t wanted = 1;
        if (event_index_ == EventIndex::on) {
            wanted = at_most_in_flight(completions);
            ask_for(wanted); // [split.arm_slow.ask]
        } else {
            store_relaxed(ring_.avail()[SplitRing::kFlags], 0);
            interrupts_asked_ = takes_care_ = true;
        }
        store_load_fence(ordering_);  // [split.arm_slow.fence]
        return completed() >= wanted; // [split.arm_slow.look]
    }

    // Takes n used entries. The caller knows that the device published so many.
    [[nodiscard]] std::size_t collect(Completion* out, std::size_t n) noexcept {
        const SplitUsed* const entries = used_entries_;
        SplitShadow* const shadow = shadow_;
        const std::uint32_t mask = mask_;
        const std::size_t first = last_used_;
        std::uint32_t free_head = free_head_;
        for (std::size_t done = 0; done < n; ++done) {
            const SplitUsed& entry = entries[(first + done) & mask];
            const std::uint32_t id = load_relaxed(entry.id);
            const std::uint32_t len = load_relaxed(entry.len);
            if (id > mask || shadow[id].next != SplitShadow::kLive || len > shadow[id].writable) [[unlikely]] {
                settle(done, free_head);
                latch(classify(id));
                return done;
            }
            shadow[id].next = static_cast<std::uint16_t>(free_head);
            free_head = id;
            out[done] = {shadow[id].token, len};
        }
        settle(n, free_head);
        return n;
    }
    void settle(std::size_t done, std::uint32_t free_head) noexcept {
        last_used_ += done;
        free_head_ = static_cast<std::uint16_t>(free_head);
        counters_.completions += done;
        ++counters_.polls;
    }

    // With what few polls have to do besides.
    [[nodiscard]] std::size_t poll_with_care(std::span<Completion> out, std::uint16_t pending) noexcept;
    // With IN_ORDER, where one used entry tells of its chain and of all before it.
    [[gnu::always_inline, nodiscard]] std::size_t collect_in_order(std::span<Completion> out,
                                                                   std::size_t pending) noexcept;
    [[nodiscard]] bool find_batch(std::size_t pending) noexcept;
    [[nodiscard]] Errc classify(std::uint32_t id) const noexcept;
    // Takes submit() to the path that looks at the error. Returns 0: nothing was polled.
    std::size_t latch(Errc why) noexcept;
    [[nodiscard]] Errc submit_other(std::span<const Segment> readable, std::span<const Segment> writable,
                                    Token token) noexcept;
    [[nodiscard]] Errc submit_round_the_end(std::span<const Segment> readable, std::span<const Segment> writable,
                                            Token token) noexcept;
    void reset_state() noexcept;

    // Hot. Indices run freely in whole words; the ring holds their low 16 bits.
    SplitDesc* descriptors_ = nullptr;
    Le16* avail_entries_ = nullptr;
    Le16* published_index_ = nullptr;
    Le16* used_event_ = nullptr;
    const Le16* avail_event_ = nullptr;
    const Le16* used_index_ = nullptr;
    const SplitUsed* used_entries_ = nullptr;
    SplitShadow* shadow_ = nullptr;
    std::uint32_t direct_segments_ = 0; // the most of a direct chain
    std::uint32_t mask_ = 0;
    std::uint16_t free_head_ = SplitShadow::kEnd; // none once latched, and with IN_ORDER
    std::size_t avail_index_ = 0;                 // the next to be written
    std::size_t published_ = 0; // what the device has been told, and where the last kick decision was made
    std::size_t last_used_ = 0;
    EventIndex event_index_ = EventIndex::off;
    Ordering ordering_ = Ordering::smp;
    Errc error_ = Errc::wrong_state;
    bool interrupts_asked_ = false; // without event index: avail.flags lets the device interrupt
    UseOrder order_ = UseOrder::any;
    bool takes_care_ = false; // poll_with_care() has something to do
    bool is_plain_ = false;   // healthy, with event index, of a device on the same CPUs
    // Of `chains`, those published before the last restart; of `descriptors`, those of them, and since then all but the
    // first of each chain.
    RingDriverCounters counters_{};
    Doorbell doorbell_{};
    SplitRing ring_;

    // IN_ORDER.
    std::uint32_t ordered_room_ = 0; // most segments of a direct chain; 0 once latched
    std::uint16_t ordered_head_ = 0; // of the next chain; whether it is free is a matter of numbers
    std::size_t most_in_flight_ = 0;
    std::uint32_t oldest_ = 0;    // the head of the oldest chain in flight
    std::uint32_t batch_len_ = 0; // of the last chain of the batch one used entry told of
    std::size_t batch_left_ = 0;  // its chains that poll() has not returned

    // Cold.
    Region indirect_;
    QueueLimits limits_{};
    std::uint32_t next_recipe_ = 1;
};

static_assert(RequestQueue<SplitDriver>);

} // namespace vfsproto
