// SPDX-License-Identifier: BSD-2-Clause
// QEMU's "virt" machine for aarch64.
#include "machine.hpp"

namespace machine {
namespace {

volatile std::uint32_t& word(std::uintptr_t address) noexcept {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
}

// A PL011: data, and a flag while its queue is full.
constexpr std::uintptr_t kUartData = 0x0900'0000;
constexpr std::uintptr_t kUartFlags = 0x0900'0018;
constexpr std::uint32_t kUartFull = 1u << 5;

} // namespace

const MmioSlots kMmioSlots{0x0a00'0000, 0x200, 0x200, 32};
const PciBridge kPciBridge{0x40'1000'0000, 0x1000'0000, 0x2eff'0000};

void put(char c) noexcept {
    while ((word(kUartFlags) & kUartFull) != 0) {}
    word(kUartData) = static_cast<unsigned char>(c);
}

std::uint64_t microseconds() noexcept {
    std::uint64_t ticks = 0;
    std::uint64_t frequency = 0; // of the generic timer, in Hz
    asm volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks));
    asm volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return ticks * 1000 / (frequency / 1000);
}

void power_off() noexcept {
    register std::uint64_t function asm("x0") = 0x8400'0008; // PSCI SYSTEM_OFF
    asm volatile("hvc #0" : "+r"(function) : : "memory");
    for (;;) {}
}

} // namespace machine
