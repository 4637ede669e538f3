// SPDX-License-Identifier: BSD-2-Clause
#include "group.hpp"

#include "explain.hpp"

#include <fmt/format.h>
#include <linux/vfio.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vfsproto::backends::vfio_pci {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kUsualMappings = 65535; // the kernel's default, for kernels that do not say what is left
// Kernels that do not tell which addresses are reserved get these: above what any machine keeps for interrupts, and
// within what every IOMMU has.
constexpr std::uint64_t kFourGigabytes = std::uint64_t{1} << 32;
constexpr std::uint64_t kAlwaysWideEnough = (std::uint64_t{1} << 39) - 1;
constexpr std::size_t kLargestAnswer = 64 * 1024;

class Container final : public DmaSpace {
public:
    Container(Handle container, Handle group, std::string name)
        : container_(std::move(container)), group_(std::move(group)), name_(std::move(name)) {}

    // Asks what the domain can do. Returns 0 or a negated errno.
    [[nodiscard]] int ask_limits();

    int map(std::byte* memory, std::size_t bytes, std::uint64_t iova) noexcept override {
        vfio_iommu_type1_dma_map request{};
        request.argsz = sizeof request;
        request.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
        request.vaddr = reinterpret_cast<std::uintptr_t>(memory);
        request.iova = iova;
        request.size = bytes;
        return container_.ask(VFIO_IOMMU_MAP_DMA, &request);
    }
    void unmap(std::size_t bytes, std::uint64_t iova) noexcept override {
        vfio_iommu_type1_dma_unmap request{};
        request.argsz = sizeof request;
        request.iova = iova;
        request.size = bytes;
        // A mapping that stays after a failure ends with the container at the latest.
        static_cast<void>(container_.ask(VFIO_IOMMU_UNMAP_DMA, &request));
    }
    const std::vector<AddressRange>& usable() const noexcept override { return usable_; }
    std::uint64_t granule() const noexcept override { return granule_; }
    std::size_t most_mappings() const noexcept override { return most_mappings_; }
    Guard guard() const noexcept override { return Guard::iommu; }
    const std::string& name() const noexcept override { return name_; }

private:
    void take_capabilities(const std::vector<std::byte>& answer, std::uint32_t offset);
    void take_ranges(const std::vector<std::byte>& answer, std::uint32_t offset);

    Handle container_; // closed after the group
    Handle group_;
    std::string name_;
    std::vector<AddressRange> usable_{{kFourGigabytes, kAlwaysWideEnough}};
    std::uint64_t granule_ = kPage;
    std::size_t most_mappings_ = kUsualMappings;
};

// Returns the structure at that place of an answer; zeros when the answer ends before it does.
template <class T> T part_of(const std::vector<std::byte>& answer, std::size_t offset) noexcept {
    T part{};
    if (offset <= answer.size() && sizeof part <= answer.size() - offset) {
        std::memcpy(&part, answer.data() + offset, sizeof part);
    }
    return part;
}

int Container::ask_limits() {
    vfio_iommu_type1_info info{};
    info.argsz = sizeof info;
    if (const int error = container_.ask(VFIO_IOMMU_GET_INFO, &info); error < 0) return error;
    if (info.argsz < sizeof info || info.argsz > kLargestAnswer) return -EPROTO;
    std::vector<std::byte> answer(info.argsz);
    const std::uint32_t room = info.argsz;
    info = {};
    info.argsz = room;
    std::memcpy(answer.data(), &info, sizeof info);
    if (const int error = container_.ask(VFIO_IOMMU_GET_INFO, answer.data()); error < 0) return error;
    info = part_of<vfio_iommu_type1_info>(answer, 0);
    if ((info.flags & VFIO_IOMMU_INFO_PGSIZES) != 0 && info.iova_pgsizes != 0) {
        granule_ = info.iova_pgsizes & (~info.iova_pgsizes + 1);
    }
    if (granule_ < kPage) granule_ = kPage;
    if ((info.flags & VFIO_IOMMU_INFO_CAPS) != 0) take_capabilities(answer, info.cap_offset);
    return 0;
}

void Container::take_capabilities(const std::vector<std::byte>& answer, std::uint32_t offset) {
    for (unsigned seen = 0; offset != 0 && seen < 64; ++seen) {
        const auto header = part_of<vfio_info_cap_header>(answer, offset);
        if (header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) take_ranges(answer, offset);
        if (header.id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL) {
            most_mappings_ = part_of<vfio_iommu_type1_info_dma_avail>(answer, offset).avail;
        }
        offset = header.next;
    }
}

void Container::take_ranges(const std::vector<std::byte>& answer, std::uint32_t offset) {
    constexpr std::size_t kHead = sizeof(vfio_iommu_type1_info_cap_iova_range);
    const auto head = part_of<vfio_iommu_type1_info_cap_iova_range>(answer, offset);
    usable_.clear();
    for (std::uint32_t i = 0; i < head.nr_iovas; ++i) {
        const std::size_t at = offset + kHead + i * sizeof(vfio_iova_range);
        if (at + sizeof(vfio_iova_range) > answer.size()) break;
        const auto range = part_of<vfio_iova_range>(answer, at);
        if (range.start <= range.end) usable_.push_back({range.start, range.end});
    }
}

// Nothing is mapped and nothing is pinned: addresses are the machine's own.
class Unguarded final : public DmaSpace {
public:
    Unguarded(Handle container, Handle group, std::string name)
        : container_(std::move(container)), group_(std::move(group)), name_(std::move(name)) {}

    int map(std::byte*, std::size_t, std::uint64_t) noexcept override { return 0; }
    void unmap(std::size_t, std::uint64_t) noexcept override {}
    const std::vector<AddressRange>& usable() const noexcept override { return usable_; }
    std::uint64_t granule() const noexcept override { return kPage; }
    std::size_t most_mappings() const noexcept override { return kUsualMappings; }
    Guard guard() const noexcept override { return Guard::none; }
    const std::string& name() const noexcept override { return name_; }

private:
    Handle container_;
    Handle group_;
    std::string name_;
    std::vector<AddressRange> usable_{{0, ~std::uint64_t{0}}};
};

Attached refuse(std::string message) { return {nullptr, {}, {Errc::transport_failed, std::move(message)}}; }

Attached refuse_container(int error) {
    if (error == -ENOENT || error == -ENODEV) {
        return refuse("the kernel has no VFIO: run 'modprobe vfio-pci' (and see that an IOMMU is on)");
    }
    return refuse(explain("cannot open /dev/vfio/vfio", error));
}

Attached refuse_group(const std::string& path, int error) {
    if (error == -EBUSY) return refuse(path + " is in use by another process");
    return refuse(explain("cannot open " + path, error));
}

Attached refuse_iommu(Guard guard, int error) {
    if (guard == Guard::iommu && error == -EPERM) {
        return refuse("the IOMMU has no interrupt remapping: switch it on (intremap), or load vfio_iommu_type1 with "
                      "allow_unsafe_interrupts=1 if you trust the device");
    }
    return refuse(explain("the kernel gives the group no IOMMU", error));
}

} // namespace

Attached attach_by_group(Calls& calls, const PciDevice& device, Guard guard) {
    const bool guarded = guard == Guard::iommu;
    Handle container(calls, calls.open("/dev/vfio/vfio"));
    if (!container) return refuse_container(container.get());
    if (container.ask(VFIO_GET_API_VERSION) != VFIO_API_VERSION) return refuse("this is no VFIO this program knows");
    const unsigned kind = guarded ? VFIO_TYPE1v2_IOMMU : VFIO_NOIOMMU_IOMMU;
    if (container.ask_number(VFIO_CHECK_EXTENSION, kind) <= 0) {
        return refuse(guarded ? "the kernel has no VFIO IOMMU of type 1: run 'modprobe vfio_iommu_type1'"
                              : "the kernel has no VFIO without an IOMMU: it is off, or not built in");
    }

    const std::string path = "/dev/vfio/" + std::string(guarded ? "" : "noiommu-") + device.iommu_group;
    Handle group(calls, calls.open(path));
    if (!group) return refuse_group(path, group.get());
    vfio_group_status status{};
    status.argsz = sizeof status;
    if (const int error = group.ask(VFIO_GROUP_GET_STATUS, &status); error < 0) {
        return refuse(explain("cannot ask for the state of " + path, error));
    }
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
        return refuse(fmt::format("other devices of IOMMU group {} belong to kernel drivers: bind them to vfio-pci too",
                                  device.iommu_group));
    }
    int descriptor = container.get();
    if (const int error = group.ask(VFIO_GROUP_SET_CONTAINER, &descriptor); error < 0) {
        return refuse(explain("cannot put " + path + " into a container", error));
    }
    if (const int error = container.ask_number(VFIO_SET_IOMMU, kind); error < 0) return refuse_iommu(guard, error);

    Attached attached;
    attached.device = Handle(calls, group.ask(VFIO_GROUP_GET_DEVICE_FD, device.address.c_str()));
    if (!attached.device) return refuse(explain("VFIO does not give " + device.address, attached.device.get()));
    if (!guarded) {
        attached.space = std::make_unique<Unguarded>(
            std::move(container), std::move(group),
            fmt::format("group {} without an IOMMU (tested with a scripted kernel only)", device.iommu_group));
        return attached;
    }
    auto space = std::make_unique<Container>(std::move(container), std::move(group),
                                             fmt::format("group {}, IOMMU type 1", device.iommu_group));
    if (const int error = space->ask_limits(); error < 0) return refuse(explain("the IOMMU does not answer", error));
    attached.space = std::move(space);
    return attached;
}

} // namespace vfsproto::backends::vfio_pci
