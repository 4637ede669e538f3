// SPDX-License-Identifier: BSD-2-Clause
// Registers behind system calls; those of a mapped BAR are MappedRegisters.
#pragma once

#include "calls.hpp"

#include "vfsproto/base/endian.hpp"
#include "vfsproto/base/fence.hpp"
#include "vfsproto/transport/mapped_registers.hpp"

#include <atomic>

namespace vfsproto::backends::vfio_pci {

// A part of a region that the kernel reads and writes for us: configuration space, or a BAR that cannot be mapped.
class FileRegisters final : public Registers {
public:
    // `fd` is not owned.
    FileRegisters(Calls& calls, int fd, std::uint64_t start, std::uint64_t size) noexcept
        : calls_(calls), fd_(fd), start_(start), size_(size) {}

    std::uint8_t read8(std::uint64_t offset) noexcept override { return read<std::uint8_t>(offset); }
    std::uint16_t read16(std::uint64_t offset) noexcept override { return read<std::uint16_t>(offset); }
    std::uint32_t read32(std::uint64_t offset) noexcept override { return read<std::uint32_t>(offset); }
    void write8(std::uint64_t offset, std::uint8_t value) noexcept override { write(offset, value); }
    void write16(std::uint64_t offset, std::uint16_t value) noexcept override { write(offset, value); }
    void write32(std::uint64_t offset, std::uint32_t value) noexcept override { write(offset, value); }
    std::uint64_t size() const noexcept override { return size_; }

    // System calls made to write. Any thread.
    [[nodiscard]] std::uint64_t writes() const noexcept { return writes_.load(std::memory_order_relaxed); }

private:
    template <class T> [[nodiscard]] T read(std::uint64_t offset) noexcept {
        T value = 0;
        const ssize_t got = calls_.read_at(fd_, &value, sizeof value, start_ + offset);
        return got == static_cast<ssize_t>(sizeof value) ? little_endian(value) : static_cast<T>(~T{0});
    }
    template <class T> void write(std::uint64_t offset, T value) noexcept {
        device_write_fence();
        const T bytes = little_endian(value);
        static_cast<void>(calls_.write_at(fd_, &bytes, sizeof bytes, start_ + offset));
        writes_.fetch_add(1, std::memory_order_relaxed);
    }

    Calls& calls_;
    int fd_;
    std::uint64_t start_;
    std::uint64_t size_;
    std::atomic<std::uint64_t> writes_{0};
};

} // namespace vfsproto::backends::vfio_pci
