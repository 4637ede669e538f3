// SPDX-License-Identifier: BSD-2-Clause
#include "memory.hpp"

#include <cstring>

namespace vfsproto::backends::vfio_pci {

Memory::~Memory() {
    for (const Run& run : runs_) source_->drop(run.region);
}

Refusal Memory::grow(std::size_t size) {
    std::vector<Region> found;
    if (Refusal why = source_->find_runs(size, found)) return why;
    for (const Region& region : found) {
        Run& run = runs_.emplace_back();
        run.region = region;
        run.free.add(0, region.size());
    }
    return {};
}

Refusal Memory::prepare(std::size_t bytes) {
    for (const Run& run : runs_) {
        if (run.free.largest() >= bytes) return {};
    }
    return grow(bytes);
}

Result<Region> Memory::take(std::size_t size) {
    for (Run& run : runs_) {
        const auto offset = run.free.take(size, kPage);
        if (!offset) continue;
        run.taken.emplace(*offset, size);
        return run.region.part(*offset, size);
    }
    return Errc::no_memory;
}

Result<Region> Memory::allocate(std::size_t bytes) {
    constexpr std::size_t kLargest = std::size_t{1} << 46;
    if (bytes == 0 || bytes > kLargest) return Errc::bad_argument;
    const std::size_t size = (bytes + kPage - 1) / kPage * kPage;
    if (const auto piece = take(size); piece) return piece;
    if (const Refusal why = grow(size)) return why.error;
    return take(size);
}

void Memory::release(const Region& piece) noexcept {
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
        if (!run->region.contains(piece.device(), piece.size())) continue;
        const std::uint64_t offset = to_number(piece.device()) - to_number(run->region.device());
        const auto taken = run->taken.find(offset);
        if (taken == run->taken.end()) return;
        // Memory that is handed out reads as zero. Punching a hole would not do: the device would keep the old pages.
        std::memset(run->region.host() + offset, 0, taken->second);
        run->free.add(offset, taken->second);
        run->taken.erase(taken);
        if (!run->taken.empty() || runs_.size() == 1) return;
        source_->drop(run->region);
        runs_.erase(run);
        return;
    }
}

std::size_t Memory::bytes() const noexcept {
    std::size_t sum = 0;
    for (const Run& run : runs_) sum += run.region.size();
    return sum;
}

} // namespace vfsproto::backends::vfio_pci
