// SPDX-License-Identifier: BSD-2-Clause
// The bytes of one file in a memfd, so that they can be mapped: what is written to mapped memory is what is read here, and the other
// way round. It is not sealed, as its size is the file's, and its descriptor is given to nobody who keeps it.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::backends {

class ContentFile {
public:
    // Makes it, without bytes. Returns 0 or an errno.
    [[nodiscard]] int create() noexcept;
    void close() noexcept { fd_.close(); }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    // False if the host fails. [offset, offset + count) lies within the file.
    [[nodiscard]] bool read(std::uint64_t offset, std::byte* to, std::size_t count) const noexcept;
    // Grows the file as needed. Returns the bytes written: fewer when the host has no memory.
    std::size_t write(std::uint64_t offset, const std::byte* from, std::size_t count) noexcept;
    [[nodiscard]] bool resize(std::uint64_t size) noexcept;
    // Makes [from, to) read as zeros. False if the host fails.
    [[nodiscard]] bool punch(std::uint64_t from, std::uint64_t to) noexcept;
    // Makes what lies behind the end in its last page read as zeros, before the file grows: a client can have written there, through a
    // mapping.
    [[nodiscard]] bool clear_behind(std::uint64_t size) noexcept;

private:
    FileDescriptor fd_;
};

} // namespace vfsproto::backends
