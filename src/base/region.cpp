// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/base/region.hpp"

namespace vfsproto {

Errc RegionTable::add(const Region& region) noexcept {
    const std::uint64_t start = to_number(region.device());
    if (region.host() == nullptr || region.size() == 0 || start + (region.size() - 1) < start)
        return Errc::bad_argument;
    for (const Region& other : regions()) {
        const std::uint64_t other_start = to_number(other.device());
        if (start <= other_start + (other.size() - 1) && other_start <= start + (region.size() - 1)) {
            return Errc::bad_argument;
        }
    }
    if (count_ == config::kMaxRegions) return Errc::no_memory;
    regions_[count_++] = region;
    return Errc::ok;
}

bool RegionTable::remove(DeviceAddr start) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        if (regions_[i].device() != start) continue;
        regions_[i] = regions_[--count_];
        recent_ = {};
        return true;
    }
    return false;
}

std::byte* RegionTable::translate_slow(DeviceAddr addr, std::uint64_t len) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
        if (!regions_[i].contains(addr, len)) continue;
        recent_ = regions_[i];
        return recent_.at(addr, len);
    }
    return nullptr;
}

} // namespace vfsproto
