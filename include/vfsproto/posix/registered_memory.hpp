// SPDX-License-Identifier: BSD-2-Clause
// Which of the process's memory the device can reach. Asked for every transfer, so the question takes no lock.
#pragma once

#include "vfsproto/base/region.hpp"

#include <atomic>
#include <cstddef>

namespace vfsproto::posix {

class RegisteredMemory {
public:
    static constexpr std::size_t kMost = 64; // regions at a time

    // One caller at a time. False when all places are taken.
    [[nodiscard]] bool add(const Region& region) noexcept;
    void remove(const Region& region) noexcept;

    // The region that holds all of these bytes; nullptr when there is none. Any thread. The answer stays valid while
    // the owner of the memory does not release it.
    [[nodiscard]] const Region* find(const std::byte* data, std::size_t len) const noexcept {
        const std::size_t count = count_.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < count; ++i) {
            const Place& place = places_[i];
            if (place.used.load(std::memory_order_acquire) && place.region.contains(data, len)) return &place.region;
        }
        return nullptr;
    }

private:
    struct Place {
        std::atomic<bool> used{false};
        Region region{};
    };
    Place places_[kMost];
    std::atomic<std::size_t> count_{0}; // places ever used
};

} // namespace vfsproto::posix
