// SPDX-License-Identifier: BSD-2-Clause
#include "notification_buffers.hpp"

#include "chain.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

namespace vfsproto::backends::fuse_stream {

Errc NotificationBuffers::post(std::span<const Segment> readable, std::span<const Segment> writable,
                               Token token) noexcept {
    const bool is_one = readable.empty() && writable.size() == 1 && writable[0].len >= sizeof(wire::OutHeader);
    if (!is_one) return Errc::bad_argument;
    if (count_ == line_.size()) return Errc::queue_full;
    line_[(first_ + count_) % line_.size()] = {token, host_of(writable[0])};
    ++count_;
    wanted_ = true;
    return Errc::ok;
}

} // namespace vfsproto::backends::fuse_stream
