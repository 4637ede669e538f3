// SPDX-License-Identifier: BSD-2-Clause
// Memory to share with a device: few large mappings, handed out in pages; memfds where the device is another process. Devices
// allow only so many regions, so buffers are parts of an arena and not regions of their own. Hosted; one owner at a time.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace vfsproto::backends {

// Says who reaches the memory: this process alone, or peers that are sent its file.
enum class Reach : std::uint8_t { process, peers };

// One shared mapping. For peers it is that of a memfd, which is sealed against changes of its size: a peer that holds it could
// otherwise truncate it and have us die of SIGBUS. For this process alone it has no file, and so no limit of files (RLIMIT_FSIZE).
class Arena {
public:
    static constexpr std::size_t kPage = 4096;

    // Returns how large one may be: no file of this process is larger than RLIMIT_FSIZE, and to try ends the process by SIGXFSZ.
    [[nodiscard]] static std::size_t largest(Reach reach) noexcept {
        rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
        if (reach == Reach::peers) ::getrlimit(RLIMIT_FSIZE, &limit);
        return static_cast<std::size_t>(limit.rlim_cur) / kPage * kPage;
    }

    // Returns nullptr when the system has no memory for it, or it would be too large. `size` is a multiple of kPage.
    [[nodiscard]] static std::unique_ptr<Arena> create(std::size_t size, DeviceAddr device,
                                                       Reach reach = Reach::peers) {
        if (size > largest(reach)) return nullptr;
        FileDescriptor fd;
        if (reach == Reach::peers) {
            fd = FileDescriptor(::memfd_create("vfsproto", MFD_CLOEXEC | MFD_ALLOW_SEALING));
            if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return nullptr;
            if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return nullptr;
        }
        const int kind = reach == Reach::peers ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
        void* host = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, kind, fd.get(), 0);
        if (host == MAP_FAILED) return nullptr;
        return std::unique_ptr<Arena>(new Arena(std::move(fd), {static_cast<std::byte*>(host), device, size}));
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { ::munmap(region_.host(), region_.size()); }

    [[nodiscard]] const Region& region() const noexcept { return region_; }
    // Returns the file, which a device maps at offset 0; -1 where this process alone reaches the memory.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool empty() const noexcept { return taken_.empty(); }

    // Takes the first range that fits. Returns a Region without bytes when there is none. `size` is a multiple of
    // kPage.
    [[nodiscard]] Region take(std::size_t size) {
        for (auto at = free_.begin(); at != free_.end(); ++at) {
            const auto [offset, room] = *at;
            if (room < size) continue;
            free_.erase(at);
            if (room > size) free_.emplace(offset + size, room - size);
            taken_.emplace(offset, size);
            return region_.part(offset, size);
        }
        return {};
    }

    // False when it is no piece that take() gave.
    bool give_back(const Region& piece) {
        if (!region_.contains(piece.device(), piece.size())) return false;
        const std::size_t offset = to_number(piece.device()) - to_number(region_.device());
        const auto taken = taken_.find(offset);
        if (taken == taken_.end()) return false;
        const std::size_t size = taken->second;
        taken_.erase(taken);
        wipe(offset, size);
        merge(free_.emplace(offset, size).first);
        return true;
    }

private:
    Arena(FileDescriptor fd, const Region& region) : fd_(std::move(fd)), region_(region) {
        free_.emplace(0, region.size());
    }

    // Zeroes a range, because memory that is handed out next must read as zero. A hole also gives the pages back to the
    // system.
    void wipe(std::size_t offset, std::size_t size) noexcept {
        std::byte* const begin = region_.host() + offset;
        if (::madvise(begin, size, MADV_REMOVE) != 0) std::memset(begin, 0, size);
    }
    void merge(std::map<std::size_t, std::size_t>::iterator at) {
        if (const auto next = std::next(at); next != free_.end() && at->first + at->second == next->first) {
            at->second += next->second;
            free_.erase(next);
        }
        if (at == free_.begin()) return;
        const auto before = std::prev(at);
        if (before->first + before->second != at->first) return;
        before->second += at->second;
        free_.erase(at);
    }

    FileDescriptor fd_;
    Region region_;
    std::map<std::size_t, std::size_t> free_;  // offset to size, never two neighbours
    std::map<std::size_t, std::size_t> taken_; // offset to size
};

// Makes arenas as they are needed. Device addresses start well above zero and differ from every host address, so that
// mixing the two up is seen at once.
class ArenaPool {
public:
    static constexpr std::size_t kArenaSize = std::size_t{64} << 20; // address space; pages come at first touch
    static constexpr std::uint64_t kFirstDeviceAddress = std::uint64_t{1} << 32;

    explicit ArenaPool(std::size_t arena_size = kArenaSize, Reach reach = Reach::peers) noexcept
        : arena_size_(arena_size), reach_(reach) {}

    // `announce(const Arena&) -> Errc` tells the device of a new arena before any of it is handed out.
    // Errors: bad_argument for no bytes, no_memory, what `announce` says.
    template <class Announce> [[nodiscard]] Result<Region> allocate(std::size_t bytes, Announce&& announce) {
        if (bytes == 0 || bytes > kLargest) return Errc::bad_argument;
        const std::size_t size = (bytes + Arena::kPage - 1) / Arena::kPage * Arena::kPage;
        for (const auto& arena : arenas_) {
            if (const Region piece = arena->take(size); piece.size() != 0) return piece;
        }
        auto arena =
            Arena::create(std::max(size, std::min(arena_size_, Arena::largest(reach_))), DeviceAddr{next_}, reach_);
        if (!arena) return Errc::no_memory;
        if (const Errc why = announce(static_cast<const Arena&>(*arena)); why != Errc::ok) return why;
        next_ += arena->region().size() + kGap;
        arenas_.push_back(std::move(arena));
        return arenas_.back()->take(size);
    }

    // `withdraw(const Arena&)` is called before an arena that is not needed any more goes; the last one stays. False
    // when the region is none of ours.
    template <class Withdraw> bool release(const Region& piece, Withdraw&& withdraw) {
        for (auto at = arenas_.begin(); at != arenas_.end(); ++at) {
            if (!(*at)->give_back(piece)) continue;
            if ((*at)->empty() && arenas_.size() > 1) {
                const std::unique_ptr<Arena> leaving = std::move(*at);
                arenas_.erase(at);
                withdraw(static_cast<const Arena&>(*leaving));
            }
            return true;
        }
        return false;
    }

    [[nodiscard]] const std::vector<std::unique_ptr<Arena>>& arenas() const noexcept { return arenas_; }

    // The host bytes of a device address, or nullptr: the driver's own view, of values the driver made.
    [[nodiscard]] std::byte* translate(DeviceAddr addr, std::uint64_t len) const noexcept {
        for (const auto& arena : arenas_) {
            if (arena->region().contains(addr, len)) return arena->region().at(addr, len);
        }
        return nullptr;
    }

private:
    static constexpr std::size_t kLargest = std::size_t{1} << 46;
    static constexpr std::uint64_t kGap = std::uint64_t{1} << 20; // an overrun hits no neighbour

    std::size_t arena_size_;
    Reach reach_;
    std::uint64_t next_ = kFirstDeviceAddress;
    std::vector<std::unique_ptr<Arena>> arenas_;
};

} // namespace vfsproto::backends
