// SPDX-License-Identifier: BSD-2-Clause
#include "function.hpp"

#include "explain.hpp"

#include <linux/vfio.h>

#include <cerrno>
#include <cstring>

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::uint64_t kCommand = 4; // in configuration space
constexpr std::uint32_t kLargestAnswer = 64 * 1024;

// The whole of what the kernel says of a region, its capabilities included; empty when it does not.
std::vector<std::byte> ask_for_region(const Handle& device, std::uint32_t index, int& error) {
    vfio_region_info info{};
    info.argsz = sizeof info;
    info.index = index;
    error = device.ask(VFIO_DEVICE_GET_REGION_INFO, &info);
    if (error < 0) return {};
    const std::uint32_t size = info.argsz;
    std::vector<std::byte> answer(size > sizeof info && size <= kLargestAnswer ? size : sizeof info);
    if (answer.size() > sizeof info) {
        info = {};
        info.argsz = static_cast<std::uint32_t>(answer.size());
        info.index = index;
        std::memcpy(answer.data(), &info, sizeof info);
        error = device.ask(VFIO_DEVICE_GET_REGION_INFO, answer.data());
        return answer;
    }
    std::memcpy(answer.data(), &info, sizeof info);
    return answer;
}

template <class T> bool copy_part(const std::vector<std::byte>& answer, std::size_t offset, T& out) noexcept {
    if (offset > answer.size() || sizeof out > answer.size() - offset) return false;
    std::memcpy(&out, answer.data() + offset, sizeof out);
    return true;
}

bool lies_in(const BarRegion& region, const MappablePart& part) noexcept {
    return part.size != 0 && part.offset <= region.size && part.size <= region.size - part.offset;
}

// The parts a sparse region has. False when it is not sparse: then all of it can be mapped.
bool take_sparse_parts(const std::vector<std::byte>& answer, std::uint32_t offset, BarRegion& region) {
    for (unsigned seen = 0; offset != 0 && seen < 64; ++seen) {
        vfio_info_cap_header header{};
        if (!copy_part(answer, offset, header)) return false;
        if (header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
            vfio_region_info_cap_sparse_mmap sparse{};
            if (!copy_part(answer, offset, sparse)) return true;
            for (std::uint32_t i = 0; i < sparse.nr_areas; ++i) {
                vfio_region_sparse_mmap_area area{};
                if (!copy_part(answer, offset + sizeof sparse + i * sizeof area, area)) break;
                const MappablePart part{area.offset, area.size};
                if (lies_in(region, part)) region.mappable.push_back(part);
            }
            return true;
        }
        offset = header.next;
    }
    return false;
}

} // namespace

int Function::look_at_region(std::uint32_t index, BarRegion& region) {
    int error = 0;
    const std::vector<std::byte> answer = ask_for_region(device_, index, error);
    if (error < 0) return error;
    vfio_region_info info{};
    if (!copy_part(answer, 0, info)) return -EPROTO;
    region = {};
    constexpr std::uint32_t kReachable = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    if ((info.flags & kReachable) != kReachable) return 0;
    region.size = info.size;
    region.offset = info.offset;
    if ((info.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0 || region.size == 0) return 0;
    const bool has_caps = (info.flags & VFIO_REGION_INFO_FLAG_CAPS) != 0;
    if (!has_caps || !take_sparse_parts(answer, info.cap_offset, region)) region.mappable = {{0, region.size}};
    return 0;
}

Refusal Function::look() {
    vfio_device_info info{};
    info.argsz = sizeof info;
    if (const int error = device_.ask(VFIO_DEVICE_GET_INFO, &info); error < 0) {
        return {Errc::transport_failed, explain("VFIO says nothing of the device", error)};
    }
    if ((info.flags & VFIO_DEVICE_FLAGS_PCI) == 0 || info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX) {
        return {Errc::transport_failed, "VFIO says that it is no PCI device"};
    }
    resettable_ = (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
    interrupt_kinds_ = info.num_irqs;
    for (std::uint32_t i = 0; i < kBars; ++i) {
        // One that cannot be asked about is as good as not there.
        if (look_at_region(VFIO_PCI_BAR0_REGION_INDEX + i, bars_[i]) < 0) bars_[i] = {};
    }
    if (const int error = look_at_region(VFIO_PCI_CONFIG_REGION_INDEX, config_); error < 0) {
        return {Errc::transport_failed, explain("VFIO gives no configuration space", error)};
    }
    if (config_.size < 256) return {Errc::transport_failed, "VFIO gives no configuration space"};
    return {};
}

std::array<std::uint64_t, Function::kBars> Function::bar_sizes() const noexcept {
    std::array<std::uint64_t, kBars> sizes{};
    for (std::size_t i = 0; i < kBars; ++i) sizes[i] = bars_[i].size;
    return sizes;
}

bool Function::change_command(std::uint16_t set, std::uint16_t clear) const noexcept {
    std::uint8_t bytes[2]{};
    const std::uint64_t at = config_.offset + kCommand;
    if (calls_->read_at(device_.get(), bytes, 2, at) != 2) return false;
    auto command = static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8);
    command = static_cast<std::uint16_t>((command | set) & ~clear);
    bytes[0] = static_cast<std::uint8_t>(command);
    bytes[1] = static_cast<std::uint8_t>(command >> 8);
    return calls_->write_at(device_.get(), bytes, 2, at) == 2;
}

bool Function::enable(std::uint16_t command_bits) const noexcept { return change_command(command_bits, 0); }
bool Function::disable(std::uint16_t command_bits) const noexcept { return change_command(0, command_bits); }

std::uint32_t Function::interrupts(InterruptKind kind) const noexcept {
    const auto index = static_cast<std::uint32_t>(kind);
    if (index >= interrupt_kinds_) return 0;
    vfio_irq_info info{};
    info.argsz = sizeof info;
    info.index = index;
    if (device_.ask(VFIO_DEVICE_GET_IRQ_INFO, &info) < 0) return 0;
    return (info.flags & VFIO_IRQ_INFO_EVENTFD) != 0 ? info.count : 0;
}

int Function::wire(InterruptKind kind, std::uint32_t first, std::span<const int> events) const noexcept {
    constexpr std::size_t kMost = 2048; // a function's MSI-X table has no more
    if (events.empty() || events.size() > kMost) return -EINVAL;
    alignas(vfio_irq_set) std::byte request[sizeof(vfio_irq_set) + kMost * sizeof(int)];
    vfio_irq_set head{};
    head.argsz = static_cast<std::uint32_t>(sizeof head + events.size_bytes());
    head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    head.index = static_cast<std::uint32_t>(kind);
    head.start = first;
    head.count = static_cast<std::uint32_t>(events.size());
    std::memcpy(request, &head, sizeof head);
    std::memcpy(request + sizeof head, events.data(), events.size_bytes());
    return device_.ask(VFIO_DEVICE_SET_IRQS, request);
}

void Function::unwire(InterruptKind kind) const noexcept {
    vfio_irq_set request{};
    request.argsz = sizeof request;
    request.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
    request.index = static_cast<std::uint32_t>(kind);
    static_cast<void>(device_.ask(VFIO_DEVICE_SET_IRQS, &request)); // ends with the descriptor at the latest
}

bool Function::unmask_line() const noexcept {
    vfio_irq_set request{};
    request.argsz = sizeof request;
    request.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
    request.index = VFIO_PCI_INTX_IRQ_INDEX;
    request.count = 1;
    return device_.ask(VFIO_DEVICE_SET_IRQS, &request) >= 0;
}

int Function::reset() const noexcept {
    if (!resettable_) return 0;
    return device_.ask(VFIO_DEVICE_RESET);
}

} // namespace vfsproto::backends::vfio_pci
