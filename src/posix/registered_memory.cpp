// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/registered_memory.hpp"

namespace vfsproto::posix {

bool RegisteredMemory::add(const Region& region) noexcept {
    const std::size_t count = count_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < kMost; ++i) {
        Place& place = places_[i];
        if (place.used.load(std::memory_order_relaxed)) continue;
        place.region = region;
        place.used.store(true, std::memory_order_release);
        if (i >= count) count_.store(i + 1, std::memory_order_release);
        return true;
    }
    return false;
}

void RegisteredMemory::remove(const Region& region) noexcept {
    for (Place& place : places_) {
        if (!place.used.load(std::memory_order_relaxed) || place.region.host() != region.host()) continue;
        place.used.store(false, std::memory_order_release);
        return;
    }
}

} // namespace vfsproto::posix
