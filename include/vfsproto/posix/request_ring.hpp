// SPDX-License-Identifier: BSD-2-Clause
// The request queue as a channel's lane uses it: the ring itself and not a table of functions, so that a request's way
// into the ring and out of it is compiled in one piece with the lane's (docs/design.md section 3).
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

namespace vfsproto::posix {

// A model of RequestQueue. Does not own the ring it refers to.
class RequestRing {
public:
    RequestRing() noexcept = default;
    explicit RequestRing(SplitDriver& ring) noexcept : ring_(&ring) {}

    [[nodiscard]] QueueLimits limits() const noexcept { return ring_->limits(); }
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
        return ring_->submit(readable, writable, token);
    }
    template <std::size_t R, std::size_t W> [[gnu::always_inline, nodiscard]] Errc
    submit(const Segment (&readable)[R], const Segment (&writable)[W], Token token) noexcept {
        return ring_->submit(readable, writable, token);
    }
    template <std::size_t Varies, std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_varied(const Segment (&readable)[R], const Segment (&writable)[W],
                                                         Token token, std::uint32_t recipe) noexcept {
        return ring_->submit_varied<Varies>(readable, writable, token, recipe);
    }
    using Lengths = SplitDriver::Lengths;
    [[gnu::always_inline, nodiscard]] bool stands(std::uint32_t recipe) const noexcept { return ring_->stands(recipe); }
    template <std::size_t Varies, std::size_t R, std::size_t W>
    [[gnu::always_inline, nodiscard]] Errc submit_standing(Segment varied, Lengths others, Token token) noexcept {
        return ring_->submit_standing<Varies, R, W>(varied, others, token);
    }
    [[nodiscard]] std::uint32_t reserve_recipes(std::uint32_t count) noexcept { return ring_->reserve_recipes(count); }
    void kick() noexcept { ring_->kick(); }
    [[gnu::always_inline, nodiscard]] std::size_t poll(std::span<Completion> out) noexcept { return ring_->poll(out); }
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept { return ring_->arm(completions); }
    [[nodiscard]] Errc error() const noexcept { return ring_->error(); }
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept { return ring_->evacuate(out); }

private:
    SplitDriver* ring_ = nullptr;
};

using Lane = client::BasicLane<RequestRing>;

} // namespace vfsproto::posix

extern template class vfsproto::client::BasicLane<vfsproto::posix::RequestRing>;
