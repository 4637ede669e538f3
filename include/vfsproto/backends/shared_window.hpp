// SPDX-License-Identifier: BSD-2-Clause
// The shared memory window of a device in this process: address space that a file system maps files into, and its client reads.
#pragma once

#include "vfsproto/backends/mapping_sink.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>

namespace vfsproto::backends {

// Bytes that are not mapped cannot be touched: they are reserved, and whoever touches them dies of SIGSEGV. Bytes beyond the end
// of a mapped file are SIGBUS.
class SharedWindow final : public MappingSink {
public:
    // Pieces begin and end at multiples of 2 MiB, as Linux asks for them. So a client can make no more mappings of the process than the
    // window has such units, whatever it maps in the place of what.
    static constexpr std::uint16_t kAlignment = 21;

    // Returns nullptr when there is no address space, or the size is no multiple of the alignment, or that is below a page.
    [[nodiscard]] static std::shared_ptr<SharedWindow> create(std::size_t bytes, std::uint16_t alignment = kAlignment) {
        const std::size_t unit = std::size_t{1} << alignment;
        if (bytes == 0 || bytes % unit != 0 || unit % page() != 0) return nullptr;
        // One unit more than is wanted holds a part that begins at a multiple of it.
        void* const all = ::mmap(nullptr, bytes + unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED) return nullptr;
        return std::shared_ptr<SharedWindow>(new SharedWindow({static_cast<std::byte*>(all), bytes + unit}, alignment));
    }
    ~SharedWindow() override { ::munmap(reserved_.data(), reserved_.size()); }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return window_; }

    [[nodiscard]] std::uint16_t alignment() const noexcept override { return alignment_; }
    [[nodiscard]] bool fits(const WindowPiece& piece) const noexcept override {
        if (!is_aligned(piece.offset) || piece.length == 0 || !is_aligned(piece.length)) return false;
        return piece.offset <= window_.size() && piece.length <= window_.size() - piece.offset;
    }
    [[nodiscard]] int map(int fd, std::uint64_t file_offset, const WindowPiece& piece,
                          WindowAccess access) noexcept override {
        if (!fits(piece) || !is_aligned(file_offset) || file_offset > INT64_MAX - piece.length) return EINVAL;
        const int protection = access == WindowAccess::write ? PROT_READ | PROT_WRITE : PROT_READ;
        return replace(piece, protection, MAP_SHARED, {fd, static_cast<off_t>(file_offset)});
    }
    [[nodiscard]] int unmap(const WindowPiece& piece) noexcept override {
        if (!fits(piece)) return EINVAL;
        return replace(piece, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, {});
    }
    void unmap_all() noexcept override { static_cast<void>(unmap({0, window_.size()})); }

private:
    struct Source {
        int fd = -1;
        off_t offset = 0;
    };

    SharedWindow(std::span<std::byte> reserved, std::uint16_t alignment) noexcept
        : reserved_(reserved), alignment_(alignment) {
        const std::size_t unit = std::size_t{1} << alignment;
        void* start = reserved.data();
        std::size_t room = reserved.size();
        const std::size_t length = room - unit;
        std::align(unit, length, start, room);
        window_ = {static_cast<std::byte*>(start), length};
    }

    [[nodiscard]] static std::size_t page() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
    [[nodiscard]] bool is_aligned(std::uint64_t offset) const noexcept {
        return (offset & ((std::uint64_t{1} << alignment_) - 1)) == 0;
    }
    // One call replaces what was there: nobody finds the place empty, or somebody else's.
    [[nodiscard]] int replace(const WindowPiece& piece, int protection, int flags, const Source& from) const noexcept {
        void* const at = window_.data() + piece.offset;
        return ::mmap(at, static_cast<std::size_t>(piece.length), protection, flags | MAP_FIXED, from.fd,
                      from.offset) == MAP_FAILED
                   ? errno
                   : 0;
    }

    std::span<std::byte> reserved_;
    std::span<std::byte> window_{};
    std::uint16_t alignment_;
};

} // namespace vfsproto::backends
