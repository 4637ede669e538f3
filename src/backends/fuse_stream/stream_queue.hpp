// SPDX-License-Identifier: BSD-2-Clause
// One queue of a stream: a model of RequestQueue.
#pragma once

#include "chain.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <atomic>
#include <vector>

namespace vfsproto::backends::fuse_stream {

class Stream;

// Holds what the stream knows of a queue. The stream's lock guards it, but for `completed`.
struct QueueState {
    ChainList submitted;          // and not kicked
    std::vector<Completion> used; // a ring: completed and not polled
    std::size_t used_first = 0;
    std::size_t used_count = 0;
    std::size_t in_flight = 0;           // submitted and not polled
    std::uint32_t armed = 0;             // completions until the event is signalled; 0: it is not
    std::atomic<bool> completed = false; // used_count != 0, for a look without the lock
    FileDescriptor event = FileDescriptor::blocking_event();
};

// Calls its stream. Does not own it.
class StreamQueue {
public:
    StreamQueue(Stream& stream, std::uint8_t index) noexcept : stream_(stream), index_(index) {}

    [[nodiscard]] QueueLimits limits() noexcept;
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept;
    void kick() noexcept;
    [[nodiscard]] std::size_t poll(std::span<Completion> out) noexcept;
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept;
    [[nodiscard]] Errc error() noexcept;
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept;

private:
    Stream& stream_;
    std::uint8_t index_;
};

static_assert(RequestQueue<StreamQueue>);

} // namespace vfsproto::backends::fuse_stream
