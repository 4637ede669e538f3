// SPDX-License-Identifier: BSD-2-Clause
#include "unit/vfio_pci/opened.hpp"

#include <linux/vfio.h>

#include <cstring>

using namespace vfsproto;
using namespace vfsproto::test;
using backends::vfio_pci::FileRegisters;

namespace {

// A file that notes how it was written, and can be mapped. Everything else it refuses.
class FlatFile final : public backends::vfio_pci::Calls {
public:
    std::vector<std::byte> bytes = std::vector<std::byte>(0x8000);
    std::vector<std::pair<std::uint64_t, std::size_t>> written;
    std::vector<std::pair<std::uint64_t, std::size_t>> mapped;
    std::vector<backends::vfio_pci::MappablePart> parts;
    std::size_t unmapped = 0;
    bool maps = true;
    bool there = true;

    int open(const std::string&) noexcept override { return -ENOENT; }
    int open_to_read(const std::string&) noexcept override { return -ENOENT; }
    void close(int) noexcept override {}
    int ioctl(int, unsigned long request, std::uintptr_t argument) noexcept override;
    ssize_t read_at(int, void* out, std::size_t size, std::uint64_t offset) noexcept override {
        if (!there) return -EIO;
        std::memcpy(out, bytes.data() + offset, size);
        return static_cast<ssize_t>(size);
    }
    ssize_t write_at(int, const void* data, std::size_t size, std::uint64_t offset) noexcept override {
        written.emplace_back(offset, size);
        if (!there) return -EIO;
        std::memcpy(bytes.data() + offset, data, size);
        return static_cast<ssize_t>(size);
    }
    std::byte* map_file(int, std::size_t size, std::uint64_t offset, std::byte*) noexcept override {
        if (!maps) return nullptr;
        mapped.emplace_back(offset, size);
        return bytes.data() + offset;
    }
    std::byte* map_memory(std::size_t, std::size_t) noexcept override { return nullptr; }
    void unmap(std::byte*, std::size_t) noexcept override { ++unmapped; }
    int huge_file(std::size_t) noexcept override { return -ENOSPC; }
};

int FlatFile::ioctl(int, unsigned long request, std::uintptr_t argument) noexcept {
    if (request == VFIO_DEVICE_GET_INFO) {
        auto& info = *reinterpret_cast<vfio_device_info*>(argument);
        info.flags = VFIO_DEVICE_FLAGS_PCI;
        info.num_regions = 9;
        return 0;
    }
    if (request != VFIO_DEVICE_GET_REGION_INFO) return -ENOTTY;
    auto& info = *reinterpret_cast<vfio_region_info*>(argument);
    const std::uint32_t room = info.argsz;
    info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    info.size = info.index == VFIO_PCI_CONFIG_REGION_INDEX ? 256 : info.index == 4 ? 0x8000 : 0;
    info.offset = 0;
    if (info.index != 4) return 0;
    info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
    if (parts.empty()) return 0;
    info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
    constexpr std::size_t kHead = sizeof(vfio_region_info_cap_sparse_mmap);
    info.argsz = static_cast<std::uint32_t>(sizeof info + kHead + parts.size() * sizeof(vfio_region_sparse_mmap_area));
    if (room < info.argsz) return 0;
    info.cap_offset = sizeof info;
    auto* const at = reinterpret_cast<std::byte*>(argument) + sizeof info;
    vfio_region_info_cap_sparse_mmap head{};
    head.header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
    head.nr_areas = static_cast<std::uint32_t>(parts.size());
    std::memcpy(at, &head, kHead);
    std::memcpy(at + kHead, parts.data(), parts.size() * sizeof parts[0]);
    return 0;
}

VirtioPciLayout usual_layout() {
    VirtioPciLayout layout;
    layout.common = {4, 0x0000, 0x40};
    layout.isr = {4, 0x1000, 1};
    layout.device = {4, 0x2010, 44};
    layout.notify = {4, 0x3000, 0x2000};
    layout.notify_multiplier = 4;
    return layout;
}

struct Windowed {
    explicit Windowed(FlatFile& file) : function(file, backends::vfio_pci::Handle(file, 3)) {
        REQUIRE_FALSE(function.look().happened());
        registers = windows.open(function, usual_layout());
    }
    backends::vfio_pci::Function function;
    backends::vfio_pci::Windows windows;
    VirtioPciWindows registers;
};

} // namespace

TEST_CASE("mapped registers are little endian, of natural width, at their offsets", "[vfio]") {
    alignas(4) std::byte bytes[16]{};
    MappedRegisters registers(bytes, sizeof bytes);
    registers.write32(4, 0x11223344);
    registers.write16(8, 0x5566);
    registers.write8(10, 0x77);
    const unsigned char expected[16] = {0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x77};
    CHECK(std::memcmp(bytes, expected, sizeof bytes) == 0);
    CHECK(registers.read32(4) == 0x11223344);
    CHECK(registers.read16(8) == 0x5566);
    CHECK(registers.read8(10) == 0x77);
    CHECK(registers.size() == 16);
}

TEST_CASE("registers behind calls are read and written whole, each with one call", "[vfio]") {
    FlatFile file;
    FileRegisters registers(file, 3, 0x100, 0x40);
    registers.write32(4, 0x11223344);
    registers.write16(8, 0x5566);
    registers.write8(10, 0x77);
    CHECK(file.written == std::vector<std::pair<std::uint64_t, std::size_t>>{{0x104, 4}, {0x108, 2}, {0x10a, 1}});
    CHECK(registers.read32(4) == 0x11223344);
    CHECK(registers.read16(8) == 0x5566);
    CHECK(registers.read8(10) == 0x77);
    CHECK(registers.writes() == 3);
    file.there = false;
    CHECK(registers.read8(0) == 0xff);
    CHECK(registers.read16(0) == 0xffff);
    CHECK(registers.read32(0) == 0xffffffff);
}

TEST_CASE("structures are mapped page by page, and given back", "[vfio]") {
    FlatFile file;
    {
        Windowed windowed(file);
        CHECK(windowed.windows.describe() == "mapped");
        CHECK(file.mapped == std::vector<std::pair<std::uint64_t, std::size_t>>{
                                 {0, 0x1000}, {0x3000, 0x2000}, {0x1000, 0x1000}, {0x2000, 0x1000}});
        windowed.registers.device->write32(4, 9);
        CHECK(file.bytes[0x2014] == std::byte{9});
        CHECK(windowed.registers.notify->size() == 0x2000);
        CHECK(windowed.windows.writes() == 0);
    }
    CHECK(file.unmapped == 4);
}

TEST_CASE("a structure beside the part that can be mapped is reached by calls", "[vfio]") {
    FlatFile file;
    file.parts = {{0x0000, 0x1000}, {0x4000, 0x4000}, {0x7000, 0x2000}, {~std::uint64_t{0}, 0x1000}};
    Windowed windowed(file);
    CHECK(windowed.windows.describe() == "some mapped, some by system calls");
    CHECK(file.mapped == std::vector<std::pair<std::uint64_t, std::size_t>>{{0, 0x1000}});
    windowed.registers.notify->write16(8, 1);
    CHECK(file.written == std::vector<std::pair<std::uint64_t, std::size_t>>{{0x3008, 2}});
    CHECK(windowed.windows.writes() == 1);
}

TEST_CASE("where nothing can be mapped all registers are reached by calls", "[vfio]") {
    FlatFile file;
    file.maps = false;
    Windowed windowed(file);
    CHECK(windowed.windows.describe() == "by system calls");
    windowed.registers.isr->write8(0, 1);
    CHECK(file.bytes[0x1000] == std::byte{1});
}
