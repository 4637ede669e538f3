// SPDX-License-Identifier: BSD-2-Clause
// The request queue as a channel's lane uses it: the ring itself and not a table of functions, so that a request's way
// into the ring and out of it is compiled in one piece with the lane's. Which kind of ring it
// is, only this knows.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/virtqueue/packed_driver.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

namespace vfsproto::posix {

// A model of RequestQueue. Does not own the ring it refers to.
class AnyRing {
public:
    AnyRing() noexcept = default;
    explicit AnyRing(SplitDriver& ring) noexcept : split_(&ring) {}
    explicit AnyRing(PackedDriver& ring) noexcept : packed_(&ring) {}

    [[nodiscard]] QueueLimits limits() const noexcept { return is_packed() ? packed_->limits() : split_->limits(); }
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
        return is_packed() ? packed_->submit(readable, writable, token) : split_->submit(readable, writable, token);
    }
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->submit(readable, writable, token);
        return split_->submit(readable, writable, token);
    }
    // A packed ring prepares no chains: used descriptors overwrite them.
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(const Segment (&readable)[R], const Segment (&writable)[W], Token token, PreparedId id) noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->submit(readable, writable, token);
        return split_->submit_prepared<Varying>(readable, writable, token, id);
    }
    [[gnu::always_inline, nodiscard]] bool has_prepared(PreparedId id) const noexcept {
        return !is_packed() && split_->has_prepared(id);
    }
    template <std::size_t Varying, std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit_prepared(Segment segment, PreparedLengths others, Token token) noexcept {
        return split_->submit_prepared<Varying, R, W>(segment, others, token);
    }
    [[nodiscard]] PreparedId reserve_prepared(std::uint32_t count) noexcept {
        return is_packed() ? PreparedId::none : split_->reserve_prepared(count);
    }
    [[gnu::always_inline]] void kick() noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->kick();
        split_->kick();
    }
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->poll(out);
        return split_->poll(out);
    }
    [[gnu::always_inline, nodiscard]] bool arm(std::uint16_t completions) noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->arm(completions);
        return split_->arm(completions);
    }
    void disarm() noexcept { is_packed() ? packed_->disarm() : split_->disarm(); }
    [[gnu::always_inline, nodiscard]] Errc error() const noexcept {
        if (is_packed()) [[unlikely]]
            return packed_->error();
        return split_->error();
    }
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept {
        return is_packed() ? packed_->evacuate(out) : split_->evacuate(out);
    }

    [[nodiscard]] std::uint16_t size() const noexcept { return is_packed() ? packed_->size() : split_->size(); }
    [[nodiscard]] RingDriverCounters counters() const noexcept {
        return is_packed() ? packed_->counters() : split_->counters();
    }

private:
    // Asked of the pointer that a split ring needs anyway.
    [[gnu::always_inline, nodiscard]] bool is_packed() const noexcept { return split_ == nullptr; }

    SplitDriver* split_ = nullptr;
    PackedDriver* packed_ = nullptr;
};

static_assert(RequestQueue<AnyRing>);

using Lane = client::BasicLane<AnyRing>;

} // namespace vfsproto::posix

extern template class vfsproto::client::BasicLane<vfsproto::posix::AnyRing>;
