// SPDX-License-Identifier: BSD-2-Clause
// One PCI function as VFIO shows it: its regions, its interrupts, its reset.
#pragma once

#include "dma_space.hpp"

#include <array>
#include <span>

namespace vfsproto::backends::vfio_pci {

// A part of a region that may be mapped.
struct MappablePart {
    std::uint64_t offset = 0; // in the region
    std::uint64_t size = 0;
};

struct BarRegion {
    std::uint64_t size = 0;   // bytes; 0: not there
    std::uint64_t offset = 0; // where its bytes are in the device's file
    std::vector<MappablePart> mappable;
};

// Numbers of VFIO's for the kinds of interrupts.
enum class InterruptKind : std::uint32_t { line = 0, msi = 1, msix = 2, error = 3, request = 4 };

// One owner at a time, but for raise_* and what says so.
class Function {
public:
    static constexpr std::size_t kBars = 6;
    static constexpr std::uint16_t kMemory = 2; // bits of the command register
    static constexpr std::uint16_t kMaster = 4;

    Function() = default;
    Function(Calls& calls, Handle device) : calls_(&calls), device_(std::move(device)) {}
    Function(Function&&) noexcept = default;
    Function& operator=(Function&&) noexcept = default;

    // Asks what there is. Errors: transport_failed.
    [[nodiscard]] Refusal look();

    [[nodiscard]] const Handle& device() const noexcept { return device_; }
    [[nodiscard]] Calls& calls() const noexcept { return *calls_; }
    [[nodiscard]] const BarRegion& bar(std::size_t number) const noexcept { return bars_[number]; }
    [[nodiscard]] std::array<std::uint64_t, kBars> bar_sizes() const noexcept;
    [[nodiscard]] const BarRegion& config() const noexcept { return config_; }

    // Sets these bits of the command register, or takes them away. Any thread. False when it cannot be done.
    bool enable(std::uint16_t command_bits) const noexcept;
    bool disable(std::uint16_t command_bits) const noexcept;

    // Returns how many interrupts of a kind there are; 0 also if they cannot signal an eventfd.
    [[nodiscard]] std::uint32_t interrupts(InterruptKind kind) const noexcept;
    // Signals these eventfds for the interrupts from `first` on. Returns 0, the number there are when that is fewer, or
    // a negated errno.
    [[nodiscard]] int wire(InterruptKind kind, std::uint32_t first, std::span<const int> events) const noexcept;
    void unwire(InterruptKind kind) const noexcept;
    // A line is masked by the kernel when it was raised. Any thread.
    [[nodiscard]] bool unmask_line() const noexcept;

    // Resets the function, if it can be reset. Returns 0 or a negated errno.
    int reset() const noexcept;
    void close() noexcept { device_.close(); }

private:
    [[nodiscard]] int look_at_region(std::uint32_t index, BarRegion& region);
    bool change_command(std::uint16_t set, std::uint16_t clear) const noexcept;

    Calls* calls_ = nullptr;
    Handle device_;
    std::array<BarRegion, kBars> bars_{};
    BarRegion config_;
    std::uint32_t interrupt_kinds_ = 0;
    bool resettable_ = false;
};

} // namespace vfsproto::backends::vfio_pci
