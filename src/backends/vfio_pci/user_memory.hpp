// SPDX-License-Identifier: BSD-2-Clause
// Memory of the program's own that a device behind an IOMMU may reach.
#pragma once

#include "dma_space.hpp"
#include "iova_space.hpp"

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"

#include <map>

namespace vfsproto::backends::vfio_pci {

// One owner at a time.
class UserMemory {
public:
    UserMemory(DmaSpace& space, IovaSpace& addresses) noexcept : space_(space), addresses_(addresses) {}
    ~UserMemory() {
        for (const auto& [iova, size] : mapped_) space_.unmap(size, iova);
    }
    UserMemory(const UserMemory&) = delete;
    UserMemory& operator=(const UserMemory&) = delete;

    // Errors: bad_argument (not whole pages), no_memory.
    [[nodiscard]] Result<Region> map(std::span<std::byte> memory) {
        const std::uint64_t granule = space_.granule();
        const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
        if (memory.empty() || start % granule != 0 || memory.size() % granule != 0) return Errc::bad_argument;
        if (mapped_.size() >= kMost || mapped_.size() >= space_.most_mappings() / 2) return Errc::no_memory;
        const auto iova = addresses_.take(memory.size(), granule);
        if (!iova) return Errc::no_memory;
        if (space_.map(memory.data(), memory.size(), *iova) < 0) {
            addresses_.give_back(*iova, memory.size());
            return Errc::no_memory;
        }
        mapped_.emplace(*iova, memory.size());
        return Region(memory.data(), DeviceAddr{*iova}, memory.size());
    }
    void unmap(const Region& region) noexcept {
        const auto at = mapped_.find(to_number(region.device()));
        if (at == mapped_.end() || at->second != region.size()) return;
        space_.unmap(region.size(), at->first);
        addresses_.give_back(at->first, at->second);
        mapped_.erase(at);
    }

private:
    static constexpr std::size_t kMost = 16384;

    DmaSpace& space_;
    IovaSpace& addresses_;
    std::map<std::uint64_t, std::size_t> mapped_; // by device address
};

} // namespace vfsproto::backends::vfio_pci
