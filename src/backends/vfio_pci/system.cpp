// SPDX-License-Identifier: BSD-2-Clause
#include "system.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace vfsproto::backends::vfio_pci {
namespace {

template <class Number> Number or_error(Number result) noexcept { return result < 0 ? -errno : result; }

class System final : public Calls {
public:
    int open(const std::string& path) noexcept override { return or_error(::open(path.c_str(), O_RDWR | O_CLOEXEC)); }
    int open_to_read(const std::string& path) noexcept override {
        return or_error(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    void close(int fd) noexcept override { ::close(fd); }
    int ioctl(int fd, unsigned long request, std::uintptr_t argument) noexcept override {
        return or_error(::ioctl(fd, request, argument));
    }
    ssize_t read_at(int fd, void* out, std::size_t bytes, std::uint64_t offset) noexcept override {
        return or_error(::pread(fd, out, bytes, static_cast<off_t>(offset)));
    }
    ssize_t write_at(int fd, const void* data, std::size_t bytes, std::uint64_t offset) noexcept override {
        return or_error(::pwrite(fd, data, bytes, static_cast<off_t>(offset)));
    }
    std::byte* map_file(int fd, std::size_t bytes, std::uint64_t offset, std::byte* place) noexcept override {
        const int flags = MAP_SHARED | (place != nullptr ? MAP_FIXED : 0);
        return address(::mmap(place, bytes, PROT_READ | PROT_WRITE, flags, fd, static_cast<off_t>(offset)));
    }
    std::byte* map_memory(std::size_t bytes, std::size_t alignment) noexcept override {
        const std::size_t room = bytes + alignment;
        std::byte* const start =
            address(::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (start == nullptr) return nullptr;
        const std::size_t before = (alignment - reinterpret_cast<std::uintptr_t>(start) % alignment) % alignment;
        if (before != 0) ::munmap(start, before);
        std::byte* const at = start + before;
        if (const std::size_t after = room - before - bytes; after != 0) ::munmap(at + bytes, after);
        // A child of a fork would share the pages copy on write, and our next store would leave the device behind.
        ::madvise(at, bytes, MADV_DONTFORK);
        ::madvise(at, bytes, MADV_HUGEPAGE); // fewer entries for the IOMMU; without it all works as well
        return at;
    }
    void unmap(std::byte* at, std::size_t bytes) noexcept override { ::munmap(at, bytes); }
    int huge_file(std::size_t bytes) noexcept override {
        const int fd = or_error(::memfd_create("vfsproto", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
        if (fd < 0) return fd;
        // Allocates the pages now. A page that is missing when it is touched would end the process by SIGBUS.
        if (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0) return fd;
        const int error = -errno;
        ::close(fd);
        return error;
    }

private:
    static std::byte* address(void* mapped) noexcept {
        return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
    }
};

} // namespace

Calls& the_system() noexcept {
    static System system;
    return system;
}

} // namespace vfsproto::backends::vfio_pci
