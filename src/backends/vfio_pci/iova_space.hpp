// SPDX-License-Identifier: BSD-2-Clause
// Device addresses to give away: only such as the IOMMU takes, never what is reserved (interrupt windows and the like).
#pragma once

#include "dma_space.hpp"
#include "free_ranges.hpp"

namespace vfsproto::backends::vfio_pci {

class IovaSpace {
public:
    // IovaSpace gives no lower address, so that a zero or a small number used as an address reaches nothing.
    static constexpr std::uint64_t kFirst = std::uint64_t{1} << 20;
    // Bytes left unmapped behind each piece, so that a device that overruns it hits nothing. A multiple of every page size.
    static constexpr std::uint64_t kGap = std::uint64_t{2} << 20;

    // The ranges are ascending; what overlaps counts once.
    explicit IovaSpace(const std::vector<AddressRange>& usable) {
        std::uint64_t next = kFirst;
        for (const AddressRange& range : usable) {
            const std::uint64_t start = range.start > next ? range.start : next;
            if (range.last < start) continue;
            free_.add(start, range.last - start + 1);
            if (range.last == ~std::uint64_t{0}) break;
            next = range.last + 1;
        }
    }

    // Takes `size` addresses that start at a multiple of `alignment`, a power of two. Returns nothing when there is no
    // room.
    [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t size, std::uint64_t alignment) {
        return free_.take(size + kGap, alignment);
    }
    void give_back(std::uint64_t start, std::uint64_t size) { free_.add(start, size + kGap); }

private:
    FreeRanges free_;
};

} // namespace vfsproto::backends::vfio_pci
