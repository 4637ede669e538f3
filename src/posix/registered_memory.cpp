// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/registered_memory.hpp"

namespace vfsproto::posix {

// Versions are unique in the process: a cached answer of one object must not match a later object at the same address.
std::uint64_t RegisteredMemory::next_version() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

bool RegisteredMemory::add(const Region& region) noexcept {
    const std::size_t count = count_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < kMost; ++i) {
        Place& place = places_[i];
        const std::uint32_t version = place.version.load(std::memory_order_relaxed);
        if ((version & 1) != 0) continue;
        place.region = region;
        place.begin.store(region.host(), std::memory_order_release);
        place.end.store(region.host() + region.size(), std::memory_order_release);
        place.version.store(version + 1, std::memory_order_release);
        if (i >= count) count_.store(i + 1, std::memory_order_release);
        return true;
    }
    return false;
}

void RegisteredMemory::remove(const Region& region) noexcept {
    for (Place& place : places_) {
        const std::uint32_t version = place.version.load(std::memory_order_relaxed);
        if ((version & 1) == 0 || place.region.host() != region.host()) continue;
        place.version.store(version + 1, std::memory_order_release);
        version_.store(next_version(), std::memory_order_release);
        return;
    }
}

} // namespace vfsproto::posix
