// SPDX-License-Identifier: BSD-2-Clause
// A prepared chain is a chain whose descriptors a ring leaves in its memory, so that only the segment that differs is
// written when a chain of the same form is submitted there again.
//
//   chain of a READ      first time                     next time, if its descriptors are still there
//   0  request header    address, length, flags, next   -
//   1  reply header      address, length, flags, next   -
//   2  payload           address, length, flags, next   address, length
//
// Saves 7 of 9 stores of such a chain. An exact split ring does it (SplitDriver); a packed ring cannot, because the device
// overwrites descriptors with used ones, and a ring with IN_ORDER does not come back to the same descriptors.
#pragma once

#include "vfsproto/virtqueue/request_queue.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto {

// Names a form of chain: all chains submitted under one id have the same segments in the same order, but for one segment,
// which may differ in address and length. reserve_prepared() gives ids; they are unique in their queue.
enum class PreparedId : std::uint32_t { none };

// The id `n` behind `id`, of those that one call of reserve_prepared() gave.
[[nodiscard]] constexpr PreparedId operator+(PreparedId id, std::uint32_t n) noexcept {
    return PreparedId{static_cast<std::uint32_t>(id) + n};
}

// Bytes of all segments of a prepared chain but the one that differs.
struct PreparedLengths {
    std::uint32_t readable;
    std::uint32_t writable;
};

// A RequestQueue that prepares chains.
//   reserve_prepared   gives the first of that many new ids
//   has_prepared       true if the next chain would find the descriptors of this id; false when the queue is full or latched
//   submit_prepared    with arrays: as submit(), and remembers the chain under the id. With one segment: only after
//                      has_prepared() said so; writes that segment and nothing else. The first template argument is the
//                      index in the chain of the segment that differs, readable segments first
// clang-format off
template <class Q>
concept PreparesChains =
    requires(Q& q, const Segment (&one)[1], const Segment (&two)[2], Token token, PreparedId id, std::uint32_t count) {
        { q.reserve_prepared(count) } noexcept -> std::same_as<PreparedId>;
        { q.has_prepared(id) } noexcept -> std::same_as<bool>;
        { q.template submit_prepared<2>(one, two, token, id) } noexcept -> std::same_as<Errc>;
        { q.template submit_prepared<2, 1, 2>(one[0], PreparedLengths{}, token) } noexcept -> std::same_as<Errc>;
    };
// clang-format on

} // namespace vfsproto
