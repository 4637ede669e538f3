// SPDX-License-Identifier: BSD-2-Clause
// The buffers that a client has posted for notifications, and has not got back.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"

#include <sys/uio.h>

#include <span>
#include <vector>

namespace vfsproto::backends::fuse_stream {

struct NotificationBuffer {
    Token token{};
    iovec room{};
};

// A line, first in, first out. All memory is taken at the start. One owner at a time.
class NotificationBuffers {
public:
    explicit NotificationBuffers(std::size_t capacity) : line_(capacity) {}

    // Takes a chain of one segment, which is as long as a header at least. Errors: queue_full; bad_argument.
    [[nodiscard]] Errc post(std::span<const Segment> readable, std::span<const Segment> writable, Token token) noexcept;
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    // True once a buffer was posted: before, nobody wants notifications.
    [[nodiscard]] bool is_wanted() const noexcept { return wanted_; }
    // The line is not empty.
    [[nodiscard]] const NotificationBuffer& first() const noexcept { return line_[first_]; }
    NotificationBuffer pop() noexcept {
        const NotificationBuffer buffer = line_[first_];
        first_ = (first_ + 1) % line_.size();
        --count_;
        return buffer;
    }

private:
    std::vector<NotificationBuffer> line_; // a ring
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool wanted_ = false;
};

} // namespace vfsproto::backends::fuse_stream
