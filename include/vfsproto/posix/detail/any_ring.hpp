// SPDX-License-Identifier: BSD-2-Clause
// The request queue as a channel's lane uses it: a ring of either kind, compiled in one piece with the lane, or a host's own
// queue behind its table. Only this knows which it is. The fast path is the split ring's; all others share its one branch.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

namespace vfsproto::posix {

// A model of RequestQueue. Does not own the queue it refers to.
class AnyRing {
public:
    AnyRing() noexcept = default;
    explicit AnyRing(SplitDriver& ring) noexcept : split_(&ring) {}
    explicit AnyRing(PackedDriver& ring) noexcept : packed_(&ring) {}
    explicit AnyRing(const QueueRef& queue) noexcept : own_(queue) {}

    [[nodiscard]] QueueLimits limits() const noexcept {
        if (split_ != nullptr) return split_->limits();
        return packed_ != nullptr ? packed_->limits() : QueueRef(own_).limits();
    }
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
        if (split_ != nullptr) return split_->submit(readable, writable, token);
        return submit_slow(readable, writable, token);
    }
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept {
        if (split_ == nullptr) [[unlikely]]
            return submit_slow(readable, writable, token);
        return split_->submit(readable, writable, token);
    }
    // Only a split ring prepares chains: on a packed one used descriptors overwrite them.
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(const Segment (&readable)[R], const Segment (&writable)[W], Token token, PreparedId id) noexcept {
        if (split_ == nullptr) [[unlikely]]
            return submit_slow(readable, writable, token);
        return split_->submit_prepared<Varying>(readable, writable, token, id);
    }
    [[gnu::always_inline, nodiscard]] bool has_prepared(PreparedId id) const noexcept {
        return split_ != nullptr && split_->has_prepared(id);
    }
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(Segment segment, PreparedLengths others, Token token) noexcept {
        return split_->submit_prepared<Varying, R, W>(segment, others, token);
    }
    [[nodiscard]] PreparedId reserve_prepared(std::uint32_t count) noexcept {
        return split_ != nullptr ? split_->reserve_prepared(count) : PreparedId::none;
    }
    [[gnu::always_inline]] void kick() noexcept {
        if (split_ == nullptr) [[unlikely]]
            return packed_ != nullptr ? packed_->kick() : own_.kick();
        split_->kick();
    }
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        if (split_ == nullptr) [[unlikely]]
            return packed_ != nullptr ? packed_->poll(out) : own_.poll(out);
        return split_->poll(out);
    }
    [[gnu::always_inline, nodiscard]] bool arm(std::uint16_t completions) noexcept {
        if (split_ == nullptr) [[unlikely]]
            return packed_ != nullptr ? packed_->arm(completions) : own_.arm(completions);
        return split_->arm(completions);
    }
    // Does nothing on a host's own queue.
    void disarm() noexcept {
        if (split_ != nullptr) return split_->disarm();
        if (packed_ != nullptr) packed_->disarm();
    }
    [[gnu::always_inline, nodiscard]] Errc error() const noexcept {
        if (split_ == nullptr) [[unlikely]]
            return packed_ != nullptr ? packed_->error() : QueueRef(own_).error();
        return split_->error();
    }
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept {
        if (split_ != nullptr) return split_->evacuate(out);
        return packed_ != nullptr ? packed_->evacuate(out) : own_.evacuate(out);
    }

    // Entries of the ring, and what its driver counted; 0 and zeros for a host's own queue, which has no ring.
    [[nodiscard]] std::uint16_t size() const noexcept {
        if (split_ != nullptr) return split_->size();
        return packed_ != nullptr ? packed_->size() : std::uint16_t{0};
    }
    [[nodiscard]] RingDriverCounters counters() const noexcept {
        if (split_ != nullptr) return split_->counters();
        return packed_ != nullptr ? packed_->counters() : RingDriverCounters{};
    }

private:
    template <class Readable, class Writable> [[gnu::always_inline, nodiscard]] Errc
    submit_slow(const Readable& readable, const Writable& writable, Token token) noexcept {
        if (packed_ != nullptr) return packed_->submit(readable, writable, token);
        return own_.submit(readable, writable, token);
    }

    // At most one of the three is there. split_ is asked first, because a split ring needs the pointer anyway.
    SplitDriver* split_ = nullptr;
    PackedDriver* packed_ = nullptr;
    QueueRef own_;
};

static_assert(RequestQueue<AnyRing>);

using Lane = client::RequestLane<AnyRing>;

} // namespace vfsproto::posix

extern template class vfsproto::client::RequestLane<vfsproto::posix::AnyRing>;
