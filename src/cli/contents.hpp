// SPDX-License-Identifier: BSD-2-Clause
// The bytes of a file, here or at the server, and how they get from one to the other with their holes.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace vfsproto::cli {

// Regular files keep holes. Pipes, terminals and devices take every zero.
enum class Kind : std::uint8_t { regular, other };

class Contents {
public:
    virtual ~Contents() = default;
    // Returns the bytes read; 0 at the end of the file.
    [[nodiscard]] virtual posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) = 0;
    // Writes all bytes, or fails.
    [[nodiscard]] virtual posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) = 0;
    // Seeks by SEEK_DATA or SEEK_HOLE; ENXIO where no more data follows.
    [[nodiscard]] virtual posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) = 0;
    [[nodiscard]] virtual posix::Failure truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Kind kind() const noexcept = 0;
};

class RemoteContents final : public Contents {
public:
    // `mount` and `file` must outlive the object.
    RemoteContents(posix::Mount& mount, const posix::File& file, Kind kind) : mount_(mount), file_(file), kind_(kind) {}
    posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) override {
        return mount_.read(file_, into, offset);
    }
    posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) override;
    posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) override {
        return mount_.seek(file_, offset, whence);
    }
    posix::Failure truncate(std::uint64_t size) override { return mount_.truncate(file_, size); }
    Kind kind() const noexcept override { return kind_; }

private:
    posix::Mount& mount_;
    const posix::File& file_;
    Kind kind_;
};

class LocalContents final : public Contents {
public:
    // in_order: the descriptor's own position is used, as a pipe or an inherited standard output needs.
    enum class Access : std::uint8_t { at_offsets, in_order };
    // The descriptor stays the caller's. A descriptor that cannot seek is used in order whatever `access` says.
    explicit LocalContents(int fd, Access access = Access::at_offsets) noexcept;
    posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) override;
    posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) override;
    posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) override;
    posix::Failure truncate(std::uint64_t size) override;
    Kind kind() const noexcept override { return kind_; }

private:
    int fd_;
    bool in_order_;
    Kind kind_ = Kind::other;
};

// Size and blocks as stat(2) or GETATTR gave them. They are hints: files of /proc say 0, files of /sys say 4096.
struct ContentsSize {
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0; // of 512 bytes
    std::uint64_t begin = 0;  // in bytes; the target holds everything before it
    [[nodiscard]] bool has_holes() const noexcept { return blocks < bytes / 512; }
};

// Says which side of a copy failed, if one did.
struct CopyResult {
    enum class Side : std::uint8_t { none, from, to } side = Side::none;
    posix::Failure failure{};
};

// Copies the source from `size.begin` until a read says that it ends, to a file that ends there. `size` decides how much
// to ask for and whether to look for holes; it never cuts or pads the copy. Holes are left out only where the target
// keeps them. Calls `moved(bytes)` after each piece; false stops the copy with EINTR.
[[nodiscard]] CopyResult copy_contents(Contents& from, Contents& to, const ContentsSize& size,
                                       std::span<std::byte> buffer, const std::function<bool(std::uint64_t)>& moved);

} // namespace vfsproto::cli
