// SPDX-License-Identifier: BSD-2-Clause
// What the engine asks of any host, on top of machine.hpp: memory, registers, patience, interrupts, words for people.
#pragma once

#include "machine.hpp"

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/transport/registers.hpp"

#include <cstddef>
#include <cstdint>

namespace host {

// Addresses mean the same to the processor and to devices here, and nothing is cached: memory is reachable as it is.
// Never given back. Ends the run when there is none left.
[[nodiscard]] vfsproto::Region take_memory(std::size_t bytes) noexcept;

void print(const char* text) noexcept;
void print(const char* text, std::size_t length) noexcept;
void print_number(std::uint64_t number) noexcept;
void print_hex(std::uint32_t number) noexcept; // eight digits
[[noreturn]] void fail(const char* what, const char* why) noexcept;

// Registers at an address.
class MappedRegisters final : public vfsproto::Registers {
public:
    MappedRegisters() noexcept = default;
    MappedRegisters(std::uintptr_t base, std::uint64_t size) noexcept : base_(base), size_(size) {}

    std::uint8_t read8(std::uint64_t offset) noexcept override { return read<std::uint8_t>(offset); }
    std::uint16_t read16(std::uint64_t offset) noexcept override { return read<std::uint16_t>(offset); }
    std::uint32_t read32(std::uint64_t offset) noexcept override { return read<std::uint32_t>(offset); }
    void write8(std::uint64_t offset, std::uint8_t value) noexcept override { write(offset, value); }
    void write16(std::uint64_t offset, std::uint16_t value) noexcept override { write(offset, value); }
    void write32(std::uint64_t offset, std::uint32_t value) noexcept override { write(offset, value); }
    std::uint64_t size() const noexcept override { return size_; }

private:
    template <class T> volatile T& at(std::uint64_t offset) const noexcept {
        return *reinterpret_cast<volatile T*>(base_ + offset);
    }
    // What was stored to memory before is there when a doorbell rings, and nothing is looked at before its register was.
    template <class T> T read(std::uint64_t offset) const noexcept {
        const T value = vfsproto::little_endian(T{at<T>(offset)});
        vfsproto::platform_fence();
        return value;
    }
    template <class T> void write(std::uint64_t offset, T value) noexcept {
        vfsproto::platform_fence();
        at<T>(offset) = vfsproto::little_endian(value);
    }

    std::uintptr_t base_ = 0;
    std::uint64_t size_ = 0;
};

// A second, whatever one look costs.
class Second final : public vfsproto::Patience {
public:
    bool wait(std::uint32_t looks) noexcept override {
        const std::uint64_t now = machine::microseconds();
        if (looks == 0) begun_ = now;
        vfsproto::cpu_relax();
        return now - begun_ < 1'000'000;
    }

private:
    std::uint64_t begun_ = 0;
};

// There is one processor with one thing to do: it looks, and is not called.
class Polled final : public vfsproto::Interrupts {
public:
    std::uint16_t vectors() const noexcept override { return 0; }
    int wait_handle(std::uint16_t) const noexcept override { return -1; }
};

} // namespace host
