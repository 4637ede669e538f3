// SPDX-License-Identifier: BSD-2-Clause
// The bytes of a file, here or at the server, and how they get from one to the other with their holes.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace vfsproto::cli {

class Contents {
public:
    virtual ~Contents() = default;
    // 0 = the end.
    [[nodiscard]] virtual posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) = 0;
    // All of it, or a failure.
    [[nodiscard]] virtual posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) = 0;
    // SEEK_DATA or SEEK_HOLE; ENXIO where there is no data any more.
    [[nodiscard]] virtual posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) = 0;
    [[nodiscard]] virtual posix::Failure truncate(std::uint64_t size) = 0;
};

class RemoteContents final : public Contents {
public:
    // Both must outlive it.
    RemoteContents(posix::Mount& mount, const posix::File& file) : mount_(mount), file_(file) {}
    posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) override {
        return mount_.read(file_, into, offset);
    }
    posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) override;
    posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) override {
        return mount_.seek(file_, offset, whence);
    }
    posix::Failure truncate(std::uint64_t size) override { return mount_.truncate(file_, size); }

private:
    posix::Mount& mount_;
    const posix::File& file_;
};

class LocalContents final : public Contents {
public:
    // The descriptor stays the caller's. A pipe, which cannot seek, is read and written in order.
    explicit LocalContents(int fd) : fd_(fd) {}
    posix::Expected<std::uint64_t> read(std::span<std::byte> into, std::uint64_t offset) override;
    posix::Failure write(std::span<const std::byte> from, std::uint64_t offset) override;
    posix::Expected<std::uint64_t> seek(std::uint64_t offset, std::uint32_t whence) override;
    posix::Failure truncate(std::uint64_t size) override;

private:
    int fd_;
    bool in_order_ = false;
};

struct ContentsSize {
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0; // of 512 bytes
    [[nodiscard]] bool has_holes() const noexcept { return blocks < bytes / 512; }
};

// Says which side of a copy failed, if one did.
struct CopyResult {
    enum class Side : std::uint8_t { none, from, to } side = Side::none;
    posix::Failure failure{};
};

// Copies all of it to an empty file. `size` is what the source had when it was looked at: it says how much to ask for and
// whether to look for holes, not where to stop. `moved(bytes)` is called after each piece; false = stop.
[[nodiscard]] CopyResult copy_contents(Contents& from, Contents& to, const ContentsSize& size,
                                       std::span<std::byte> buffer, const std::function<bool(std::uint64_t)>& moved);

} // namespace vfsproto::cli
