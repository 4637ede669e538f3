// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/detail/segment_cursor.hpp"

namespace vfsproto::server {

void detail::copy_out(std::span<const HostSegment> segments, std::size_t& index, std::uint32_t& offset, std::byte* to,
                      std::size_t size) noexcept {
    while (size > 0 && index < segments.size()) {
        const HostSegment& segment = segments[index];
        const std::size_t here = segment.len - offset;
        const std::size_t step = size < here ? size : here;
        if (step != 0) copy_from_peer(to, segment.data + offset, step);
        to += step;
        size -= step;
        offset += static_cast<std::uint32_t>(step);
        if (offset == segment.len) {
            ++index;
            offset = 0;
        }
    }
}

void detail::copy_in(std::span<const HostSegment> segments, std::size_t& index, std::uint32_t& offset, const void* from,
                     std::size_t size) noexcept {
    const auto* at = static_cast<const std::byte*>(from);
    while (size > 0 && index < segments.size()) {
        const HostSegment& segment = segments[index];
        const std::size_t here = segment.len - offset;
        const std::size_t step = size < here ? size : here;
        if (step != 0) copy_to_peer(segment.data + offset, at, step);
        at += step;
        size -= step;
        offset += static_cast<std::uint32_t>(step);
        if (offset == segment.len) {
            ++index;
            offset = 0;
        }
    }
}

std::size_t ByteView::copy_to(std::span<std::byte> room, std::uint64_t offset) const noexcept {
    if (offset >= size) return 0;
    const std::uint64_t left = size - offset;
    const std::size_t count = left < room.size() ? static_cast<std::size_t>(left) : room.size();
    std::size_t index = 0;
    while (index < segments.size() && offset >= segments[index].len) offset -= segments[index++].len;
    auto at = static_cast<std::uint32_t>(offset);
    detail::copy_out(segments, index, at, room.data(), count);
    return count;
}

void SegmentCursor::read_across(std::byte* to, std::size_t size) noexcept {
    detail::copy_out(segments_, index_, offset_, to, size);
    remaining_ -= size;
}

std::size_t SegmentCursor::read_string(char* to, std::size_t room) noexcept {
    std::size_t copied = 0;
    while (remaining_ > 0 && copied < room && index_ < segments_.size()) {
        const HostSegment& segment = segments_[index_];
        std::size_t step = segment.len - offset_;
        if (step > remaining_) step = static_cast<std::size_t>(remaining_);
        if (step > room - copied) step = room - copied;
        if (step != 0) copy_from_peer(to + copied, segment.data + offset_, step);
        for (std::size_t i = 0; i < step; ++i) {
            if (to[copied + i] != '\0') continue;
            offset_ += static_cast<std::uint32_t>(i + 1);
            remaining_ -= i + 1;
            return copied + i + 1;
        }
        copied += step;
        remaining_ -= step;
        ++index_;
        offset_ = 0;
    }
    return 0;
}

ByteView SegmentCursor::view(std::uint64_t size) noexcept {
    if (size == 0 || index_ >= segments_.size()) return {};
    const std::span<HostSegment> rest = segments_.subspan(index_);
    rest[0].data += offset_;
    rest[0].len -= offset_;
    std::uint64_t left = size;
    std::size_t used = 0;
    while (left > 0 && used < rest.size()) {
        HostSegment& segment = rest[used++];
        if (segment.len > left) segment.len = static_cast<std::uint32_t>(left);
        left -= segment.len;
    }
    index_ = segments_.size();
    remaining_ = 0;
    return {rest.first(used), size - left};
}

} // namespace vfsproto::server
