// SPDX-License-Identifier: BSD-2-Clause
// Reads a byte stream that a driver scattered over segments.
#pragma once

#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/base/segment.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::server {

// Names bytes that stay where the driver put them: for pwritev, preadv and the like. The sum of the segments' lengths is `size`.
// The memory can change while it is read; the list of segments cannot.
struct ByteView {
    std::span<const HostSegment> segments{};
    std::uint64_t size = 0; // bytes

    // Copies the bytes from `offset` on, as many as there are and fit. Returns how many. Any context.
    std::size_t copy_to(std::span<std::byte> room, std::uint64_t offset = 0) const noexcept;
};

// Reads forward. The segments are the lane's own list (not memory of the driver): view() trims them in place, which
// costs no second list. One owner; lives as long as one request.
class SegmentCursor {
public:
    SegmentCursor() noexcept = default;
    explicit SegmentCursor(std::span<HostSegment> segments) noexcept
        : segments_(segments), remaining_(total_length(std::span<const HostSegment>(segments))) {}

    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; } // bytes
    // Forgets everything beyond the next `bytes`.
    void limit(std::uint64_t bytes) noexcept { remaining_ = bytes < remaining_ ? bytes : remaining_; }

    // Copies the next `size` bytes. Returns false, and consumes nothing, when there are fewer.
    [[nodiscard]] bool read(void* to, std::size_t size) noexcept {
        if (size > remaining_) return false;
        if (index_ < segments_.size() && size <= segments_[index_].len - offset_) {
            copy_from_peer(to, segments_[index_].data + offset_, size);
            offset_ += static_cast<std::uint32_t>(size);
            remaining_ -= size;
            return true;
        }
        read_across(static_cast<std::byte*>(to), size);
        return true;
    }

    // Copies up to `room` bytes up to and including the next NUL. Returns the bytes copied with the NUL, 0 when there is
    // none within `room` (what was consumed then is unspecified).
    [[nodiscard]] std::size_t read_string(char* to, std::size_t room) noexcept;

    // Returns the next `size` bytes where they lie; the cursor is at its end afterwards. The caller has checked remaining().
    [[nodiscard]] ByteView view(std::uint64_t size) noexcept;

private:
    void read_across(std::byte* to, std::size_t size) noexcept;

    std::span<HostSegment> segments_{};
    std::size_t index_ = 0;
    std::uint32_t offset_ = 0; // inside segments_[index_]
    std::uint64_t remaining_ = 0;
};

// Takes fixed-size records out of a view one by one, each copied once.
template <class Record> class RecordReader {
public:
    explicit RecordReader(const ByteView& from) noexcept : from_(from) {}

    [[nodiscard]] std::uint64_t left() const noexcept { return (from_.size - taken_) / sizeof(Record); }
    [[nodiscard]] bool next(Record& out) noexcept;

private:
    ByteView from_{};
    std::uint64_t taken_ = 0;
    std::size_t index_ = 0;
    std::uint32_t offset_ = 0;
};

namespace detail {
// Copies `size` bytes from position (index, offset) of `segments` and advances it. The caller has checked that they are
// there.
void copy_out(std::span<const HostSegment> segments, std::size_t& index, std::uint32_t& offset, std::byte* to,
              std::size_t size) noexcept;
// Does the same the other way: writes there.
void copy_in(std::span<const HostSegment> segments, std::size_t& index, std::uint32_t& offset, const void* from,
             std::size_t size) noexcept;
} // namespace detail

template <class Record> bool RecordReader<Record>::next(Record& out) noexcept {
    if (left() == 0) return false;
    std::byte bytes[sizeof(Record)];
    detail::copy_out(from_.segments, index_, offset_, bytes, sizeof(Record));
    __builtin_memcpy(&out, bytes, sizeof(Record));
    taken_ += sizeof(Record);
    return true;
}

} // namespace vfsproto::server
