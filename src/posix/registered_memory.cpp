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
        place.users.store(1, std::memory_order_relaxed);
        place.version.store(version + 1, std::memory_order_release);
        if (i >= count) count_.store(i + 1, std::memory_order_release);
        return true;
    }
    return false;
}

// Regions that are here at a time have no memory in common, so that the start of one tells it from all others.
std::size_t RegisteredMemory::index_of(const Region& region) const noexcept {
    std::size_t i = 0;
    for (; i < kMost; ++i) {
        const bool is_taken = (places_[i].version.load(std::memory_order_acquire) & 1) != 0;
        if (is_taken && places_[i].begin.load(std::memory_order_acquire) == region.host()) break;
    }
    return i;
}

bool RegisteredMemory::drop(const Region& region) noexcept {
    const std::size_t index = index_of(region);
    if (index == kMost || places_[index].users.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
    places_[index].version.fetch_add(1, std::memory_order_release);
    version_.store(next_version(), std::memory_order_release);
    return true;
}

bool RegisteredMemory::drop_unless_last(const Region& region) noexcept {
    const std::size_t index = index_of(region);
    VFSPROTO_ASSERT(index != kMost);
    std::atomic<std::uint32_t>& users = places_[index].users;
    std::uint32_t count = users.load(std::memory_order_relaxed);
    while (count > 1) {
        if (users.compare_exchange_weak(count, count - 1, std::memory_order_release, std::memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void RegisteredMemory::keep(const Region& region) noexcept {
    const std::size_t index = index_of(region);
    VFSPROTO_ASSERT(index != kMost);
    places_[index].users.fetch_add(1, std::memory_order_relaxed);
}

bool RegisteredMemory::is_owners_alone(const Region& region) const noexcept {
    const std::size_t index = index_of(region);
    return index == kMost || places_[index].users.load(std::memory_order_acquire) == 1;
}

} // namespace vfsproto::posix
