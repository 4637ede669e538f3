// SPDX-License-Identifier: BSD-2-Clause
#include "explain.hpp"
#include "memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::size_t kAlignment = std::size_t{2} << 20; // one entry of the IOMMU for each huge page

class MappedRuns final : public RunSource {
public:
    MappedRuns(Calls& calls, DmaSpace& space, IovaSpace& addresses, std::size_t run_size)
        : calls_(calls), space_(space), addresses_(addresses), run_size_(run_size) {}

    Refusal find_runs(std::size_t bytes, std::vector<Region>& out) override {
        const std::size_t wanted = bytes > run_size_ ? bytes : run_size_;
        const std::size_t size = (wanted + kAlignment - 1) / kAlignment * kAlignment;
        if (mappings_ >= space_.most_mappings()) return {Errc::no_memory, "the IOMMU takes no more mappings"};
        const auto iova = addresses_.take(size, kAlignment > space_.granule() ? kAlignment : space_.granule());
        if (!iova) return {Errc::no_memory, fmt::format("the device has no room for {} MiB of addresses", size >> 20)};
        std::byte* const memory = calls_.map_memory(size, kAlignment);
        const int error = memory == nullptr ? -ENOMEM : space_.map(memory, size, *iova);
        if (error >= 0) {
            ++mappings_;
            out.emplace_back(memory, DeviceAddr{*iova}, size);
            return {};
        }
        if (memory != nullptr) calls_.unmap(memory, size);
        addresses_.give_back(*iova, size);
        return refuse(size, error);
    }

    void drop(const Region& run) noexcept override {
        space_.unmap(run.size(), to_number(run.device()));
        calls_.unmap(run.host(), run.size());
        addresses_.give_back(to_number(run.device()), run.size());
        --mappings_;
    }

    std::string describe() const override { return "any memory, at addresses the IOMMU translates"; }

private:
    static Refusal refuse(std::size_t size, int error) {
        rlimit limit{};
        const bool limited =
            error == -ENOMEM && ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
        if (!limited)
            return {Errc::no_memory, explain(fmt::format("cannot pin {} MiB for the device", size >> 20), error)};
        return {Errc::no_memory,
                fmt::format("cannot pin {} MiB for the device: this process may lock {} KiB; raise it with 'ulimit -l "
                            "unlimited' (LimitMEMLOCK=infinity in a service)",
                            size >> 20, limit.rlim_cur >> 10)};
    }

    Calls& calls_;
    DmaSpace& space_;
    IovaSpace& addresses_;
    std::size_t run_size_;
    std::size_t mappings_ = 0;
};

} // namespace

std::unique_ptr<RunSource> make_mapped_runs(Calls& calls, DmaSpace& space, IovaSpace& addresses, std::size_t run_size) {
    return std::make_unique<MappedRuns>(calls, space, addresses, run_size);
}

} // namespace vfsproto::backends::vfio_pci
