// SPDX-License-Identifier: BSD-2-Clause
// The device seam: the mirror of request_queue.hpp, for servers and for the twins of tests.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/segment.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

// One buffer the driver made available, translated and bounds-checked. The segments live in storage of the caller and
// point into memory the driver can change at any time: copy once, then check.
struct Chain {
    std::span<HostSegment> storage{}; // room for the segments, given by the caller before pop()
    std::uint16_t head{};             // the queue's own name of this chain
    std::uint16_t readable_count{};
    std::uint16_t writable_count{};
    std::uint16_t descriptors{}; // ring entries it took (1 when indirect)

    [[nodiscard]] std::span<const HostSegment> readable() const noexcept { return storage.first(readable_count); }
    [[nodiscard]] std::span<const HostSegment> writable() const noexcept {
        return storage.subspan(readable_count, writable_count);
    }
};

// One owner at a time. No call blocks, allocates or throws. Chains may be answered in any order and at any later time.
//   pop                 the next available chain; false when there is none or the queue is latched
//   push                marks a chain used, `written` bytes from the start of its writable part; may be staged until
//                       publish(). Errors: bad_argument when this chain is not out, or the error the queue latched
//   publish             makes everything pushed visible to the driver
//   wants_notification  publishes, then says whether the driver asked for an interrupt for what was published since the
//                       last call; true obliges the caller to send one
//   arm                 asks the driver to notify for the next available chain; true = one is there already: pop again
//   disarm              tells the driver not to notify while the owner keeps polling (a hint)
//   error               ok, or the violation that latched the queue
// clang-format off
template <class Q>
concept DeviceQueue = requires(Q& q, Chain& chain, const Chain& done, std::uint32_t written) {
    { q.pop(chain) } noexcept -> std::same_as<bool>;
    { q.push(done, written) } noexcept -> std::same_as<Errc>;
    { q.publish() } noexcept;
    { q.wants_notification() } noexcept -> std::same_as<bool>;
    { q.arm() } noexcept -> std::same_as<bool>;
    { q.disarm() } noexcept;
    { q.error() } noexcept -> std::same_as<Errc>;
};
// clang-format on

} // namespace vfsproto
