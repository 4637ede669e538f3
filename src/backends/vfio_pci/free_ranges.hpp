// SPDX-License-Identifier: BSD-2-Clause
// FreeRanges keeps the free parts of a number line: device addresses, or bytes of a run of memory. First fit.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace vfsproto::backends::vfio_pci {

class FreeRanges {
public:
    // [start, start + size) becomes free. It overlaps nothing that is, and does not wrap.
    void add(std::uint64_t start, std::uint64_t size) {
        if (size == 0) return;
        const auto at = free_.emplace(start, size).first;
        if (const auto next = std::next(at); next != free_.end() && start + size == next->first) {
            at->second += next->second;
            free_.erase(next);
        }
        if (at == free_.begin()) return;
        const auto before = std::prev(at);
        if (before->first + before->second != start) return;
        before->second += at->second;
        free_.erase(at);
    }

    // Takes `size` numbers that start at a multiple of `alignment`, a power of two. Returns the first, or nothing when
    // there is no room.
    [[nodiscard]] std::optional<std::uint64_t> take(std::uint64_t size, std::uint64_t alignment) {
        for (const auto& [start, room] : free_) {
            const std::uint64_t from = (start + (alignment - 1)) & ~(alignment - 1);
            if (from < start || from - start > room || room - (from - start) < size) continue;
            remove(start, from, size);
            return from;
        }
        return std::nullopt;
    }

    // Takes exactly [from, from + size). Returns false when some of them are not free.
    [[nodiscard]] bool take_at(std::uint64_t from, std::uint64_t size) {
        auto at = free_.upper_bound(from);
        if (at == free_.begin()) return false;
        --at;
        const auto [start, room] = *at;
        if (from - start > room || room - (from - start) < size) return false;
        remove(start, from, size);
        return true;
    }

    [[nodiscard]] std::uint64_t largest() const noexcept {
        std::uint64_t most = 0;
        for (const auto& range : free_) most = range.second > most ? range.second : most;
        return most;
    }

private:
    void remove(std::uint64_t start, std::uint64_t from, std::uint64_t size) {
        const auto at = free_.find(start);
        const std::uint64_t room = at->second;
        const std::uint64_t before = from - start;
        free_.erase(at);
        if (before != 0) free_.emplace(start, before);
        if (room - before > size) free_.emplace(from + size, room - before - size);
    }

    std::map<std::uint64_t, std::uint64_t> free_; // start to size, never two neighbours
};

} // namespace vfsproto::backends::vfio_pci
