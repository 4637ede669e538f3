// SPDX-License-Identifier: BSD-2-Clause
// The advisory locks of one file, of one kind: POSIX record locks, or flock (whose locks span the whole file).
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace vfsproto::backends {

struct FileRangeLock {
    std::uint64_t start = 0;
    std::uint64_t end = 0; // the last byte
    std::uint32_t type = abi::kLockUnlock;
    std::uint32_t pid = 0;
    std::uint64_t owner = 0;
    std::uint64_t fh = 0; // the handle through which it was granted, with which it ends
};

class LockTable {
public:
    // Returns the first lock of another owner that stands in the way.
    [[nodiscard]] std::optional<FileRangeLock> conflict(const FileRangeLock& wanted) const {
        if (wanted.type == abi::kLockUnlock) return std::nullopt;
        for (const FileRangeLock& lock : locks_) {
            const bool exclusive = lock.type == abi::kLockWrite || wanted.type == abi::kLockWrite;
            if (exclusive && lock.owner != wanted.owner && overlap(lock, wanted)) return lock;
        }
        return std::nullopt;
    }

    // Replaces what its owner had in its range; an unlock leaves nothing there.
    void set(const FileRangeLock& wanted) {
        std::vector<FileRangeLock> kept;
        for (const FileRangeLock& lock : locks_) {
            if (lock.owner != wanted.owner || !overlap(lock, wanted)) {
                kept.push_back(lock);
                continue;
            }
            if (lock.start < wanted.start) kept.push_back(lock), kept.back().end = wanted.start - 1;
            if (lock.end > wanted.end) kept.push_back(lock), kept.back().start = wanted.end + 1;
        }
        if (wanted.type != abi::kLockUnlock) kept.push_back(wanted);
        locks_ = std::move(kept);
    }

    void drop_owner(std::uint64_t owner) {
        std::erase_if(locks_, [&](const FileRangeLock& lock) { return lock.owner == owner; });
    }
    void drop_handle(std::uint64_t fh) {
        std::erase_if(locks_, [&](const FileRangeLock& lock) { return lock.fh == fh; });
    }
    void clear() noexcept { locks_.clear(); }

private:
    static bool overlap(const FileRangeLock& a, const FileRangeLock& b) noexcept {
        return a.start <= b.end && b.start <= a.end;
    }

    std::vector<FileRangeLock> locks_;
};

} // namespace vfsproto::backends
