// SPDX-License-Identifier: BSD-2-Clause
// Knows which of the process's memory the device can reach, and how many use it: its owner, and requests whose callers have gone
// on. find() is asked for every transfer and takes no lock.
#pragma once

#include "vfsproto/base/region.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vfsproto::posix {

class RegisteredMemory {
public:
    static constexpr std::size_t kMost = 64; // regions at a time

    // Adds a region, which has one user then: its owner. One caller at a time. False when all places are taken.
    [[nodiscard]] bool add(const Region& region) noexcept;
    // Takes one user off. The region is removed with the last: true then, and false for one that is not here. One caller at a time.
    [[nodiscard]] bool drop(const Region& region) noexcept;
    // Takes one user off unless it is the last: false then, and drop() is due. Any thread that has counted a user.
    [[nodiscard]] bool drop_unless_last(const Region& region) noexcept;
    // Counts one user more, which one of these two takes off. Any thread, while the owner has not dropped the region.
    void keep(const Region& region) noexcept;
    // True if the owner is the only user: what others did to the memory has happened before. Any thread, as keep().
    [[nodiscard]] bool is_owners_alone(const Region& region) const noexcept;

    // The region that holds all of these bytes; nullptr when there is none. Any thread, also while other threads add and
    // remove other regions. The answer stays valid while the region has a user.
    [[nodiscard]] const Region* find(const std::byte* data, std::size_t len) const noexcept {
        const std::size_t count = count_.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < count; ++i) {
            const Place& place = places_[i];
            const std::uint32_t version = place.version.load(std::memory_order_acquire);
            if ((version & 1) == 0) continue;
            // Each load acquires, so that a place which changes meanwhile shows another version at the end.
            const std::byte* begin = place.begin.load(std::memory_order_acquire);
            const std::byte* end = place.end.load(std::memory_order_acquire);
            if (data < begin || data > end || len > static_cast<std::size_t>(end - data)) continue;
            if (place.version.load(std::memory_order_relaxed) == version) return &place.region;
        }
        return nullptr;
    }

    // Returns a number that changes with each removal and is unique to this object in the process; never 0. An answer of find()
    // holds as long as the number is the same. Any thread.
    [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

private:
    struct Place {
        std::atomic<std::uint32_t> version{0}; // odd: taken
        std::atomic<std::uint32_t> users{0};   // counts while it is taken
        std::atomic<const std::byte*> begin{nullptr};
        std::atomic<const std::byte*> end{nullptr};
        Region region{}; // looked at only by those who own memory in it
    };
    [[nodiscard]] static std::uint64_t next_version() noexcept;
    // Returns kMost for a region that is not here. The caller is a user of it.
    [[nodiscard]] std::size_t index_of(const Region& region) const noexcept;

    Place places_[kMost];
    std::atomic<std::size_t> count_{0}; // places ever used
    std::atomic<std::uint64_t> version_{next_version()};
};

} // namespace vfsproto::posix
