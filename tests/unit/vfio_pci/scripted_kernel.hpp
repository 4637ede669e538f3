// SPDX-License-Identifier: BSD-2-Clause
// A kernel with VFIO and one virtio device, played by a script: both of VFIO's interfaces, an IOMMU that remembers what is
// mapped, huge pages at frames of the test's choice, and every call failing when it is told to.
#pragma once

#include "../../../src/backends/vfio_pci/calls.hpp"
#include "../../../src/backends/vfio_pci/dma_space.hpp"
#include "../../../src/backends/vfio_pci/kernel_abi.hpp"

#include "unit/transport/pci_model.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace vfsproto::test {

class ScriptedKernel final : public backends::vfio_pci::Calls {
public:
    static constexpr std::size_t kHuge = std::size_t{2} << 20;

    ScriptedKernel();
    ~ScriptedKernel();

    // These say what the kernel has. A test sets them.
    bool has_vfio = true;
    bool has_iommufd = false;
    bool has_iommu = true; // no: only VFIO without one
    bool is_viable = true;
    bool group_is_busy = false;
    bool tells_frames = true;
    bool frames_move = false; // while a page is pinned first
    bool resettable = true;
    int set_iommu = 0; // what SET_IOMMU answers
    int map_answer = 0;
    std::vector<backends::vfio_pci::AddressRange> ranges{{0, 0xfedfffff}, {0xfef00000, (std::uint64_t{1} << 39) - 1}};
    bool tells_ranges = true;
    std::uint32_t mappings_left = 65535;
    std::uint32_t msix = 3;      // in the device
    std::uint32_t msix_left = 9; // in the machine
    std::uint32_t lines = 1;
    std::uint32_t error_interrupts = 1;
    std::uint32_t request_interrupts = 1;
    std::vector<std::uint64_t> frames; // physical addresses of the huge pages there are, in the order they are given
    PciModel model;
    std::size_t fails_at = ~std::size_t{0}; // the call that fails, counted from 0

    // These say what has happened.
    std::size_t calls = 0;
    std::vector<std::string> log;
    std::map<std::uint64_t, std::pair<std::byte*, std::uint64_t>> mapped; // by device address
    std::map<std::pair<std::uint32_t, std::uint32_t>, int> wired;         // (kind, number) to eventfd
    std::size_t unmasked = 0;
    std::uint16_t command() const;

    [[nodiscard]] bool logged(const std::string& what) const;
    [[nodiscard]] std::size_t place(const std::string& what) const; // in the log; its size when it is not there
    // Says what is not closed, unmapped or given back; empty when nothing is.
    [[nodiscard]] std::string leaks() const;
    // Raises an interrupt as the device or the kernel would.
    void raise(std::uint32_t kind, std::uint32_t number = 0);
    // Waits until the line has been unmasked so often; false when that takes too long.
    bool unmasks(std::size_t times);
    // Changes the device while the watcher may be looking.
    template <class Change> void change(Change&& change) {
        const std::lock_guard lock(mutex_);
        change(model);
    }

    int open(const std::string& path) noexcept override;
    int open_to_read(const std::string& path) noexcept override { return open(path); }
    void close(int fd) noexcept override;
    int ioctl(int fd, unsigned long request, std::uintptr_t argument) noexcept override;
    ssize_t read_at(int fd, void* out, std::size_t bytes, std::uint64_t offset) noexcept override;
    ssize_t write_at(int fd, const void* data, std::size_t bytes, std::uint64_t offset) noexcept override;
    std::byte* map_file(int fd, std::size_t bytes, std::uint64_t offset, std::byte* place) noexcept override;
    std::byte* map_memory(std::size_t bytes, std::size_t alignment) noexcept override;
    void unmap(std::byte* at, std::size_t bytes) noexcept override;
    int huge_file(std::size_t bytes) noexcept override;

private:
    struct HugeMapping {
        std::size_t bytes;
        int fd;
        std::size_t offset;
    };

    [[nodiscard]] bool fails(const std::string& what);
    int ioctl_on_container(unsigned long request, std::uintptr_t argument);
    int ioctl_on_group(unsigned long request, std::uintptr_t argument);
    int ioctl_on_device(unsigned long request, std::uintptr_t argument);
    int ioctl_on_iommufd(unsigned long request, std::uintptr_t argument);
    int type1_info(std::uintptr_t argument);
    int region_info(std::uintptr_t argument) const;
    int interrupt_info(std::uintptr_t argument) const;
    int set_interrupts(std::uintptr_t argument);
    int map_dma(std::uint64_t memory, std::uint64_t size, std::uint64_t iova);
    int unmap_dma(std::uint64_t size, std::uint64_t iova);
    [[nodiscard]] std::uint64_t frame_of(const std::byte* at) const;
    RegisterWindow* window(std::uint64_t& offset);

    mutable std::recursive_mutex mutex_;
    std::condition_variable_any changed_;
    std::map<int, std::string> open_; // what each descriptor is
    int next_fd_ = 100'000;           // no descriptor of the system's
    ByteWindow config_;
    std::map<int, std::size_t> huge_files_; // to the first of its frames
    std::size_t frames_taken_ = 0;
    std::map<std::byte*, HugeMapping> huge_mappings_;
    std::map<std::byte*, std::pair<std::size_t, std::size_t>> memory_; // bytes, and those not yet unmapped
};

} // namespace vfsproto::test
