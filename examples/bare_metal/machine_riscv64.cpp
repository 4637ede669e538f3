// SPDX-License-Identifier: BSD-2-Clause
// QEMU's "virt" machine for riscv64.
#include "machine.hpp"

namespace machine {
namespace {

// A 16550: data, and the line status with a bit for "room for more".
constexpr std::uintptr_t kUartData = 0x1000'0000;
constexpr std::uintptr_t kUartStatus = 0x1000'0005;
constexpr unsigned kUartEmpty = 1u << 5;
constexpr std::uintptr_t kTestDevice = 0x10'0000;
constexpr std::uint32_t kTestPass = 0x5555;
constexpr std::uint64_t kTicksPerMicrosecond = 10; // the machine's time base

} // namespace

const MmioSlots kMmioSlots{0x1000'1000, 0x1000, 0x1000, 8};
const PciBridge kPciBridge{0x3000'0000, 0x4000'0000, 0x4000'0000};

void put(char c) noexcept {
    while ((*reinterpret_cast<volatile std::uint8_t*>(kUartStatus) & kUartEmpty) == 0) {}
    *reinterpret_cast<volatile std::uint8_t*>(kUartData) = static_cast<std::uint8_t>(c);
}

std::uint64_t microseconds() noexcept {
    std::uint64_t ticks = 0;
    asm volatile("rdtime %0" : "=r"(ticks));
    return ticks / kTicksPerMicrosecond;
}

void power_off() noexcept {
    *reinterpret_cast<volatile std::uint32_t*>(kTestDevice) = kTestPass;
    for (;;) {}
}

} // namespace machine
