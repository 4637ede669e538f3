// SPDX-License-Identifier: BSD-2-Clause
// The addresses a device may use, and what memory stands behind them: a VFIO container's domain, or an IOMMUFD's.
#pragma once

#include "calls.hpp"

#include "vfsproto/base/errc.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vfsproto::backends::vfio_pci {

// Says why something could not be done: an error, and one line for people. True in a condition if something was refused:
// if (Refusal why = function.look()) return why;
struct Refusal {
    Errc error = Errc::ok;
    std::string message;

    [[nodiscard]] explicit operator bool() const noexcept { return happened(); }
    [[nodiscard]] bool happened() const noexcept { return error != Errc::ok; }
};

struct AddressRange {
    std::uint64_t start = 0;
    std::uint64_t last = 0; // inclusive
};

enum class Guard : std::uint8_t {
    iommu, // the device reaches what was mapped, and nothing else
    none,  // the device reaches all of the machine's memory, by physical addresses
};

// One owner at a time.
class DmaSpace {
public:
    virtual ~DmaSpace() = default;

    // Lets the device read and write this memory at `iova`, and pins it. All three are multiples of granule(). Returns 0
    // or a negated errno. Without an IOMMU there is nothing to be told and nothing is pinned.
    [[nodiscard]] virtual int map(std::byte* memory, std::size_t bytes, std::uint64_t iova) noexcept = 0;
    virtual void unmap(std::size_t bytes, std::uint64_t iova) noexcept = 0;

    // Returns the device addresses that map() accepts, ascending.
    [[nodiscard]] virtual const std::vector<AddressRange>& usable() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t granule() const noexcept = 0; // bytes, a power of two
    // Returns how many mappings there may be at a time.
    [[nodiscard]] virtual std::size_t most_mappings() const noexcept = 0;
    [[nodiscard]] virtual Guard guard() const noexcept = 0;
    // Returns the name for people: "group 12, IOMMU type 1".
    [[nodiscard]] virtual const std::string& name() const noexcept = 0;
};

// A device of VFIO, and the address space it was put into. Members go in the right order: the device first.
struct Attached {
    std::unique_ptr<DmaSpace> space;
    Handle device;
    Refusal refusal;
};

} // namespace vfsproto::backends::vfio_pci
