// SPDX-License-Identifier: BSD-2-Clause
#include "pci_function.hpp"

namespace host {
namespace {

constexpr std::uint64_t kFunctionBytes = 4096; // of configuration space
constexpr unsigned kFunctions = 256;           // of one bus
constexpr std::uint64_t kCommand = 0x04;
// INTx stays on although nobody listens: without any interrupt QEMU takes a queue's call eventfd away for a moment while
// it starts the device, and virtiofsd ends when it has something to say in that moment.
constexpr std::uint16_t kMemoryAndMaster = 0x0006;
constexpr std::uint64_t kFirstBar = 0x10;
constexpr std::uint32_t kBarIsPort = 1;
constexpr std::uint32_t kBarIs64 = 4;
constexpr std::uint32_t kBarBits = 15;

} // namespace

bool PciFunction::find(std::uint16_t vendor, std::uint16_t device) noexcept {
    if (machine::kPciBridge.ecam == 0) return false;
    for (unsigned i = 0; i < kFunctions; ++i) {
        config_ = registers_at(machine::kPciBridge.ecam + i * kFunctionBytes, kFunctionBytes);
        if (config_.read16(0) != vendor || config_.read16(2) != device) continue;
        place_bars();
        config_.write16(kCommand, kMemoryAndMaster);
        return true;
    }
    return false;
}

void PciFunction::place_bars() noexcept {
    std::uint64_t next = machine::kPciBridge.memory;
    for (std::size_t bar = 0; bar < sizes_.size(); ++bar) {
        const std::uint64_t at = kFirstBar + 4 * bar;
        config_.write32(at, 0xffffffff); // the bits that do not stick are its size
        const std::uint32_t mask = config_.read32(at);
        if (mask == 0 || (mask & kBarIsPort) != 0) continue;
        const std::uint64_t size = ~(mask & ~kBarBits) + std::uint64_t{1}; // above 4 GiB there is no room anyway
        next = (next + size - 1) & ~(size - 1);
        config_.write32(at, static_cast<std::uint32_t>(next));
        sizes_[bar] = size;
        places_[bar] = next;
        next += size;
        if ((mask & kBarIs64) != 0) config_.write32(kFirstBar + 4 * ++bar, 0);
    }
}

vfsproto::Registers* PciFunction::window(vfsproto::MappedRegisters& registers,
                                         const vfsproto::BarWindow& where) const noexcept {
    if (where.length == 0) return nullptr;
    registers = registers_at(places_[where.bar] + where.offset, where.length);
    return &registers;
}

vfsproto::Errc PciFunction::map(vfsproto::VirtioPciWindows& windows) noexcept {
    const auto layout = vfsproto::find_virtio_structures(config_, sizes_);
    if (!layout) return layout.error();
    windows.common = window(common_, layout->common);
    windows.notify = window(notify_, layout->notify);
    windows.isr = window(isr_, layout->isr);
    windows.device = window(device_, layout->device);
    windows.notify_multiplier = layout->notify_multiplier;
    windows.shared = layout->shared;
    windows.shared_count = layout->shared_count;
    return vfsproto::Errc::ok;
}

} // namespace host
