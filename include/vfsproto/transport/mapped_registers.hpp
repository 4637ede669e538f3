// SPDX-License-Identifier: BSD-2-Clause
// Registers behind a mapping of the host.
#pragma once

#include "vfsproto/base/endian.hpp"
#include "vfsproto/base/fence.hpp"
#include "vfsproto/transport/registers.hpp"

#include <cstddef>

namespace vfsproto {

// A window of mapped registers. Does not own the mapping. The caller bounds every offset by size(). Any context.
class MappedRegisters final : public Registers {
public:
    MappedRegisters() noexcept = default;
    // `at`: where the host has mapped the window. `size`: bytes.
    MappedRegisters(std::byte* at, std::uint64_t size) noexcept : at_(at), size_(size) {}

    [[nodiscard]] std::uint8_t read8(std::uint64_t offset) noexcept override { return read<std::uint8_t>(offset); }
    [[nodiscard]] std::uint16_t read16(std::uint64_t offset) noexcept override { return read<std::uint16_t>(offset); }
    [[nodiscard]] std::uint32_t read32(std::uint64_t offset) noexcept override { return read<std::uint32_t>(offset); }
    void write8(std::uint64_t offset, std::uint8_t value) noexcept override { write(offset, value); }
    void write16(std::uint64_t offset, std::uint16_t value) noexcept override { write(offset, value); }
    void write32(std::uint64_t offset, std::uint32_t value) noexcept override { write(offset, value); }
    [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }

private:
    template <class T> [[nodiscard]] T read(std::uint64_t offset) noexcept {
        const T value = load_relaxed(*static_cast<const Le<T>*>(static_cast<void*>(at_ + offset)));
        device_read_fence();
        return value;
    }
    template <class T> void write(std::uint64_t offset, T value) noexcept {
        device_write_fence();
        store_relaxed(*static_cast<Le<T>*>(static_cast<void*>(at_ + offset)), value);
    }

    std::byte* at_ = nullptr;
    std::uint64_t size_ = 0;
};

} // namespace vfsproto
