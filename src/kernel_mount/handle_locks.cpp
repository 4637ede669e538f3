// SPDX-License-Identifier: BSD-2-Clause
#include "handle_locks.hpp"

#include <iterator>
#include <new>

namespace vfsproto::kernel_mount {

bool HandleLocks::note_granted(const Handle& handle, std::uint64_t owner) noexcept {
    try {
        const std::lock_guard lock(mutex_);
        owners_[handle].insert(owner);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void HandleLocks::note_given_up(std::uint64_t nodeid, std::uint64_t owner) noexcept {
    const std::lock_guard lock(mutex_);
    for (auto at = owners_.lower_bound({nodeid, 0}); at != owners_.end() && at->first.nodeid == nodeid;) {
        at->second.erase(owner);
        at = at->second.empty() ? owners_.erase(at) : std::next(at);
    }
}

std::vector<std::uint64_t> HandleLocks::end(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    const auto at = owners_.find(handle);
    if (at == owners_.end()) return {};
    std::vector<std::uint64_t> owners(at->second.begin(), at->second.end());
    owners_.erase(at);
    return owners;
}

} // namespace vfsproto::kernel_mount
