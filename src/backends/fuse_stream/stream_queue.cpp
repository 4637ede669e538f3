// SPDX-License-Identifier: BSD-2-Clause
#include "stream_queue.hpp"

#include "stream.hpp"

namespace vfsproto::backends::fuse_stream {

QueueLimits StreamQueue::limits() noexcept { return stream_.limits(); }
Errc StreamQueue::submit(std::span<const Segment> readable, std::span<const Segment> writable, Token token) noexcept {
    return stream_.submit(index_, readable, writable, token);
}
void StreamQueue::kick() noexcept { stream_.kick(index_); }
std::size_t StreamQueue::poll(std::span<Completion> out) noexcept { return stream_.poll(index_, out); }
bool StreamQueue::arm(std::uint16_t completions) noexcept { return stream_.arm(index_, completions); }
Errc StreamQueue::error() noexcept { return stream_.error(); }
std::size_t StreamQueue::evacuate(std::span<Completion> out) noexcept { return stream_.evacuate(index_, out); }

} // namespace vfsproto::backends::fuse_stream
