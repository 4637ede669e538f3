// SPDX-License-Identifier: BSD-2-Clause
#include "windows.hpp"

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::uint64_t kPage = 4096;

} // namespace

Windows::~Windows() {
    for (const Mapping& mapping : mappings_) calls_->unmap(mapping.at, mapping.bytes);
}

// The pages it lies in, if the kernel maps them all.
std::byte* Windows::map(const Function& function, const BarWindow& where) {
    const BarRegion& bar = function.bar(where.bar);
    const std::uint64_t start = where.offset / kPage * kPage;
    const std::uint64_t end = (where.offset + where.length + kPage - 1) / kPage * kPage;
    for (const MappablePart& part : bar.mappable) {
        if (start < part.offset || end - part.offset > part.size) continue;
        std::byte* const at = calls_->map_file(function.device().get(), end - start, bar.offset + start, nullptr);
        if (at == nullptr) return nullptr;
        mappings_.push_back({at, end - start});
        return at + (where.offset - start);
    }
    return nullptr;
}

Registers* Windows::window(const Function& function, const BarWindow& where) {
    if (where.length == 0) return nullptr;
    if (std::byte* const at = map(function, where); at != nullptr) return &mapped_.emplace_back(at, where.length);
    const std::uint64_t start = function.bar(where.bar).offset + where.offset;
    return &by_calls_.emplace_back(*calls_, function.device().get(), start, where.length);
}

VirtioPciWindows Windows::open(const Function& function, const VirtioPciLayout& layout) {
    calls_ = &function.calls();
    VirtioPciWindows windows;
    windows.common = window(function, layout.common);
    windows.notify = window(function, layout.notify);
    windows.isr = window(function, layout.isr);
    windows.device = window(function, layout.device);
    windows.notify_multiplier = layout.notify_multiplier;
    windows.shared = layout.shared;
    windows.shared_count = layout.shared_count;
    return windows;
}

std::uint64_t Windows::writes() const noexcept {
    std::uint64_t sum = 0;
    for (const FileRegisters& registers : by_calls_) sum += registers.writes();
    return sum;
}

std::string Windows::describe() const {
    if (by_calls_.empty()) return "mapped";
    return mapped_.empty() ? "by system calls" : "some mapped, some by system calls";
}

} // namespace vfsproto::backends::vfio_pci
