// SPDX-License-Identifier: BSD-2-Clause
// The driver seam: all that a protocol above needs of a queue, whoever owns it (our split and packed rings, or a host
// with a virtqueue framework of its own).
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/segment.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

// Names a chain. It is chosen by the owner; the queue only carries it back.
struct Token {
    std::uint16_t slot;
    friend constexpr bool operator==(Token, Token) noexcept = default;
};

// It has no initialisers, because poll() fills an array of them.
struct Completion {
    Token token;
    std::uint32_t written; // bytes the device wrote, at most what was writable
};

// Tells whether Completion::written is what the device wrote. IN_ORDER skips lengths (virtio 1.2 §2.7.9).
enum class WrittenLength : std::uint8_t { exact, upper_bound };

struct QueueLimits {
    std::uint16_t max_inflight{}; // chains that may be in flight at once, each of max_segments
    std::uint16_t max_segments{}; // segments (readable and writable together) of one chain
    WrittenLength written = WrittenLength::exact;
};

// One owner at a time (a thread, a strand, or a held mutex). No call blocks, allocates or throws; all are legal in
// interrupt context if the owner's lock is.
//   limits    constant over the life of the queue
//   submit    writes the chain's descriptors. Errors: queue_full, bad_argument, or the error the queue latched
//   kick      publishes what was submitted since the last kick and notifies the device at most once, if it asks for it
//   poll      completions, oldest first; 0 when there are none or when the queue is latched
//   arm       asks for a notification after n further completions (n >= 1; a queue without event index takes it as 1);
//             true = something is there already or may be: poll once more before sleeping
//   error     ok, or the violation that latched the queue; then submit and poll do nothing until the device is reset
//   evacuate  only after the device was reset or is gone: hands every token in flight back; 0 when none is left
// clang-format off
template <class Q>
concept RequestQueue =
    requires(Q& q, std::span<const Segment> segments, Token token, std::span<Completion> out, std::uint16_t n) {
        { q.limits() } noexcept -> std::same_as<QueueLimits>;
        { q.submit(segments, segments, token) } noexcept -> std::same_as<Errc>; // device-readable, device-writable
        { q.kick() } noexcept;
        { q.poll(out) } noexcept -> std::same_as<std::size_t>;
        { q.arm(n) } noexcept -> std::same_as<bool>;
        { q.error() } noexcept -> std::same_as<Errc>;
        { q.evacuate(out) } noexcept -> std::same_as<std::size_t>;
    };
// clang-format on

} // namespace vfsproto
