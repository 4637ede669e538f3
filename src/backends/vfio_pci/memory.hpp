// SPDX-License-Identifier: BSD-2-Clause
// Memory for the device, mapped in large runs and handed out in pages: an IOMMU has only so many mappings.
#pragma once

#include "dma_space.hpp"
#include "iova_space.hpp"

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vfsproto::backends::vfio_pci {

// Provides runs: memory that is contiguous for the process and for the device, and that the device can reach.
class RunSource {
public:
    virtual ~RunSource() = default;

    // Appends runs to `out`, at least one of `bytes` or more if possible. On an error it appends none.
    [[nodiscard]] virtual Refusal find_runs(std::size_t bytes, std::vector<Region>& out) = 0;
    // Takes a run of find_runs() away from the device and gives it back to the system.
    virtual void drop(const Region& run) noexcept = 0;
    // Returns for people what kind of addresses these are.
    [[nodiscard]] virtual std::string describe() const = 0;
};

// One owner at a time.
class Memory {
public:
    static constexpr std::size_t kPage = 4096;

    explicit Memory(std::unique_ptr<RunSource> source) : source_(std::move(source)) {}
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    // Makes sure that `bytes` bytes can be allocated in one piece.
    [[nodiscard]] Refusal prepare(std::size_t bytes);
    // Errors: bad_argument for no bytes, no_memory, transport_failed.
    [[nodiscard]] Result<Region> allocate(std::size_t bytes);
    void release(const Region& piece) noexcept;

    [[nodiscard]] std::size_t bytes() const noexcept; // in all runs
    [[nodiscard]] std::string describe() const { return source_->describe(); }

private:
    struct Run {
        Region region;
        FreeRanges free; // offsets
        std::map<std::uint64_t, std::uint64_t> taken;
    };

    [[nodiscard]] Result<Region> take(std::size_t size);
    [[nodiscard]] Refusal grow(std::size_t size);

    std::unique_ptr<RunSource> source_;
    std::vector<Run> runs_;
};

// Returns a source of ordinary memory at device addresses of our choice, for a device behind the IOMMU.
[[nodiscard]] std::unique_ptr<RunSource> make_mapped_runs(Calls& calls, DmaSpace& space, IovaSpace& addresses,
                                                          std::size_t run_size);

// Returns a source of huge pages at their physical addresses, for a device that bypasses the IOMMU or a machine without
// one. The IOMMU, if there is one, is given the same addresses, which also pins the pages.
[[nodiscard]] std::unique_ptr<RunSource> make_physical_runs(Calls& calls, DmaSpace& space, std::size_t run_size);

} // namespace vfsproto::backends::vfio_pci
