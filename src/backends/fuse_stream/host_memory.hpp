// SPDX-License-Identifier: BSD-2-Clause
// Memory for requests of a device that is no hardware: its device addresses are this process's own.
#pragma once

#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"

#include <sys/mman.h>

#include <map>
#include <new>

namespace vfsproto::backends::fuse_stream {

// One owner at a time.
class HostMemory {
public:
    HostMemory() = default;
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;
    ~HostMemory() {
        for (const auto& [start, size] : mappings_) ::munmap(start, size);
    }

    // Returns memory that is zeroed and page aligned. Errors: no_memory.
    [[nodiscard]] Result<Region> allocate(std::size_t bytes) noexcept {
        if (bytes == 0) return Errc::no_memory;
        void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (start == MAP_FAILED) return Errc::no_memory;
        try {
            mappings_.emplace(start, bytes);
        } catch (const std::bad_alloc&) {
            ::munmap(start, bytes);
            return Errc::no_memory;
        }
        return Region(static_cast<std::byte*>(start), DeviceAddr{reinterpret_cast<std::uintptr_t>(start)}, bytes);
    }
    void release(const Region& region) noexcept {
        const auto mapping = mappings_.find(region.host());
        if (mapping == mappings_.end()) return;
        ::munmap(mapping->first, mapping->second);
        mappings_.erase(mapping);
    }

private:
    std::map<void*, std::size_t> mappings_; // start to bytes
};

} // namespace vfsproto::backends::fuse_stream
