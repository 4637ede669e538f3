// SPDX-License-Identifier: BSD-2-Clause
// The engine asks these of any host; machine.hpp lies below: memory, registers, patience, interrupts, words for people.
#pragma once

#include "machine.hpp"

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/transport/mapped_registers.hpp"

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

// Returns the registers at an address.
[[nodiscard]] inline vfsproto::MappedRegisters registers_at(std::uintptr_t base, std::uint64_t size) noexcept {
    return {reinterpret_cast<std::byte*>(base), size}; // NOLINT(performance-no-int-to-ptr)
}

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
