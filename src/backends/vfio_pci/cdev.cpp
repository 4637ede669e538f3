// SPDX-License-Identifier: BSD-2-Clause
#include "cdev.hpp"

#include "explain.hpp"
#include "kernel_abi.hpp"

#include <cerrno>
#include <utility>

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kMostRanges = 4096;

class AddressSpace final : public DmaSpace {
public:
    AddressSpace(Handle iommu, std::uint32_t number, std::string name)
        : iommu_(std::move(iommu)), number_(number), name_(std::move(name)) {}

    // Asks where mappings may lie. Called once the device is in the address space. Returns 0 or a negated errno.
    [[nodiscard]] int ask_ranges();

    int map(std::byte* memory, std::size_t bytes, std::uint64_t iova) noexcept override {
        abi::MapSpace wish;
        wish.space = number_;
        wish.memory = reinterpret_cast<std::uintptr_t>(memory);
        wish.length = bytes;
        wish.iova = iova;
        return iommu_.ask(abi::kMapSpace, &wish);
    }
    void unmap(std::size_t bytes, std::uint64_t iova) noexcept override {
        abi::UnmapSpace wish;
        wish.space = number_;
        wish.iova = iova;
        wish.length = bytes;
        static_cast<void>(iommu_.ask(abi::kUnmapSpace, &wish)); // ends with the descriptor at the latest
    }
    const std::vector<AddressRange>& usable() const noexcept override { return usable_; }
    std::uint64_t granule() const noexcept override { return granule_; }
    std::size_t most_mappings() const noexcept override { return ~std::size_t{0}; }
    Guard guard() const noexcept override { return Guard::iommu; }
    const std::string& name() const noexcept override { return name_; }

private:
    Handle iommu_; // the address space goes with it
    std::uint32_t number_;
    std::string name_;
    std::vector<AddressRange> usable_;
    std::uint64_t granule_ = kPage;
};

int AddressSpace::ask_ranges() {
    std::vector<abi::IovaRange> ranges(32);
    abi::IovaRanges wish;
    int error = 0;
    for (unsigned tries = 0; tries < 2; ++tries) {
        wish = {};
        wish.space = number_;
        wish.count = static_cast<std::uint32_t>(ranges.size());
        wish.ranges = reinterpret_cast<std::uintptr_t>(ranges.data());
        error = iommu_.ask(abi::kIovaRanges, &wish);
        if (error != -EMSGSIZE || wish.count > kMostRanges) break;
        ranges.resize(wish.count);
    }
    if (error < 0) return error;
    for (std::uint32_t i = 0; i < wish.count && i < ranges.size(); ++i) {
        if (ranges[i].start <= ranges[i].last) usable_.push_back({ranges[i].start, ranges[i].last});
    }
    if (wish.alignment > granule_) granule_ = wish.alignment;
    return 0;
}

Attached refuse(std::string message) { return {nullptr, {}, {Errc::transport_failed, std::move(message)}}; }

Attached no_such_interface() { return {nullptr, {}, {Errc::not_negotiated, "the kernel has no IOMMUFD"}}; }

bool is_not_there(int error) noexcept { return error == -ENOENT || error == -ENODEV || error == -ENXIO; }

} // namespace

Attached attach_by_node(Calls& calls, const PciDevice& device) {
    if (device.vfio_node.empty()) return no_such_interface();
    Handle iommu(calls, calls.open("/dev/iommu"));
    if (is_not_there(iommu.get())) return no_such_interface();
    if (!iommu) return refuse(explain("cannot open /dev/iommu", iommu.get()));
    const std::string path = "/dev/vfio/devices/" + device.vfio_node;
    Attached attached;
    attached.device = Handle(calls, calls.open(path));
    if (is_not_there(attached.device.get())) return no_such_interface();
    if (!attached.device) return refuse(explain("cannot open " + path, attached.device.get()));

    abi::BindIommufd bind;
    bind.iommufd = iommu.get();
    if (const int error = attached.device.ask(abi::kBindIommufd, &bind); error < 0) {
        return refuse(error == -EBUSY ? path + " is in use by another process"
                                      : explain("VFIO does not bind " + device.address + " to IOMMUFD", error));
    }
    abi::AllocateSpace space;
    if (const int error = iommu.ask(abi::kAllocateSpace, &space); error < 0) {
        return refuse(explain("IOMMUFD gives no address space", error));
    }
    abi::AttachTable attach;
    attach.table = space.space;
    if (const int error = attached.device.ask(abi::kAttachTable, &attach); error < 0) {
        return refuse(explain("the kernel gives " + device.address + " no IOMMU", error));
    }
    auto own = std::make_unique<AddressSpace>(std::move(iommu), space.space,
                                              device.vfio_node + ", IOMMUFD (tested with a scripted kernel only)");
    if (const int error = own->ask_ranges(); error < 0) return refuse(explain("the IOMMU does not answer", error));
    attached.space = std::move(own);
    return attached;
}

} // namespace vfsproto::backends::vfio_pci
