// SPDX-License-Identifier: BSD-2-Clause
#include "segment_io.hpp"

#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::backends {

namespace {

constexpr std::size_t kVectors = IOV_MAX;

// The place in a list of segments where a transfer goes on.
struct Position {
    std::size_t segment = 0;
    std::uint32_t offset = 0;
};

std::size_t fill(struct iovec* vectors, std::span<const HostSegment> segments, Position from) noexcept {
    std::size_t count = 0;
    for (std::size_t i = from.segment; i < segments.size() && count < kVectors; ++i) {
        const std::uint32_t skip = i == from.segment ? from.offset : 0;
        if (segments[i].len == skip) continue;
        vectors[count++] = {segments[i].data + skip, segments[i].len - skip};
    }
    return count;
}

void advance(std::span<const HostSegment> segments, Position& position, std::uint64_t bytes) noexcept {
    while (bytes > 0) {
        const std::uint32_t here = segments[position.segment].len - position.offset;
        if (bytes < here) {
            position.offset += static_cast<std::uint32_t>(bytes);
            return;
        }
        bytes -= here;
        ++position.segment;
        position.offset = 0;
    }
}

using Vectored = ssize_t (*)(int, const struct iovec*, int, off_t);

Transferred transfer(int fd, const server::ByteView& view, std::uint64_t offset, Vectored call,
                     std::uint64_t done) noexcept {
    Position position;
    advance(view.segments, position, done);
    struct iovec vectors[kVectors]; // NOLINT: filled as far as it is used
    while (done < view.size) {
        const std::size_t count = fill(vectors, view.segments, position);
        const ssize_t bytes = call(fd, vectors, static_cast<int>(count), static_cast<off_t>(offset + done));
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0) return {done, errno};
        if (bytes == 0) break;
        done += static_cast<std::uint64_t>(bytes);
        advance(view.segments, position, static_cast<std::uint64_t>(bytes));
    }
    return {done, 0};
}

bool is_one_segment(const server::ByteView& view) noexcept { return view.segments.size() == 1; }

ssize_t append(int fd, const struct iovec* vectors, int count, off_t) noexcept {
    constexpr off_t kIgnored = 0;
    return ::pwritev2(fd, vectors, count, kIgnored, RWF_APPEND);
}

// A WRITE that failed in its middle reports what it wrote.
Transferred written(const Transferred& done) noexcept { return {done.bytes, done.bytes == 0 ? done.error : 0}; }

} // namespace

Transferred read_segments(int fd, const server::ByteView& into, std::uint64_t offset) noexcept {
    if (!is_one_segment(into)) return transfer(fd, into, offset, ::preadv, 0);
    const ssize_t bytes = ::pread(fd, into.segments[0].data, into.size, static_cast<off_t>(offset));
    if (bytes < 0 && errno != EINTR) return {0, errno};
    const std::uint64_t done = bytes < 0 ? 0 : static_cast<std::uint64_t>(bytes);
    if (done == into.size || bytes == 0) return {done, 0};
    return transfer(fd, into, offset, ::preadv, done);
}

Transferred write_segments(int fd, const server::ByteView& from, std::uint64_t offset) noexcept {
    std::uint64_t done = 0;
    if (is_one_segment(from)) {
        const ssize_t bytes = ::pwrite(fd, from.segments[0].data, from.size, static_cast<off_t>(offset));
        if (bytes < 0 && errno != EINTR) return {0, errno};
        done = bytes < 0 ? 0 : static_cast<std::uint64_t>(bytes);
        if (done == from.size) return {done, 0};
    }
    return written(transfer(fd, from, offset, ::pwritev, done));
}

Transferred append_segments(int fd, const server::ByteView& from) noexcept {
    return written(transfer(fd, from, 0, append, 0));
}

} // namespace vfsproto::backends
