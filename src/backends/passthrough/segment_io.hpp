// SPDX-License-Identifier: BSD-2-Clause
// Positional input and output between a descriptor and the driver's own memory.
#pragma once

#include "vfsproto/fuse/server/detail/segment_cursor.hpp"

#include <cstdint>

namespace vfsproto::backends {

struct Transferred {
    std::uint64_t bytes = 0;
    int error = 0; // an errno. A READ that failed in its middle failed: fewer bytes would mean the end of the file.
                   // A WRITE that failed in its middle wrote what it wrote, and has none.
};

// Fills the segments from `offset` on, to the end of the file at most. No copy, no allocation, one system call unless
// the host is interrupted or there are more than IOV_MAX segments.
[[nodiscard]] Transferred read_segments(int fd, const server::ByteView& into, std::uint64_t offset) noexcept;
// Writes the segments at `offset`.
[[nodiscard]] Transferred write_segments(int fd, const server::ByteView& from, std::uint64_t offset) noexcept;
// Writes the segments to the end of the file, wherever the host finds that (RWF_APPEND). Each system call finds it anew:
// among several writers, more than IOV_MAX segments need not stay together.
[[nodiscard]] Transferred append_segments(int fd, const server::ByteView& from) noexcept;

} // namespace vfsproto::backends
