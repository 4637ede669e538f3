// SPDX-License-Identifier: BSD-2-Clause
// The shared memory window of a device, as a file system sees it: a place to map pieces of host files into, for its client.
#pragma once

#include <cstdint>

namespace vfsproto::backends {

// A piece of a window, in bytes from its start. A client says it: every number is legal input.
struct WindowPiece {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

enum class WindowAccess : std::uint8_t { read, write };

// Any thread, also several at once. The calls return 0 or an errno.
class MappingSink {
public:
    MappingSink() = default;
    MappingSink(const MappingSink&) = delete;
    MappingSink& operator=(const MappingSink&) = delete;
    virtual ~MappingSink() = default;

    // Returns log2 of what the offset of a piece, in the window and in its file, and its length are multiples of.
    [[nodiscard]] virtual std::uint16_t alignment() const noexcept = 0;
    // True if the piece lies within the window, has bytes, and begins and ends where pieces may.
    [[nodiscard]] virtual bool fits(const WindowPiece& piece) const noexcept = 0;
    // Maps the bytes of a file, from `file_offset` on, in the place of whatever was mapped there. Keeps no descriptor. Errors:
    // EINVAL: the piece does not fit, or the offset is none; what mmap(2) says.
    [[nodiscard]] virtual int map(int fd, std::uint64_t file_offset, const WindowPiece& piece,
                                  WindowAccess access) noexcept = 0;
    // Leaves nothing mapped in this piece. Errors: EINVAL: it does not fit; ENOMEM: nobody knows what is mapped.
    [[nodiscard]] virtual int unmap(const WindowPiece& piece) noexcept = 0;
    // Leaves nothing mapped at all: the session has ended.
    virtual void unmap_all() noexcept = 0;
};

} // namespace vfsproto::backends
