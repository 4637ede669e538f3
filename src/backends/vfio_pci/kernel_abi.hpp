// SPDX-License-Identifier: BSD-2-Clause
// Kernel structs that the C library's copy of the kernel headers may lack: VFIO character devices and IOMMUFD (Linux 6.6).
#pragma once

#include <linux/ioctl.h>
#include <linux/vfio.h>

#include <cstdint>

namespace vfsproto::backends::vfio_pci::abi {

struct BindIommufd { // VFIO_DEVICE_BIND_IOMMUFD
    std::uint32_t argsz = sizeof(BindIommufd);
    std::uint32_t flags = 0;
    std::int32_t iommufd = -1;
    std::uint32_t device_id = 0; // out
};
static_assert(sizeof(BindIommufd) == 16);
inline constexpr unsigned long kBindIommufd = _IO(VFIO_TYPE, VFIO_BASE + 18);

struct AttachTable { // VFIO_DEVICE_ATTACH_IOMMUFD_PT
    std::uint32_t argsz = sizeof(AttachTable);
    std::uint32_t flags = 0;
    std::uint32_t table = 0; // an address space's number
};
static_assert(sizeof(AttachTable) == 12);
inline constexpr unsigned long kAttachTable = _IO(VFIO_TYPE, VFIO_BASE + 19);

struct AllocateSpace { // IOMMU_IOAS_ALLOC
    std::uint32_t size = sizeof(AllocateSpace);
    std::uint32_t flags = 0;
    std::uint32_t space = 0; // out
};
static_assert(sizeof(AllocateSpace) == 12);
inline constexpr unsigned long kAllocateSpace = _IO(';', 0x81);

struct IovaRange {
    std::uint64_t start = 0;
    std::uint64_t last = 0; // inclusive
};
static_assert(sizeof(IovaRange) == 16);

struct IovaRanges { // IOMMU_IOAS_IOVA_RANGES
    std::uint32_t size = sizeof(IovaRanges);
    std::uint32_t space = 0;
    std::uint32_t count = 0; // in: room; out: how many there are
    std::uint32_t reserved = 0;
    std::uint64_t ranges = 0; // address of IovaRange[count]
    std::uint64_t alignment = 0;
};
static_assert(sizeof(IovaRanges) == 32);
inline constexpr unsigned long kIovaRanges = _IO(';', 0x84);

struct MapSpace { // IOMMU_IOAS_MAP
    static constexpr std::uint32_t kFixed = 1;
    static constexpr std::uint32_t kWriteable = 2;
    static constexpr std::uint32_t kReadable = 4;

    std::uint32_t size = sizeof(MapSpace);
    std::uint32_t flags = kFixed | kWriteable | kReadable;
    std::uint32_t space = 0;
    std::uint32_t reserved = 0;
    std::uint64_t memory = 0;
    std::uint64_t length = 0;
    std::uint64_t iova = 0;
};
static_assert(sizeof(MapSpace) == 40);
inline constexpr unsigned long kMapSpace = _IO(';', 0x85);

struct UnmapSpace { // IOMMU_IOAS_UNMAP
    std::uint32_t size = sizeof(UnmapSpace);
    std::uint32_t space = 0;
    std::uint64_t iova = 0;
    std::uint64_t length = 0;
};
static_assert(sizeof(UnmapSpace) == 24);
inline constexpr unsigned long kUnmapSpace = _IO(';', 0x86);

} // namespace vfsproto::backends::vfio_pci::abi
